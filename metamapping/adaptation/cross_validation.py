"""Cross-validation: how good a task is, from its own examples alone.

Every example is predicted by the mapping of all others, in closed form (``left_out``): nothing is encoded and
no mapping is computed twice.

    result = cross_validate(state)
    result.scores.scores["accuracy"]               # 0.912 [0.878, 0.941]
    print(result)                                  # a table
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.errors import text_errors, word_errors
from metamapping.adaptation.left_out import left_out_scores, left_out_word_scores
from metamapping.adaptation.results import Error
from metamapping.adaptation.scores import Scores, entity_scores, text_scores
from metamapping.adaptation.state import TaskState
from metamapping.config.labels import label_text
from metamapping.corpus.labels import Label
from metamapping.corpus.tags import OUTSIDE
from metamapping.errors import needs_train_extra

if TYPE_CHECKING:
    import pandas as pd

_MAX_SHOWN = 10  # labels and confusions in the table for people


@dataclass(frozen=True, repr=False)
class CrossValidation:
    """The predictions of all examples by the mapping of the others, and their scores.

    Attributes:
        predictions: The predicted label of each example, or for ``ner`` its BIO tags.
        probabilities: Float32 ``(num_examples, num_labels)`` in the order of ``labels``; for ``ner`` a list
            of ``(num_words, num_labels)``.
        labels: The task's labels.
        scores: Accuracy and macro-F1, for ``ner`` the micro-F1 of whole entities, each with its 95 %
            bootstrap interval; precision, recall and F1 of each label; and what was confused.
        errors: The examples that the others predict wrongly, the surest first, without explanations.
        num_alone: Number of labels with a single example, which were predicted from their names alone.
        is_tuned: Whether the encoder was tuned to these examples.
    """

    predictions: list[Any]
    probabilities: Any
    labels: tuple[Label, ...]
    scores: Scores
    errors: list[Error]
    num_alone: int
    is_tuned: bool = False

    @property
    def confusion(self) -> pd.DataFrame:
        """How often each label (rows) was predicted as each other label or itself (columns).

        For ``ner`` it counts entities; the row and the column "O" are those that were made up and missed.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        with needs_train_extra("a table of confusions"):
            import pandas as pd
        names = [str(label_text(label)) for label in self.labels]
        table = pd.DataFrame(self.confusion_counts, index=names, columns=names)
        return table.rename_axis(index="label", columns="predicted")

    @property
    def confusion_counts(self) -> np.ndarray:
        """The numbers of ``confusion``, int ``(num_labels, num_labels)``, which need no pandas."""
        names = [str(label_text(label)) for label in self.labels]
        slot_of = {name: slot for slot, name in enumerate(names)}
        counts: np.ndarray = np.zeros((len(names), len(names)), int)
        for label in self.scores.labels:
            counts[slot_of[label.label], slot_of[label.label]] = round(label.recall * label.count)
        for pair in self.scores.confusions:
            counts[slot_of[pair.gold or OUTSIDE], slot_of[pair.predicted or OUTSIDE]] = pair.count
        return counts

    @property
    def notes(self) -> list[str]:
        """Sentences about why other texts may be predicted better or worse than these examples."""
        notes = []
        if self.num_alone:
            notes.append(
                f"{self.num_alone} of {len(self.labels)} labels have one example, which was predicted from "
                "the label's name alone: expect more of the task"
            )
        if self.is_tuned:
            notes.append(
                "the encoder was tuned to these examples, which leaving one out does not undo: expect less "
                "of the task, and score other rows to know how much"
            )
        return notes

    def __repr__(self) -> str:
        lines = [f"{self.scores.num_rows} examples, each predicted from the others"]
        width = max(12, *map(len, self.scores.scores))
        lines += [f"  {name:{width}} {score}" for name, score in self.scores.scores.items()]
        lines += [f"  {note}" for note in self.notes]
        weakest = sorted(self.scores.labels, key=lambda each: each.f1)[:_MAX_SHOWN]
        lines += ["weakest labels", f"  {'F1':>5} {'count':>5}  label"]
        lines += [f"  {each.f1:5.3f} {each.count:5}  {each.label}" for each in weakest]
        if self.scores.confusions:
            lines += ["most confused", f"  {'count':>5}  label -> predicted"]
        lines += [
            f"  {each.count:5}  {each.gold or OUTSIDE} -> {each.predicted or OUTSIDE}"
            for each in self.scores.confusions[:_MAX_SHOWN]
        ]
        return "\n".join(lines)


def cross_validate(state: TaskState, *, groups: Sequence[Any] | None = None) -> CrossValidation:
    """Predict every example by the mapping of all others.

    Args:
        state: A task with examples.
        groups: The group of each example; the examples of a group are left out together. Default: copies of
            a sentence, and of a text where logistic regression is mixed in.

    Returns:
        The predictions with their scores.

    Raises:
        ValueError: As ``left_out_scores``.
    """
    support, targets = state.support, state.support.targets
    if state.is_ner:
        groups = _copies(state) if groups is None else groups
        of_words, ends = left_out_word_scores(state, groups=groups), support.offsets[1:-1]
        sentences = of_words.split(support.offsets)
        predictions: list[Any] = [state.bio_tags(each, None) for each in sentences]
        gold = [_tags([str(state.labels[slot]) for slot in slots]) for slots in np.split(targets, ends)]
        measured = entity_scores(gold, predictions, groups=groups)
        examples = Examples(list(support.texts), gold, None)
        errors = word_errors(state, sentences, examples)
        probabilities: Any = np.split(state.probabilities_of(of_words.labels), ends)
    else:
        scores = left_out_scores(state, groups=groups)
        probabilities = state.probabilities_of(scores)
        slots = state.best(scores)
        predictions = [state.labels[slot] for slot in slots]
        texts = [str(label_text(label)) for label in state.labels]
        measured = text_scores(
            [texts[slot] for slot in targets],
            [texts[slot] for slot in slots],
            order=texts if state.is_ordinal else None,
            groups=groups,
        )
        pairs = None if support.text_pairs is None else [str(pair) for pair in support.text_pairs]
        examples = Examples(list(support.texts), [state.labels[slot] for slot in targets], pairs)
        errors = text_errors(state, probabilities, examples, np.zeros(len(targets), bool))
    counts = np.bincount(targets, minlength=len(state.labels))
    num_alone = int((counts == 1).sum())
    return CrossValidation(
        predictions, probabilities, state.labels, measured, errors, num_alone, state.is_tuned
    )


def _copies(state: TaskState) -> list[Any] | None:
    """The group of each sentence, copies in one; ``None`` if there are no copies, or nothing else."""
    support = state.support
    texts: list[Any] = [None if words is None else tuple(words) for words in support.texts]
    if None in texts:
        texts = [x.tobytes() for x in np.split(support.features, support.offsets[1:-1])]
    return texts if 1 < len(set(texts)) < len(texts) else None


def _tags(types: list[str]) -> list[str]:
    """The tags of words' types; adjacent words of one type are one entity."""
    return [kind if kind == OUTSIDE else f"I-{kind}" for kind in types]
