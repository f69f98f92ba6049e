"""The published encoder and its tasks, loaded while the server already listens.

service = Service(published, tasks, Limits(), Metrics())
service.load()                                # seconds: TensorFlow is imported here
service.loaded().tasks.items()
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metamapping.serving.limits import Limits
from metamapping.serving.metrics import Metrics
from metamapping.serving.monitoring import Monitor, PredictionLog
from metamapping.serving.registry import TaskRegistry

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.publishing.runtime_model import Backend
    from metamapping.serving.batching import BatchingFeaturizer


class LoadingError(RuntimeError):
    """The encoder is not loaded yet."""


@dataclass(frozen=True)
class Loaded:
    """What is needed to answer requests."""

    mapper: MetaMapper
    featurizer: BatchingFeaturizer
    tasks: TaskRegistry


class Service:
    """A published encoder with its tasks, limits and metrics.

    Args:
        model: Folder of the published encoder.
        tasks: Folder in which tasks are stored.
        limits: Limits of requests and of tasks.
        metrics: The counters.
        log: Where predictions are written; ``None`` for nowhere.
        backend: What computes features, as for ``publishing.runtime_model.load_model``.
    """

    def __init__(
        self,
        model: Path,
        tasks: Path,
        limits: Limits,
        metrics: Metrics,
        log: PredictionLog | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        self.limits, self.metrics, self.monitor = limits, metrics, Monitor(log)
        metrics.add_collector(self.monitor)
        self._model, self._tasks, self._backend = model, tasks, backend
        self._loaded: Loaded | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether requests can be answered."""
        return self._loaded is not None

    def loaded(self) -> Loaded:
        """The encoder and the tasks. Raises ``LoadingError`` until ``load`` has finished."""
        if self._loaded is None:
            raise LoadingError("the encoder is still loading: try again in a few seconds")
        return self._loaded

    def load(self) -> None:
        """Read the published encoder, then the tasks.

        Raises:
            FileNotFoundError: There is no published encoder.
            StoreError: It is damaged.
        """
        from metamapping.adaptation.mapper import MetaMapper
        from metamapping.publishing.runtime_model import load_model
        from metamapping.serving.batching import BatchingFeaturizer

        model = load_model(self._model, backend=self._backend)
        mapper = MetaMapper(model, progress=False)
        featurizer = BatchingFeaturizer(model, on_batch=self.metrics.count_batch)
        mapper.featurizer = featurizer
        featurizer.texts(
            ["The first batch is slow: TensorFlow traces the encoder, onnxruntime packs weights."]
        )
        tasks = TaskRegistry(self._tasks, mapper, max_tasks=self.limits.tasks)
        tasks.load()
        self.metrics.set_task_counter(lambda: len(tasks))
        self._loaded = Loaded(mapper, featurizer, tasks)
