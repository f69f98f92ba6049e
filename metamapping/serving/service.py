"""Service: the encoder and its tasks, once they are loaded.

    service = Service(published, tasks, Limits(), Metrics())
    service.load()                                # seconds: TensorFlow is imported here
    service.ready().tasks.items()

The server listens before that, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metamapping.serving.limits import Limits
from metamapping.serving.metrics import Metrics
from metamapping.serving.registry import TaskRegistry

if TYPE_CHECKING:
    from metamapping.adaptation.mapper import MetaMapper
    from metamapping.serving.passes import SharedPasses


class LoadingError(RuntimeError):
    """The encoder is not there yet."""


@dataclass(frozen=True)
class Loaded:
    """What answers requests."""

    mapper: MetaMapper
    passes: SharedPasses
    tasks: TaskRegistry


class Service:
    """What a server serves, and its limits and metrics."""

    def __init__(self, model: Path, tasks: Path, limits: Limits, metrics: Metrics) -> None:
        self.limits, self.metrics = limits, metrics
        self._model, self._tasks = model, tasks
        self._loaded: Loaded | None = None

    @property
    def is_ready(self) -> bool:
        """Whether requests can be answered."""
        return self._loaded is not None

    def ready(self) -> Loaded:
        """What answers requests. Raises ``LoadingError``."""
        if self._loaded is None:
            raise LoadingError("the encoder is still loading: ask again in a few seconds")
        return self._loaded

    def load(self) -> None:
        """Read the published encoder, then the tasks.

        Raises ``FileNotFoundError`` where there is no encoder, ``StoreError`` where it is damaged.
        """
        from metamapping.adaptation.mapper import MetaMapper
        from metamapping.publishing.published_model import read_published
        from metamapping.serving.passes import SharedPasses

        model = read_published(self._model)
        mapper = MetaMapper(model, progress=False)
        passes = SharedPasses(model, on_pass=self.metrics.encoded)
        mapper.featurizer = passes
        passes.texts(["The first pass is slow: it is traced."])
        tasks = TaskRegistry(self._tasks, mapper, max_tasks=self.limits.tasks)
        tasks.load()
        self.metrics.count_tasks_by(lambda: len(tasks))
        self._loaded = Loaded(mapper, passes, tasks)
