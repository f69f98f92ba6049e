"""Draft: the configuration that `metamapping init` writes, as YAML with comments for its user.

text = draft_config("support", guesses, assign_roles(guesses), encoder="scratch", folder=Path())
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from metamapping.cli.guess import Guess
from metamapping.cli.roles import Roles

SCRATCH = "scratch"
DEFAULT_ENCODER = "hf://sentence-transformers/all-MiniLM-L6-v2"
_SHOTS, _NUM_QUERIES = (0, 1, 4), 10
_FEW_SHOTS = (0, 1)
_SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_YAML_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n"})
_MAX_LISTED_LABELS = 12
_FAR = str(Path("..", "..", ".."))
# Cleaning rejects duplicates and texts without letters, which the counts of a guess know only in part.
_LEFT_AFTER_CLEANING = 0.85


@dataclass(frozen=True)
class _Evaluation:
    shots: tuple[int, ...]
    num_queries: int

    @property
    def needed(self) -> int:
        """Examples of each label that a held-out source must have."""
        return max(self.shots) + self.num_queries


def draft_config(
    name: str, guesses: Sequence[Guess], roles: Sequence[Roles], *, encoder: str, folder: Path
) -> str:
    """Write a configuration.

    Args:
        name: Name of the run.
        guesses: What is known about each file.
        roles: The roles of each file.
        encoder: A preset, or `scratch`.
        folder: Folder of the configuration, to which paths are relative.
    """
    evaluation = _evaluation_for(guesses, roles)
    names = _source_names(guesses)
    sources = [
        line
        for each in zip(guesses, roles, names, strict=True)
        for line in ["", *_source(*each, evaluation, folder)]
    ]
    num_validated = sum("validation" in _role_names(each) for each in roles)
    lines = [
        "# Written by `metamapping init`: look at what is guessed, and correct it.",
        "#   metamapping check FILE     counts rows and labels, and estimates the time; trains nothing",
        "#   metamapping baseline FILE  measures the encoder as it is: the bar for meta-training",
        "#   metamapping train FILE     meta-trains and publishes; the same command resumes",
        "# `metamapping settings` lists everything that can be set here.",
        f"name: {_quoted(name)}",
        "",
        *_encoder(encoder, guesses),
        "",
        *_training(encoder),
        "",
        "# Few-shot episodes on the held-out sources: so many examples of each label, and this many others",
        f"# that are predicted. Every label of a held-out source needs {evaluation.needed} examples.",
        f"evaluation: {{shots: {list(evaluation.shots)}, num_queries: {evaluation.num_queries}}}",
        "",
        "# `train` sources are trained on. `validation` sources judge every round; a sound judgement takes",
        f"# five or more (here: {num_validated}). `test` sources are read once, at the end. Both should be",
        "# like the tasks to come.",
        "sources:",
        *[f"  {line}" if line else "" for line in sources[1:]],
    ]
    return "\n".join(lines) + "\n"


def _encoder(encoder: str, guesses: Sequence[Guess]) -> list[str]:
    longest = max(guess.num_words for guess in guesses)
    # A word is about one and a half tokens; two more are special.
    max_length = next((size for size in (32, 64, 128, 256) if 1.5 * longest + 2 <= size), 256)
    length = f"  max_length_tokens: {max_length}  # longer texts are cut off; 95 % have up to {longest} words"
    if encoder == SCRATCH:
        return [
            "# A small encoder with random weights, to try things out: a pretrained one (`preset:` with a",
            f"# folder or {DEFAULT_ENCODER}) is far better.",
            "encoder:",
            "  scratch: {vocabulary_size: 2000, num_layers: 2, num_heads: 4, hidden_dim: 128, "
            "intermediate_dim: 256}",
            length,
        ]
    return [
        "# The encoder to start from: a Hugging Face folder or address. Without network, a folder.",
        "encoder:",
        f"  preset: {_quoted(encoder)}",
        length,
    ]


def _training(encoder: str) -> list[str]:
    rate = "5.0e-4" if encoder == SCRATCH else "3.0e-5"
    return [
        "# A round is so many meta-steps; 300 in all bring most of the gain. The run ends once rounds bring",
        "# nothing more, or after the last one.",
        f"training: {{meta_steps: 100, learning_rate: {rate}}}",
        "convergence: {max_rounds: 5}",
    ]


def _evaluation_for(guesses: Sequence[Guess], roles: Sequence[Roles]) -> _Evaluation:
    """The largest episodes, up to the defaults, that two labels of every held-out source allow."""
    smallest = _NUM_QUERIES + max(_SHOTS)
    for guess, of_source in zip(guesses, roles, strict=True):
        for counts in _held_out_counts(guess, of_source):
            usable = sorted((int(_LEFT_AFTER_CLEANING * count) for count in counts), reverse=True)
            # Labels with less than this are dropped, as long as two are left.
            enough = [count for count in usable if count > max(_SHOTS) + 1] or usable
            smallest = min(smallest, enough[-1] if len(enough) > 1 else usable[min(1, len(usable) - 1)])
    if smallest > max(_SHOTS) + 1:
        return _Evaluation(_SHOTS, smallest - max(_SHOTS))
    return _Evaluation(_FEW_SHOTS, max(1, smallest - max(_FEW_SHOTS)))


def _held_out_counts(guess: Guess, roles: Roles) -> Iterator[list[int]]:
    if roles.label_roles is None:
        if roles.role != "train":
            yield list(guess.labels.values())
        return
    for role, labels in roles.label_roles.items():
        if role != "train":
            yield [guess.labels[label] for label in labels]


def _source(guess: Guess, roles: Roles, name: str, evaluation: _Evaluation, folder: Path) -> Iterator[str]:
    at_least = "" if guess.is_whole else "more than "
    labels = [f"{label} {count}" for label, count in guess.labels.items()]
    more = f" and {len(labels) - _MAX_LISTED_LABELS} more" if len(labels) > _MAX_LISTED_LABELS else ""
    shown = ", ".join(labels[:_MAX_LISTED_LABELS]) + more
    yield f"# {at_least}{guess.num_rows:,} rows; {len(labels)} labels with their rows: {_one_line(shown)}"
    yield f"- name: {_quoted(name)}"
    yield f"  task_type: {guess.task_type}"
    if roles.label_roles is None:
        yield f"  role: {roles.role}"
    else:
        yield "  label_roles:"
        for role, of_role in roles.label_roles.items():
            yield f"    {role}: [{', '.join(map(_quoted, of_role))}]"
    yield f"  files: [{_quoted(_relative(guess.path, folder))}]"
    if guess.format is not None:
        yield f"  format: {guess.format}"
    if not guess.header:
        yield "  header: false"
    yield f"  columns: {{{', '.join(_columns(guess))}}}"
    if guess.multi_label:
        yield "  multi_label: true  # texts have any number of labels"
    if guess.label_separator is not None:
        yield f"  label_separator: {_quoted(guess.label_separator)}  # remove both if a text has one label"
    dropped = _too_small(guess, roles, evaluation)
    if dropped:
        yield f"  drop_labels: [{', '.join(map(_quoted, dropped))}]  # too few examples"
    kept = [label for label in guess.labels if label not in dropped]
    if guess.has_codes:
        words = ", ".join(f'{_quoted(label)}: "…"' for label in kept[:_MAX_LISTED_LABELS])
        yield "  # The encoder reads the names of labels, and these are codes: say what they mean."
        yield f"  # label_names: {{{words}}}"


def _columns(guess: Guess) -> Iterator[str]:
    for name, column in (("text", guess.text), ("text_pair", guess.text_pair), ("label", guess.label)):
        if column is not None:
            yield f"{name}: {column if isinstance(column, int) else _quoted(column)}"
    if guess.label_columns:
        yield f"label_columns: [{', '.join(map(_quoted, guess.label_columns))}]"


def _too_small(guess: Guess, roles: Roles, evaluation: _Evaluation) -> list[str]:
    """The labels that have too few examples for the role of the source."""
    if roles.label_roles is not None:
        return []  # a label that is dropped may not have a role
    needed = 2 if roles.role == "train" else evaluation.needed
    small = [label for label, count in guess.labels.items() if count < needed]
    return small if len(guess.labels) - len(small) >= 2 else []


def _role_names(roles: Roles) -> set[str]:
    return set(roles.label_roles) if roles.label_roles else {str(roles.role)}


def _source_names(guesses: Sequence[Guess]) -> list[str]:
    names: list[str] = []
    for guess in guesses:
        stem = (
            re.sub(r"[^A-Za-z0-9._+-]+", "-", Path(guess.path).name.split(".")[0]).strip("-._+") or "source"
        )
        name = stem[:80]
        while name in names:
            name = f"{stem[:80]}-{len(names) + 1}"
        names.append(name)
    return names


def _relative(path: str, folder: Path) -> str:
    """The path as the configuration in ``folder`` names it: relative, unless the file lies elsewhere."""
    absolute, base = Path(path).absolute(), folder.absolute()
    relative = os.path.relpath(absolute, base)
    return str(absolute) if relative.startswith(_FAR) else relative


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    """A text as YAML, in quotes unless it is a plain word."""
    if _SAFE.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
