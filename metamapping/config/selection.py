"""Selection: which of the train sources are trained on.

Each mode requires its own settings and rejects those of the other modes.

    SelectionSpec(mode="related", targets=["hotels"], num_sources=5)
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from metamapping.config.part import Name, Part

# The settings that each mode requires; all other settings must be left out.
_REQUIRED: dict[str, set[str]] = {
    "all": set(),
    "list": {"sources"},
    "related": {"targets", "num_sources"},
}


class SelectionSpec(Part):
    """Which of the train sources are trained on."""

    mode: Literal["all", "list", "related"] = Field(
        "all",
        description="Train sources that are trained on: `all` of them, those in the `list`, or those most "
        "`related` to the targets.",
    )
    sources: list[Name] = Field(
        default_factory=list, description="Names of the train sources to train on, for `list`."
    )
    targets: list[Name] = Field(
        default_factory=list,
        description="Names of train or validation sources that represent the intended use of the encoder, "
        "for `related`.",
    )
    num_sources: int | None = Field(
        None,
        ge=1,
        description="Number of train sources to train on, for `related`. Default: unset, for the other "
        "modes.",
    )

    @model_validator(mode="after")
    def _check(self) -> SelectionSpec:
        needed = _REQUIRED[self.mode]
        given = {name for name in ("sources", "targets", "num_sources") if getattr(self, name)}
        if given != needed:
            wanted = " and ".join(f"`{name}`" for name in sorted(needed)) or "nothing else"
            found = ", ".join(f"`{name}`" for name in sorted(given)) or "nothing"
            raise ValueError(
                f"selection.mode {self.mode!r} takes {wanted}, but {found} is given: correct `selection`"
            )
        return self
