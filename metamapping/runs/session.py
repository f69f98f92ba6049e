"""The models of a run in this process: built once, and shared by the stages that need one.

Building an encoder and compiling its meta-step take longer than many a stage, so the stages of one run
that a process executes one after another use the same learner; each of them first sets its weights from
a checkpoint. A session belongs to one run: another run gets learners of its own.

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
    """The session of a run in this process.

    The process remembers the session of the run that asked last, so that it holds one run's models at a
    time; whoever still works with another session keeps that alive.
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
        """A learner whose weights the caller sets from a checkpoint.

        Args:
            settings: Decides the trainable layers, the weight decay and the solver.
            precision: The precision of the encoder's arithmetic.
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
        """The learner in the precision of training, on the devices that ``settings`` names."""
        from metamapping.training.replicas import Replicas

        training = settings.training
        learner = self.learner(settings, training.precision)
        compiled_for = (id(learner), training.devices, training.max_gradient_norm, training.jit_compile)
        if self._replicas is None or self._replicas[0] != compiled_for:
            self._replicas = compiled_for, Replicas(learner, training)
        return self._replicas[1]
