"""Sentences from templates: ``{slot}`` draws from a list, ``[a|b|]`` chooses one of its parts.

    expand("the {thing} is [very|] nice", {"thing": ["tea"]}, random.Random(1))

Drawn text is expanded as well, so a slot's entry may itself contain slots and choices.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

Slots = Mapping[str, Sequence[str]]

_QUESTION_WORDS = (
    *("how ", "what ", "where ", "when ", "who ", "why ", "which ", "is ", "are ", "do ", "does "),
    *("can ", "could ", "would ", "may "),
)
_OPEN = re.compile(r"\{(\w+)\}|\[([^\[\]{}]*)\]")


def expand(template: str, slots: Slots, rng: random.Random) -> str:
    """Expand ``template`` until no slot and no choice is left."""

    def draw(match: re.Match[str]) -> str:
        name, choice = match.groups()
        return rng.choice(slots[name]) if name else rng.choice(choice.split("|"))

    while _OPEN.search(template):
        template = _OPEN.sub(draw, template, count=1)
    text = " ".join(template.split())
    return re.sub(r"\b([Aa]) (?=[aeio])(?!one\b|once\b)", r"\1n ", text)


def lines(text: str) -> list[str]:
    """The non-empty lines of a block of text: one phrase each."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def split_phrases(text: str) -> list[str]:
    """The phrases of ``text``, which are separated by semicolons."""
    return [phrase.strip() for phrase in text.split(";")]


def sample_share(phrases: Sequence[str], rng: random.Random, share: float) -> list[str]:
    """A random ``share`` of ``phrases``, so that each source has its own selection of a common vocabulary."""
    return rng.sample(list(phrases), max(1, round(share * len(phrases))))


def add_noise(text: str, rng: random.Random) -> str:
    """Write ``text`` as people do: mostly tidy, sometimes in capitals, with a typo or an HTML entity."""
    style = rng.random()
    if style < 0.55:
        is_question = text.startswith(_QUESTION_WORDS)
        text = text[:1].upper() + text[1:] + rng.choice("??." if is_question else "...! ").strip()
    elif style < 0.58:
        text = text.upper()
    if rng.random() < 0.07:
        text = _typo(text, rng)
    if rng.random() < 0.04:
        text = text.replace(" and ", " &amp; ").replace("'", "&#39;").replace(" but ", " &ndash; but ")
    if rng.random() < 0.02:
        text = text.replace(" ", "  ", 2)
    return text


def _typo(text: str, rng: random.Random) -> str:
    """Swap, drop or double one letter inside a word."""
    at = rng.randrange(1, max(2, len(text) - 2))
    if not text[at : at + 2].isalpha():
        return text
    first, second = text[at], text[at + 1 : at + 2]
    changed = rng.choice([second + first, second, first + first + second])
    return text[:at] + changed + text[at + 2 :]
