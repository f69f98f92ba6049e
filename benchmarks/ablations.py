"""What each part of the learner is worth: one task solved in several ways from the same examples.

rows = solve_ways(untrained, trained, task)     # {"trained": predictions, "logistic regression": …}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from metamapping.episodes.batches import label_arrays
from metamapping.episodes.label_space import LabelSpace
from metamapping.models.encoder import NUM_VIEWS
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SOLVERS, SupportSet
from metamapping.models.solvers.support_set import score
from metamapping.publishing.published_model import PublishedModel
from metamapping.runs.folder import RunFolder
from metamapping.training.checkpoints import load_weights
from metamapping.training.learner import Learner, build_learner

WAYS = (
    "meta-trained",
    "… without label names",
    "… the last layer alone, no other views",
    "… prototypes instead of ridge",
    "… learned strengths, not fitted",
    "untrained encoder, same closed form",
    "untrained encoder, logistic regression",
)


def read_learner(run: RunFolder, round: int) -> Learner:
    """The learner of a run at the end of a round; round 0 is the untrained one."""
    config = run.config
    learner = build_learner(
        config.encoder, config.training, vocabulary_size=run.corpus.vocabulary_size, seed=config.seed
    )
    load_weights(run.checkpoint(round), learner)
    return learner


@dataclass(frozen=True)
class Encoded:
    """A source's texts and label names, as one learner sees them."""

    learner: Learner | PublishedModel
    items: np.ndarray  # (num_rows, text_dim)
    names: tf.Tensor  # (num_labels, d)

    @classmethod
    def of(cls, learner: Learner, space: LabelSpace) -> Encoded:
        """Encode all texts of a label space."""
        arrays = label_arrays(space.name_tokens, np.arange(len(space.labels)), len(space.labels))
        names = learner.encoder.names({key: tf.constant(value) for key, value in arrays.items()})
        return cls(learner, learner.encoder.encode(space.token_ids, space.segment_ids), names)

    def predict(
        self,
        labels: np.ndarray,
        support: np.ndarray,
        targets: np.ndarray,
        queries: np.ndarray,
        *,
        solver: str,
        named: bool = True,
        num_views: int = NUM_VIEWS,
    ) -> np.ndarray:
        """Label slots of the queries, ``(num_queries,)``. ``targets``: those of the support."""
        width = num_views * self.learner.encoder.dim
        compute = _solver(self.learner.mapping, solver, named, num_views)
        weights = compute(
            tf.gather(self.names, labels), tf.constant(support[:, :width]), tf.constant(targets, tf.int32)
        )
        slots: np.ndarray = score(tf.constant(queries[:, :width]), weights).numpy().argmax(axis=-1)
        return slots


@cache
def _solver(mapping: MetaMapping, solver: str, named: bool, num_views: int) -> Callable[..., tf.Tensor]:
    """Weights of scores from names, features and targets; compiled: thousands of tasks have one shape."""

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def compute(names: tf.Tensor, features: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        count = names.shape[0]
        vectors = mapping.label_vectors(names, tf.zeros(count), tf.ones(count))
        prior = mapping.prior(vectors) * float(named)
        strengths = replace(mapping.strengths, views=mapping.strengths.views[: num_views - 1])
        support = SupportSet(features, targets, tf.ones_like(features[:, 0]), tf.ones(count))
        return SOLVERS[solver](support, prior, strengths)

    return compute


def solve_ways(
    untrained: Encoded,
    trained: Encoded,
    *,
    labels: np.ndarray,
    support: np.ndarray,
    targets: np.ndarray,
    queries: np.ndarray,
    query_items: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Predicted slots of the queries, by way.

    ``support``, ``queries``: rows of the space. ``targets``: slots of the support's labels.
    ``query_items``: features of the queries by either learner, where they are rows of another space.
    """
    features = [each.items[support] for each in (untrained, trained)]
    asked = query_items or (untrained.items[queries], trained.items[queries])
    untrained_task, trained_task = ((labels, x, targets, y) for x, y in zip(features, asked, strict=True))
    dim = untrained.learner.encoder.dim
    regression = LogisticRegression(max_iter=1_000).fit(features[0][:, :dim], targets)
    solved = [
        trained.predict(*trained_task, solver="ridge"),
        trained.predict(*trained_task, solver="ridge", named=False),
        trained.predict(*trained_task, solver="ridge", num_views=1),
        trained.predict(*trained_task, solver="prototypes"),
        trained.predict(*trained_task, solver="plain-ridge"),
        untrained.predict(*untrained_task, solver="ridge"),
        regression.predict(asked[0][:, :dim]),
    ]
    return dict(zip(WAYS, solved, strict=True))


def markdown(rows: dict[str, Sequence[str]], columns: Sequence[str]) -> str:
    """A table with a row a way."""
    lines = ["| way | " + " | ".join(columns) + " |", "| --- " * (1 + len(columns)) + "|"]
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items())])
