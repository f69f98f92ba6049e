"""MetaMapper: a published encoder in its users' hands.

    mapper = MetaMapper.from_pretrained("path/to/published")
    mapping = mapper.adapt(["Where is my parcel?", "I want my money back"], ["delivery", "refund"])
    mapping.predict(["It never arrived"])                      # ["delivery"]
    mapper.zero_shot(["delivery", "refund"]).predict(["It never arrived"])

Adapting is closed-form algebra on the features of a few examples: no gradient, and the encoder is
not touched. Texts are cleaned and tokenized as in training.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from pathlib import Path
from typing import Any

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.inputs import check_task_type, read_examples, read_label_names, read_labels
from metamapping.adaptation.state import blank_state, with_examples, with_labels
from metamapping.adaptation.task_mapping import Mapping
from metamapping.config.sources import Columns, TaskType
from metamapping.publishing.published_model import PublishedModel, read_published


class MetaMapper:
    """A published encoder, its meta-learned mapping, and its tokenizer.

    ``progress``: whether a bar on standard error shows how far encoding has come. ``None``: for more
    than 2,000 texts, where standard error is a terminal.
    """

    def __init__(self, model: PublishedModel, *, progress: bool | None = None) -> None:
        self.featurizer = Featurizer(model, progress=progress)

    @classmethod
    def from_pretrained(cls, folder: str | Path, *, progress: bool | None = None) -> MetaMapper:
        """Load a published folder, or what was published at an address (``s3://bucket/…/published``).

        Raises ``FileNotFoundError`` where there is none, and ``StoreError`` where it is damaged.
        """
        return cls(read_published(folder), progress=progress)

    def adapt(
        self,
        texts: Any,
        labels: Any = None,
        *,
        text_pairs: Any = None,
        label_names: Map[Any, str] | None = None,
        task_type: TaskType = "text-classification",
        columns: Columns | None = None,
    ) -> Mapping:
        """The mapping of a task from its examples, in closed form.

        ``texts``, ``labels``, ``text_pairs`` (the second text of each example): lists, NumPy arrays,
        or columns of pandas, Arrow or ``datasets``. Or ``texts`` is a whole ``DataFrame``,
        ``Dataset`` or Arrow table, and ``columns`` names its columns (nothing said: ``text``,
        ``label``, and ``text_pair`` where there is one; for ``ner`` ``text`` and ``tags``).
        ``label_names``: readable words for labels, which tell the encoder what they mean; labels
        without an entry are read as they stand. For ``task_type="ner"`` a text is a list of words
        and a label a list of BIO tags. Raises ``ValueError`` for examples that cannot be learned from.
        """
        examples = read_examples(texts, labels, text_pairs=text_pairs, task_type=task_type, columns=columns)
        blank = blank_state(self.featurizer, task_type)
        return Mapping(
            self.featurizer, with_examples(self.featurizer, blank, examples, read_label_names(label_names))
        )

    def zero_shot(
        self,
        labels: Any,
        *,
        label_names: Map[Any, str] | None = None,
        task_type: TaskType = "text-classification",
    ) -> Mapping:
        """The mapping of a task of which only the labels are known (``ner``: the entity types)."""
        check_task_type(task_type)
        blank = blank_state(self.featurizer, task_type)
        state = with_labels(self.featurizer, blank, read_labels(labels), read_label_names(label_names))
        return Mapping(self.featurizer, state)

    def __deepcopy__(self, memo: dict[int, Any]) -> MetaMapper:
        # It never changes: what copies its holder (scikit-learn's clone) need not copy an encoder.
        return self
