"""The models of a run in this process: built once, and shared by the stages that need one.

Building an encoder and compiling its meta-step can take longer than a stage's own work. Therefore the
stages of one run that a process executes one after another use the same learner; each of them first loads
a checkpoint into it. A session belongs to one run: another run gets its own learners.

    learner = session_of(run).learner(settings)
    checkpoints.load_weights(run.checkpoint(3), learner)
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from metamapping.config.training import PrecisionName
from metamapping.models.keras_import import lean_keras
from metamapping.rounds.settings import AdjustableSettings
from metamapping.runs.folder import RunFolder

if TYPE_CHECKING:  # these import TensorFlow, which takes seconds
    from metamapping.training.learner import Learner
    from metamapping.training.replicas import Replicas

_lock = threading.Lock()
_latest: ModelSession | None = None


def session_of(run: RunFolder) -> ModelSession:
    """Return the session of a run in this process.

    The process keeps only the most recently requested session, so that it holds the models of one run at a
    time. A caller that still uses another session keeps that one alive.

    Args:
        run: An opened run.

    Returns:
        The session; the same one as in the last call if that was for the same run.
    """
    global _latest
    with _lock:
        if _latest is None or _latest.place != run.place:
            _latest = ModelSession(run)
        return _latest


class ModelSession:
    """The learners of one run: one in float32, and one in the precision of training where it differs.

    Attributes:
        place: The run's folder or address.
    """

    def __init__(self, run: RunFolder) -> None:
        self.place = run.place
        self._encoder = run.config.encoder
        self._vocabulary_size = run.corpus.vocabulary_size
        self._learners: dict[PrecisionName, tuple[object, Learner]] = {}
        self._replicas: tuple[object, Replicas] | None = None

    def learner(self, settings: AdjustableSettings, precision: PrecisionName = "float32") -> Learner:
        """Return a learner into which the caller loads a checkpoint.

        Args:
            settings: Determines the trainable layers, the weight decay and the solver.
            precision: The precision of the encoder's arithmetic.

        Returns:
            A learner, which later calls with the same arguments return again; its weights are arbitrary.

        Raises:
            ConfigError: The encoder's preset cannot be read, or does not fit the settings.
        """
        training = settings.training
        shape = (settings.trainable_layers, training.weight_decay, training.solver)
        if precision not in self._learners or self._learners[precision][0] != shape:
            with lean_keras():
                from metamapping.training.learner import build_learner

            learner = build_learner(
                self._encoder.model_copy(update={"trainable_layers": settings.trainable_layers}),
                training.model_copy(update={"precision": precision}),
                vocabulary_size=self._vocabulary_size,
                seed=0,
            )
            self._learners[precision] = shape, learner
        return self._learners[precision][1]

    def replicas(self, settings: AdjustableSettings) -> Replicas:
        """Return replicas of the learner in the precision of training.

        Args:
            settings: As for ``learner``; also determines the devices, the maximum gradient norm and whether
                the meta-step is compiled with XLA.

        Returns:
            The replicas, which later calls with the same settings return again.
        """
        from metamapping.training.replicas import Replicas

        training = settings.training
        learner = self.learner(settings, training.precision)
        compiled_for = (id(learner), training.devices, training.max_gradient_norm, training.jit_compile)
        if self._replicas is None or self._replicas[0] != compiled_for:
            self._replicas = compiled_for, Replicas(learner, training)
        return self._replicas[1]
