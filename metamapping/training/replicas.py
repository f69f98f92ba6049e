"""Devices: the batches of a meta-step shared among the devices of one machine or of several.

Each device has a copy of the learner and sums the gradients of its share of the batches; the sums of
all go through ``tf.distribute``'s all-reduce, and every copy takes the same step. So a step is the
mean gradient of its batches wherever they were computed, and the variables are plain ones: under a
strategy's scope Keras' optimizers would sum once more what has to be summed before it is clipped.

    replicas = Replicas(learner, strategy_of("mirrored"), steps)
    losses = replicas.update({i: build(i) for i in replicas.share_of(num_batches)}, num_batches)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from metamapping.config.schema import DevicesName, TrainingSpec
from metamapping.errors import ConfigError
from metamapping.models.encoder import Tensors
from metamapping.training.meta_step import apply_gradients, differentiate, update_weights

if TYPE_CHECKING:
    from metamapping.training.learner import Learner


class Steps(NamedTuple):
    """What a replica does, for each learner compiled anew.

    ``update(learner, batch)`` → loss: one batch's whole step. ``differentiate(learner, batch)`` →
    loss and gradients. ``apply(learner, gradients, loss)`` → loss, from the batches' means.
    """

    update: Callable[[Learner, Tensors], tf.Tensor]
    differentiate: Callable[[Learner, Tensors], tuple[tf.Tensor, list[tf.Tensor]]]
    apply: Callable[[Learner, list[tf.Tensor], tf.Tensor], tf.Tensor]
    jit_compile: bool


@functools.cache
def strategy_of(devices: DevicesName) -> tf.distribute.Strategy:
    """The strategy of ``training.devices``; ``multi-worker`` reads TF_CONFIG and waits for all workers.

    It must be the first thing that TensorFlow is asked for where there are several workers.
    """
    if devices == "multi-worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if devices == "mirrored":
        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in found])
    return tf.distribute.get_strategy()


class Replicas:
    """A learner and its copies on this process's other devices, which take every step together."""

    def __init__(self, learner: Learner, strategy: tf.distribute.Strategy, steps: Steps) -> None:
        self.strategy = strategy
        self.learner = learner
        self.num_replicas = int(strategy.num_replicas_in_sync)
        names = list(strategy.extended.worker_devices) if self.num_replicas > 1 else [""]
        resolver = strategy.cluster_resolver
        worker = int(resolver.task_id or 0) if resolver is not None and resolver.task_type else 0
        self._first = worker * len(names)
        self._replicas = [_Replica(learner, names[0], steps)]
        for name in names[1:]:
            with tf.device(name):
                self._replicas.append(_Replica(learner.copy(), name, steps))
        self._threads = ThreadPoolExecutor(len(names))
        self._reduce = tf.function(self._reduced)

    @property
    def learners(self) -> list[Learner]:
        """This process's copies; the first is the one that was given."""
        return [replica.learner for replica in self._replicas]

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self._first == 0

    def equalise(self) -> None:
        """Give every copy the values that the first learner has."""
        for other in self.learners[1:]:
            for source, target in zip(self.learner.variables, other.variables, strict=True):
                target.assign(source.numpy())

    def share_of(self, num_batches: int) -> list[int]:
        """The numbers of a step's batches that this process computes. Raises ``ConfigError``."""
        if num_batches < self.num_replicas:
            raise ConfigError(
                f"training.num_batches is {num_batches}, but {self.num_replicas} devices share them: "
                f"set it to {self.num_replicas} or a multiple, or take fewer devices"
            )
        mine = range(self._first, self._first + len(self._replicas))
        return [i for i in range(num_batches) if i % self.num_replicas in mine]

    def update(self, batches: Mapping[int, Mapping[str, np.ndarray]], num_batches: int) -> np.ndarray:
        """One meta-step on the mean gradient of all replicas' batches; the loss of each, ``(num_batches,)``.

        ``batches``: those of ``share_of``, by their numbers. NaN where nothing could be learned.
        """
        if self.num_replicas == num_batches == 1:
            return np.asarray([self._replicas[0].update(batches[0])])
        shares: list[dict[int, Mapping[str, np.ndarray]]] = [{} for _ in self._replicas]
        for i, batch in batches.items():
            shares[i % self.num_replicas - self._first][i] = batch
        sums = list(self._threads.map(lambda r, share: r.sum(share, num_batches), self._replicas, shares))
        if self.num_replicas > 1:
            sums = self._all_reduce(sums)
        applied = list(self._threads.map(lambda r, total: r.apply(total), self._replicas, sums))
        losses: np.ndarray = sums[0][0].numpy()
        is_lost = np.isfinite(losses).all() and not np.isfinite(applied[0])
        return np.full_like(losses, np.nan) if is_lost else losses

    def check_together(self, step: int) -> None:
        """Refuse to go on where processes start from different steps. Raises ``RuntimeError``."""
        if self.num_replicas == 1:
            return
        value = tf.constant([step, step * step], tf.float32)
        mean, square = self._all_reduce([[value] for _ in self._replicas])[0][0].numpy() / self.num_replicas
        if mean != step or square != mean * mean:
            raise RuntimeError(
                f"this worker starts from step {step}, others from elsewhere (mean {mean:g}): all need "
                "the same `home`; start every worker again"
            )

    def _all_reduce(self, sums: Sequence[list[tf.Tensor]]) -> list[list[tf.Tensor]]:
        """The sum over all replicas of all processes, on each of this process's."""
        local = iter(sums)
        distributed = self.strategy.experimental_distribute_values_from_function(lambda _: next(local))
        reduced = self._reduce(distributed)
        results = [self.strategy.experimental_local_results(each) for each in reduced]
        return [[each[i] for each in results] for i in range(len(sums))]

    def _reduced(self, distributed: list[tf.Tensor]) -> list[tf.Tensor]:
        def all_reduce(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
            context = tf.distribute.get_replica_context()
            # A worker's only device is found by where its tensors stand, which arguments do not say.
            here = [tf.identity(each) for each in tensors]
            reduced: list[tf.Tensor] = context.all_reduce(tf.distribute.ReduceOp.SUM, here)
            return reduced

        summed: list[tf.Tensor] = self.strategy.run(all_reduce, args=(distributed,))
        return summed


class _Replica:
    """One device with its learner and what is compiled for it."""

    def __init__(self, learner: Learner, device: str, steps: Steps) -> None:
        self.learner = learner
        self._device = device
        # XLA compiles anew for every shape: it gets all texts as they were padded, to one of a few lengths.
        self._without = {"group_ends"} if steps.jit_compile else set()

        def apply(losses: tf.Tensor, *sums: tf.Tensor) -> tf.Tensor:
            count = tf.cast(tf.size(losses), tf.float32)
            return steps.apply(learner, [each / count for each in sums], tf.reduce_mean(losses))

        compiled = functools.partial(
            tf.function,
            jit_compile=steps.jit_compile,
            reduce_retracing=not steps.jit_compile,
            autograph=False,  # there is no Python loop over tensors to translate, and translating takes long
        )
        self._update = compiled(functools.partial(steps.update, learner))
        self._differentiate = compiled(functools.partial(steps.differentiate, learner))
        self._add = tf.function(lambda left, right: [a + b for a, b in zip(left, right, strict=True)])
        self._apply = compiled(apply)

    def update(self, batch: Mapping[str, np.ndarray]) -> float:
        return float(self._update(self._tensors(batch)))

    def sum(self, batches: Mapping[int, Mapping[str, np.ndarray]], num_batches: int) -> list[tf.Tensor]:
        """The losses ``(num_batches,)``, zero where others compute them, and the summed gradients."""
        losses, sums = np.zeros(num_batches, np.float32), None
        with tf.device(self._device):
            for i, batch in batches.items():
                loss, gradients = self._differentiate(self._tensors(batch))
                sums = gradients if sums is None else self._add(sums, gradients)
                losses[i] = float(loss)
            assert sums is not None
            return [tf.constant(losses), *sums]

    def apply(self, sums: list[tf.Tensor]) -> float:
        """The step along the mean of all gradients; its mean loss, NaN where it could not be taken."""
        with tf.device(self._device):
            return float(self._apply(*sums))

    def _tensors(self, batch: Mapping[str, np.ndarray]) -> Tensors:
        return {key: tf.constant(value) for key, value in batch.items() if key not in self._without}


def replicas_of(learner: Learner, training: TrainingSpec) -> Replicas:
    """What takes this learner's meta-steps on the devices that ``training`` says."""
    return _replicas(learner, training.devices, training.max_gradient_norm, training.jit_compile)


@functools.lru_cache(maxsize=1)
def _replicas(learner: Learner, devices: DevicesName, max_norm: float, jit_compile: bool) -> Replicas:
    # Rounds of one process share what is compiled.
    steps = Steps(
        update=functools.partial(update_weights, max_norm=max_norm),
        differentiate=differentiate,
        apply=functools.partial(apply_gradients, max_norm=max_norm),
        jit_compile=jit_compile,
    )
    return Replicas(learner, strategy_of(devices), steps)
