"""What each part of the learner contributes: one task solved by several methods from the same examples.

In: a label space or texts, encoded by the untrained and by the trained learner. Out: each method's
predictions for the same queries. The methods are the rows of the tables that ``intents``, ``arsc`` and
``setfit --ablations`` print.

    predictions = predict_by_method(untrained, trained, labels=…, support=…, targets=…, queries=…)
    predictions["meta-trained"]     # label slots, one for each query
"""

from __future__ import annotations

from collections.abc import Callable
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

METHODS = (
    "meta-trained",
    "… without label names",
    "… the last layer alone, no other views",
    "… prototypes instead of ridge",
    "… learned hyperparameters, not fitted",
    "untrained encoder, same closed form",
    "untrained encoder, logistic regression",
)


def read_learner(run: RunFolder, round: int) -> Learner:
    """Read the learner of a run as it was at the end of a round; round 0 is the untrained learner."""
    config = run.config
    learner = build_learner(
        config.encoder, config.training, vocabulary_size=run.corpus.vocabulary_size, seed=config.seed
    )
    load_weights(run.checkpoint(round), learner)
    return learner


@dataclass(frozen=True)
class Encoded:
    """The features of a source's texts and label names, computed by one learner."""

    learner: Learner | PublishedModel
    features: np.ndarray  # (num_rows, text_dim)
    names: tf.Tensor  # (num_labels, dim)

    @classmethod
    def of(cls, learner: Learner, space: LabelSpace) -> Encoded:
        """Encode all texts and all label names of a label space."""
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
        use_names: bool = True,
        num_views: int = NUM_VIEWS,
    ) -> np.ndarray:
        """Predict the label slots of the queries.

        Args:
            labels: Indices of the task's labels in the label space.
            support: Features of the support, ``(num_support, text_dim)``.
            targets: Label slots of the support, ``(num_support,)``.
            queries: Features of the queries, ``(num_queries, text_dim)``.
            solver: A key of ``SOLVERS``.
            use_names: Whether the prior from the label names takes part.
            num_views: How many views of a text to use; 1 is the last layer alone.

        Returns:
            Label slots, ``(num_queries,)``.
        """
        width = num_views * self.learner.encoder.dim
        compute = _compiled_solver(self.learner.mapping, solver, use_names, num_views)
        weights = compute(
            tf.gather(self.names, labels), tf.constant(support[:, :width]), tf.constant(targets, tf.int32)
        )
        slots: np.ndarray = score(tf.constant(queries[:, :width]), weights).numpy().argmax(axis=-1)
        return slots


@cache
def _compiled_solver(
    mapping: MetaMapping, solver: str, use_names: bool, num_views: int
) -> Callable[..., tf.Tensor]:
    """A function of names, features and targets that returns the weights from which scores are computed."""

    # Compiled, because thousands of tasks have the same shape.
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def compute(names: tf.Tensor, features: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        count = names.shape[0]
        vectors = mapping.label_vectors(names, tf.zeros(count), tf.ones(count))
        prior = mapping.prior(vectors) * float(use_names)
        hyperparameters = replace(
            mapping.hyperparameters, views=mapping.hyperparameters.views[: num_views - 1]
        )
        support = SupportSet(features, targets, tf.ones_like(features[:, 0]), tf.ones(count))
        return SOLVERS[solver](support, prior, hyperparameters)

    return compute


def predict_by_method(
    untrained: Encoded,
    trained: Encoded,
    *,
    labels: np.ndarray,
    support: np.ndarray,
    targets: np.ndarray,
    queries: np.ndarray,
) -> dict[str, np.ndarray]:
    """Predict the label slots of the queries by each of ``METHODS``.

    Args:
        untrained: The source as the untrained learner encodes it.
        trained: The source as the meta-trained learner encodes it.
        labels: Indices of the task's labels in the label space.
        support: Rows of the support.
        targets: Label slots of the support.
        queries: Rows of the queries.

    Returns:
        Label slots, ``(num_queries,)``, for each method.
    """
    untrained_task, trained_task = (
        (labels, each.features[support], targets, each.features[queries]) for each in (untrained, trained)
    )
    dim = untrained.learner.encoder.dim
    regression = LogisticRegression(max_iter=1_000).fit(untrained.features[support][:, :dim], targets)
    predicted = [
        trained.predict(*trained_task, solver="ridge"),
        trained.predict(*trained_task, solver="ridge", use_names=False),
        trained.predict(*trained_task, solver="ridge", num_views=1),
        trained.predict(*trained_task, solver="prototypes"),
        trained.predict(*trained_task, solver="plain-ridge"),
        untrained.predict(*untrained_task, solver="ridge"),
        regression.predict(untrained.features[queries][:, :dim]),
    ]
    return dict(zip(METHODS, predicted, strict=True))
