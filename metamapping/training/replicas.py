"""Replicas: the batches of a meta-step shared among the devices of one machine or of several.

Each device holds a copy of the learner and sums the gradients of its share of the batches. The sums of
all devices go through ``tf.distribute``'s all-reduce, and every copy takes the same step. So a step
follows the mean gradient of its batches, and which device computed them changes nothing but rounding.
The variables are not created under the strategy's scope: there, Keras' optimizers would sum the gradients
across devices once more, and only after they are clipped.

    replicas = Replicas(learner, config.training)
    losses, samples = replicas.update({i: build(i) for i in replicas.share_of(num_batches)}, num_batches)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from metamapping.config.training import DevicesName, TrainingSpec
from metamapping.errors import ConfigError
from metamapping.models.encoder import Tensors
from metamapping.training.gradient_agreement import sample_gradient
from metamapping.training.learner import Learner
from metamapping.training.meta_step import apply_gradients, differentiate, update_weights


@functools.cache  # a process can join a cluster only once
def strategy_of(devices: DevicesName) -> tf.distribute.Strategy:
    """Return the ``tf.distribute`` strategy of ``training.devices``.

    ``multi-worker`` reads TF_CONFIG and waits for all workers. It must be requested before the process uses
    TensorFlow for anything else.

    Args:
        devices: The value of ``training.devices``.

    Returns:
        The strategy, the same one in every call of a process.
    """
    if devices == "multi-worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if devices == "mirrored":
        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in found])
    return tf.distribute.get_strategy()


# The arrays of a batch whose second axis is as long as its longest text.
_OF_ANY_LENGTH = {"token_ids", "segment_ids", "padding_mask", "pool", "word_of"}

# Those that say how texts of different lengths go through the encoder.
_OF_ANY_GROUPING = {"group_ends", "packed_starts", "packed_ends", "packed_shapes"}


class Replicas:
    """A learner and its copies on this process's other devices, which take every step together.

    Args:
        learner: The learner to train; it stays on the first device.
        training: Supplies the devices, the maximum norm of a gradient and whether XLA compiles the step.

    Attributes:
        learner: The learner on the first device.
        num_replicas: Number of devices in all processes.
    """

    def __init__(self, learner: Learner, training: TrainingSpec) -> None:
        strategy = self._strategy = strategy_of(training.devices)
        self.learner = learner
        self.num_replicas = int(strategy.num_replicas_in_sync)
        devices = list(strategy.extended.worker_devices) if self.num_replicas > 1 else [""]
        resolver = strategy.cluster_resolver
        worker = int(resolver.task_id or 0) if resolver is not None and resolver.task_type else 0
        self._first = worker * len(devices)
        self._replicas = [_Replica(learner, devices[0], training)]
        for device in devices[1:]:
            with tf.device(device):
                self._replicas.append(_Replica(learner.copy(), device, training))
        self._threads = ThreadPoolExecutor(len(devices))
        self._reduce = tf.function(self._reduced)

    @property
    def learners(self) -> list[Learner]:
        """The learner and its copies in this process."""
        return [replica.learner for replica in self._replicas]

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes checkpoints."""
        return self._first == 0

    def broadcast_variables(self) -> None:
        """Give every copy the values of the first learner's variables."""
        for other in self.learners[1:]:
            for source, target in zip(self.learner.variables, other.variables, strict=True):
                target.assign(source.numpy())

    def share_of(self, num_batches: int) -> list[int]:
        """Return the numbers of a step's batches that this process computes.

        Args:
            num_batches: Number of batches of the step, in all processes.

        Returns:
            Numbers from 0 to ``num_batches - 1``, ascending.

        Raises:
            ConfigError: There are fewer batches than devices.
        """
        if num_batches < self.num_replicas:
            raise ConfigError(
                f"training.num_batches is {num_batches}, but {self.num_replicas} devices share them: "
                f"set it to {self.num_replicas} or a multiple, or use fewer devices"
            )
        mine = range(self._first, self._first + len(self._replicas))
        return [i for i in range(num_batches) if i % self.num_replicas in mine]

    def update(
        self, batches: Mapping[int, Mapping[str, np.ndarray]], num_batches: int
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Take one meta-step along the mean gradient of the batches of all replicas.

        Args:
            batches: This process's share of the batches by number, as returned by ``share_of``.
            num_batches: Number of batches of the step, in all processes.

        Returns:
            The loss of each batch, float32 ``(num_batches,)``, NaN where no step was possible; and, by its
            number, the sampled gradient of each batch of this process (``sample_gradient``).
        """
        if self.num_replicas == num_batches == 1:
            loss, sample = self._replicas[0].update(batches[0])
            return np.asarray([loss]), {0: sample}
        shares: list[dict[int, Mapping[str, np.ndarray]]] = [{} for _ in self._replicas]
        for i, batch in batches.items():
            shares[i % self.num_replicas - self._first][i] = batch
        samples: dict[int, np.ndarray] = {}
        sums = list(
            self._threads.map(lambda r, share: r.sum(share, num_batches, samples), self._replicas, shares)
        )
        if self.num_replicas > 1:
            sums = self._all_reduce(sums)
        applied = list(self._threads.map(lambda r, total: r.apply(total), self._replicas, sums))
        losses: np.ndarray = sums[0][0].numpy()
        is_lost = np.isfinite(losses).all() and not np.isfinite(applied[0])
        return np.full_like(losses, np.nan) if is_lost else losses, samples

    def check_same_step(self, step: int) -> None:
        """Wait for all workers, and check that they have done the same number of steps.

        Args:
            step: Number of steps that this worker has done in the round.

        Raises:
            RuntimeError: Another worker has done another number of steps.
        """
        if self.num_replicas == 1:
            return
        value = tf.constant([step, step * step], tf.float32)
        mean, square = self._all_reduce([[value] for _ in self._replicas])[0][0].numpy() / self.num_replicas
        if mean != step or square != mean * mean:
            raise RuntimeError(
                f"this worker is at step {step}, but others are not (mean {mean:g}): all workers need "
                "the same `home`; start every worker again"
            )

    def _all_reduce(self, sums: Sequence[list[tf.Tensor]]) -> list[list[tf.Tensor]]:
        """The sum over all replicas of all processes, on each of this process's devices."""
        local = iter(sums)
        distributed = self._strategy.experimental_distribute_values_from_function(lambda _: next(local))
        reduced = self._reduce(distributed)
        results = [self._strategy.experimental_local_results(each) for each in reduced]
        return [[each[i] for each in results] for i in range(len(sums))]

    def _reduced(self, distributed: list[tf.Tensor]) -> list[tf.Tensor]:
        def all_reduce(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
            context = tf.distribute.get_replica_context()
            # If a worker has a single device, TensorFlow infers it from the placement of the tensors,
            # which the arguments of a function do not have.
            placed = [tf.identity(each) for each in tensors]
            reduced: list[tf.Tensor] = context.all_reduce(tf.distribute.ReduceOp.SUM, placed)
            return reduced

        summed: list[tf.Tensor] = self._strategy.run(all_reduce, args=(distributed,))
        return summed


class _Replica:
    """One device with its learner and the functions compiled for it."""

    def __init__(self, learner: Learner, device: str, training: TrainingSpec) -> None:
        self.learner = learner
        self._device = device
        max_norm = training.max_gradient_norm
        # XLA compiles again for every new shape. Therefore it gets all texts of a batch padded to one of a
        # few lengths, instead of groups and shared rows whose sizes depend on the batch.
        self._without = _OF_ANY_GROUPING if training.jit_compile else set()

        def apply(losses: tf.Tensor, *sums: tf.Tensor) -> tf.Tensor:
            count = tf.cast(tf.size(losses), tf.float32)
            means = [each / count for each in sums]
            return apply_gradients(learner, means, tf.reduce_mean(losses), max_norm=max_norm)

        compiled = functools.partial(
            tf.function,
            jit_compile=training.jit_compile,
            reduce_retracing=not training.jit_compile,
            autograph=False,  # no Python loop runs over tensors, and translating the code takes long
        )

        def update(batch: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
            loss, gradients = update_weights(learner, batch, max_norm=max_norm)
            return loss, sample_gradient(learner, gradients)

        def differentiated(batch: Tensors) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
            loss, gradients = differentiate(learner, batch)
            return loss, gradients, sample_gradient(learner, gradients)

        self._update = compiled(update)
        self._differentiate = compiled(differentiated)
        self._add = tf.function(lambda left, right: [a + b for a, b in zip(left, right, strict=True)])
        self._apply = compiled(apply)
        self._jit_compile = training.jit_compile
        self._traced: set[tuple[str, ...]] = set()

    def update(self, batch: Mapping[str, np.ndarray]) -> tuple[float, np.ndarray]:
        loss, sample = self._update(self._tensors(batch, self._update))
        return float(loss), sample.numpy()

    def sum(
        self,
        batches: Mapping[int, Mapping[str, np.ndarray]],
        num_batches: int,
        samples: dict[int, np.ndarray],
    ) -> list[tf.Tensor]:
        """The losses ``(num_batches,)``, zero for other devices' batches, then the summed gradients.

        The sampled gradient of each batch is put into ``samples``.
        """
        losses, sums = np.zeros(num_batches, np.float32), None
        with tf.device(self._device):
            for i, batch in batches.items():
                loss, gradients, sample = self._differentiate(self._tensors(batch, self._differentiate))
                samples[i] = sample.numpy()
                sums = gradients if sums is None else self._add(sums, gradients)
                losses[i] = float(loss)
            assert sums is not None
            return [tf.constant(losses), *sums]

    def apply(self, sums: list[tf.Tensor]) -> float:
        """Take the step along the mean gradient; returns the mean loss, NaN where it was not possible."""
        with tf.device(self._device):
            return float(self._apply(*sums))

    def _tensors(self, batch: Mapping[str, np.ndarray], function: Any) -> Tensors:
        """The tensors of a batch for a function, which is traced first if the batch is the first of its kind.

        One trace then serves texts of every length. Otherwise TensorFlow would trace the function for the
        length of the first batch, and again when a second length comes. XLA needs fixed lengths.
        """
        tensors = {key: tf.constant(value) for key, value in batch.items() if key not in self._without}
        kind = (function.name, *sorted(tensors))
        if not self._jit_compile and kind not in self._traced:
            self._traced.add(kind)
            function.get_concrete_function({key: _spec(key, value) for key, value in tensors.items()})
        return tensors


def _spec(key: str, value: tf.Tensor) -> tf.TensorSpec:
    """The shape of an array of a batch, with texts of any length."""
    shape = value.shape.as_list()
    return tf.TensorSpec([shape[0], None, *shape[2:]] if key in _OF_ANY_LENGTH else shape, value.dtype)
