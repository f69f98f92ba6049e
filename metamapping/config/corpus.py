"""How the rows of the sources become a corpus: cleaning, filters, duplicates and leakage.

Cleaners change a text; filters, duplicates and leakage reject a row, which is kept with its reason.

    CleaningSpec(cleaners=["encoding", "whitespace"]), FilterSpec(min_words=3)
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from metamapping.config.part import Part

CleanerName = Literal["encoding", "html", "unicode", "control", "urls", "users", "whitespace"]


class CleaningSpec(Part):
    """Changes to each text, in the corpus and later in the texts that users pass to the model."""

    cleaners: list[CleanerName] = Field(
        default=["encoding", "html", "unicode", "control", "whitespace"],
        description="Cleaners applied to each text, in this order; `urls` and `users` insert placeholders.",
    )
    repair_tags: bool = Field(
        True,
        description="Whether, for `ner`, an I- tag that continues no entity begins one; otherwise its row is "
        "rejected.",
    )


class FilterSpec(Part):
    """Limits on the text of a row, beyond which the row is rejected; a pair counts as one text."""

    min_characters: int = Field(1, ge=1, description="Minimum length of a text in characters.")
    max_characters: int = Field(20_000, ge=1, description="Maximum length of a text in characters.")
    min_words: int = Field(1, ge=1, description="Minimum length of a text in words.")
    max_words: int | None = Field(
        None, ge=1, description="Maximum length of a text in words. Default: no limit."
    )
    min_tokens: int | None = Field(
        None, ge=1, description="Minimum length of a text in tokens. Default: no limit."
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="Maximum length of a text in tokens. Default: no limit; longer texts are truncated and "
        "kept.",
    )
    letters: bool = Field(True, description="Whether texts without a single letter are rejected.")
    repetition: bool = Field(
        True, description="Whether long, repetitive texts are rejected, by the rules of Gopher."
    )
    languages: list[str] = Field(
        default_factory=list,
        description="Codes of the accepted languages (`en`, `de` …), which need the extra `languages`. "
        "Default: every language.",
    )


class DuplicateSpec(Part):
    """Duplicates within one source."""

    exact: bool = Field(
        True,
        description="Whether repeated texts are rejected: all but the first, or all of them where their "
        "labels differ.",
    )
    near: bool = Field(
        True,
        description="Whether texts that nearly equal another text of the same label are rejected (MinHash).",
    )
    threshold: float = Field(
        0.85,
        gt=0,
        le=1,
        description="Share of common five-byte shingles, 0 to 1, from which two texts are near duplicates.",
    )
    num_permutations: int = Field(
        128,
        ge=16,
        le=1024,
        multiple_of=8,
        description="Number of MinHash permutations; more estimate the share more precisely and take more "
        "time.",
    )


class LeakageSpec(Part):
    """Overlap between texts that are trained on and texts that are held out."""

    check: bool = Field(
        True,
        description="Whether training texts that also occur in a validation or test source are rejected, "
        "and validation texts that also occur in a test source; near duplicates too, as configured in "
        "`duplicates`.",
    )


class LabelNoiseSpec(Part):
    """Labels that the other rows of their source contradict, before anything is trained."""

    action: Literal["ignore", "report", "reject"] = Field(
        "report",
        description="What happens to rows whose label is probably wrong: nothing is looked for (`ignore`), "
        "they are listed (`report`), or also left out of training as rejects (`reject`). Rows of validation "
        "and test sources are never left out, which would make the test easier. Needs an encoder from "
        "`preset`.",
    )
    min_probability: float = Field(
        0.5, ge=0, le=1, description="Lowest probability of a wrong label, 0 to 1, that counts."
    )
    max_rows: int = Field(
        2_000,
        ge=10,
        description="Rows of a source that are checked, drawn at random from more; it bounds the time.",
    )
