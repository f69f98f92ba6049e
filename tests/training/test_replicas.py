"""A meta-step follows the mean gradient of its batches, on any number of devices and machines."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from metamapping.errors import ConfigError
from metamapping.training import replicas as replicas_module
from metamapping.training.gradient_agreement import sample_gradient
from metamapping.training.meta_step import apply_gradients, differentiate
from metamapping.training.replicas import Replicas
from tests.toys import TRAINING
from tests.training.test_loop import draw_batch, new_learner, weights

SECONDS = 300


def start(folder, *arguments, **env):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.replicated", str(folder), *arguments],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output


def read(path):
    """The weights of each copy of the learner, and the loss."""
    saved = dict(np.load(path))
    loss = saved.pop("loss")
    copies = {}
    for name, value in saved.items():
        copy, name = name.split("/", 1)
        copies.setdefault(copy, {})[name] = value
    return list(copies.values()), loss


def assert_close(left, right):
    assert set(left) == set(right)
    for name, value in left.items():
        np.testing.assert_allclose(right[name], value, rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.slow
def test_two_devices_take_the_same_step_as_one(tmp_path):
    finish(start(tmp_path, "one", "mirrored", "--num-devices", "2"))
    (one,), loss = read(tmp_path / "one-0.npz")
    (first, second), same = read(tmp_path / "mirrored-0.npz")
    assert same == pytest.approx(loss, rel=1e-5)
    assert_close(one, first)
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def test_a_step_of_several_batches_follows_their_mean_gradient():
    together, by_hand = new_learner(), new_learner()
    batches = [draw_batch(i) for i in range(2)]
    (one, first), (two, second) = (differentiate(by_hand, batch) for batch in batches)
    mean = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    apply_gradients(by_hand, mean, (one + two) / 2, max_norm=TRAINING.max_gradient_norm)
    arrays = {i: {key: value.numpy() for key, value in batch.items()} for i, batch in enumerate(batches)}
    losses, samples = Replicas(together, TRAINING).update(arrays, 2)
    for i, gradients in enumerate((first, second)):
        np.testing.assert_allclose(samples[i], sample_gradient(together, gradients), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(losses, [one, two], rtol=1e-5)
    assert_close(weights(by_hand), weights(together))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_xla_alone_receives_shapes_that_are_fixed_but_do_not_depend_on_the_batch(jit_compile, monkeypatch):
    traced = []

    def update(learner, batch, *, max_norm):
        traced.append({key: value.shape.as_list() for key, value in batch.items()})
        variables = learner.encoder_variables + learner.mapping_variables
        return tf.reduce_mean(batch["support"]), [tf.zeros(v.shape) for v in variables]

    monkeypatch.setattr(replicas_module, "update_weights", update)
    training = TRAINING.model_copy(update={"jit_compile": jit_compile})
    batch = {key: value.numpy() for key, value in draw_batch(0).items()}
    length = batch["token_ids"].shape[1]
    of_texts = batch.keys() & {"token_ids", "segment_ids", "padding_mask", "pool", "word_of"}
    longer = {key: np.pad(batch[key], ((0, 0), (0, 16))) for key in of_texts}
    replicas = Replicas(new_learner(), training)
    for each in (batch, batch | longer):
        replicas.update({0: each}, 1)
    assert batch.keys() - traced[0] == (replicas_module._OF_ANY_GROUPING if jit_compile else set())
    lengths = [shapes["token_ids"][1] for shapes in traced]
    assert lengths == ([length, length + 16] if jit_compile else [None])


def test_fewer_batches_than_devices_are_rejected(tmp_path):
    training = TRAINING.model_copy(update={"num_batches": 1})
    replicas = Replicas(new_learner(), training)
    replicas.num_replicas = 2
    with pytest.raises(ConfigError, match="num_batches is 1, but 2 devices share them: set it to 2"):
        replicas.share_of(1)
