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
from metamapping.serving.tuning_jobs import TuningJobs

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping.adaptation.featurizer import Featurizer
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
        model: Folder of the published encoder, or of a pretrained one.
        tasks: Folder in which tasks are stored.
        limits: Limits of requests and of tasks.
        metrics: The counters.
        log: Where predictions are written; ``None`` for nowhere.
        backend: What computes features, as for ``publishing.pretrained_model.read_encoder``.
        keeps_encoders: Whether tasks on disk that belong to another encoder are served on that one.
    """

    def __init__(
        self,
        model: Path | str,
        tasks: Path,
        limits: Limits,
        metrics: Metrics,
        log: PredictionLog | None = None,
        *,
        backend: Backend = "auto",
        keeps_encoders: bool = False,
    ) -> None:
        self.limits, self.metrics, self.monitor = limits, metrics, Monitor(log)
        metrics.add_collector(self.monitor)
        self.jobs = TuningJobs(max_waiting=limits.jobs, max_seconds=limits.tune_seconds)
        self._keeps_encoders = keeps_encoders
        self._tried: set[tuple[str, str, str, int]] = set()
        self._model: Path | str = model
        self._tasks, self._backend = tasks, backend
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
        mapper, featurizer = self._load_mapper(self._model)
        load_encoder = self._load_featurizer if self._keeps_encoders else None
        tasks = TaskRegistry(self._tasks, mapper, max_tasks=self.limits.tasks, load_encoder=load_encoder)
        tasks.load()
        self.metrics.set_task_counter(lambda: len(tasks))
        self._loaded = Loaded(mapper, featurizer, tasks)

    def switch(self, model: Path) -> None:
        """Use another encoder from now on for new tasks; ``move_tasks`` moves the others.

        Requests are answered meanwhile, by the encoder that a task is on.

        Args:
            model: Folder of the published encoder.

        Raises:
            FileNotFoundError: There is no published encoder.
            StoreError: It is damaged.
        """
        tasks = self.loaded().tasks
        mapper, featurizer = self._load_mapper(model)
        self._model, tasks.mapper = model, mapper
        self._loaded = Loaded(mapper, featurizer, tasks)

    def move_tasks(self) -> list[str]:
        """Adapt the tasks that are on other encoders again, on the current one, unless they would be worse.

        A task stays on its encoder where the new one would predict its own examples worse, each from the
        others.

        Returns:
            A sentence about each of them; none about tasks that were tried on this encoder before.
        """
        from metamapping.serving.moving import move_task

        loaded = self.loaded()
        current = loaded.mapper.featurizer.fingerprint
        sentences = []
        for name, mapping in loaded.tasks.items():
            tried = (name, mapping.encoder_fingerprint, current, id(mapping.state))
            if mapping.encoder_fingerprint != current and tried not in self._tried:
                sentences.append(move_task(loaded.tasks, name, loaded.mapper))
                self._tried.add(tried)
        return sentences

    def _load_mapper(self, place: Path | str) -> tuple[MetaMapper, BatchingFeaturizer]:
        from metamapping.adaptation.mapper import MetaMapper
        from metamapping.publishing.pretrained_model import read_encoder
        from metamapping.serving.batching import BatchingFeaturizer

        model = read_encoder(place, backend=self._backend)
        mapper = MetaMapper(model, progress=False)
        featurizer = BatchingFeaturizer(model, on_batch=self.metrics.count_batch)
        mapper.featurizer = featurizer
        featurizer.texts(
            ["The first batch is slow: TensorFlow traces the encoder, onnxruntime packs weights."]
        )
        return mapper, featurizer

    def _load_featurizer(self, place: str) -> Featurizer:
        return self._load_mapper(place)[1]
