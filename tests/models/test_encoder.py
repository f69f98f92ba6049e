"""The views of texts and words against means written out text by text; and the initial weights."""

import random
from functools import partial
from threading import Event, Thread

import numpy as np
import pytest
import tensorflow as tf

from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.episodes.padding import word_arrays
from metamapping.models.backbones import build_backbone
from metamapping.models.encoder import NUM_VIEWS, NUM_WORD_VIEWS, Encoder

LENGTH = 12
SPEC = EncoderSpec(scratch=ScratchEncoder(num_layers=3, hidden_dim=16, num_heads=2, intermediate_dim=32))


@pytest.fixture(scope="module")
def encoder():
    return Encoder(build_backbone(SPEC, vocabulary_size=50, seed=0))


def batch_of(lengths, pools):
    rng = np.random.default_rng(0)
    mask = (np.arange(LENGTH) < np.asarray(lengths)[:, None]).astype(np.int32)
    pool = np.zeros(mask.shape, np.float32)
    for row, (first, stop) in enumerate(pools):
        pool[row, first:stop] = 1
    return {
        "token_ids": rng.integers(1, 50, mask.shape).astype(np.int32) * mask,
        "segment_ids": (pool > 0).astype(np.int32),
        "padding_mask": mask,
        "pool": pool,
    }


def unit(x):
    return x / np.linalg.norm(x)


def recorded(call, seen, *args, **kwargs):
    seen.append(call(*args, **kwargs))
    return seen[-1]


def states_of(encoder, batch, row, monkeypatch):
    """The states of one text, in the last layer and in the second of three."""
    inputs = {k: batch[k][row : row + 1] for k in encoder.backbone.input}
    last = encoder.backbone(inputs)["sequence_output"][0].numpy()
    layer = encoder.backbone.get_layer("transformer_layer_1")
    with monkeypatch.context() as patch:
        seen, call = [], layer.call
        patch.setattr(layer, "call", partial(recorded, call, seen))
        encoder.backbone(inputs)
    return last, seen[0][0].numpy()


def test_word_views_are_means_of_the_pieces_states_in_the_last_and_the_lower_layer(encoder, monkeypatch):
    lengths = sorted([12, 3, 9, 5] * 4)
    starts = [np.arange(1, length - 1, 2) for length in lengths]  # words of two pieces, and some of one
    batch = batch_of(lengths, [(0, 0)] * 16)
    del batch["pool"]
    batch |= word_arrays(batch["padding_mask"], starts, 60)
    batch["group_ends"] = np.asarray([3, 4, 11, 16], np.int32)
    words = encoder.words({k: tf.constant(v) for k, v in batch.items()}).numpy()
    assert words.shape == (60, NUM_WORD_VIEWS * encoder.dim) == (60, encoder.word_dim)

    item = 0
    for row, (length, balance_words) in enumerate(zip(lengths, starts, strict=True)):
        states = states_of(encoder, batch, row, monkeypatch)
        for start in balance_words:
            stop = min(start + 2, length - 1)
            last, lower = (unit(each[start:stop].mean(axis=0)) for each in states)
            expected = np.concatenate([last, np.sqrt(3.0) * lower])
            np.testing.assert_allclose(words[item], expected, atol=1e-4)
            item += 1
    assert not words[item:].any()


def test_text_views_are_means_of_the_last_layer_the_lower_one_and_its_beginning(encoder, monkeypatch):
    # A text, a short one, the second text of a pair; in groups of different sizes.
    lengths = [12, 3, 9, 5] * 4
    pools = [(0, 12), (0, 3), (4, 9), (0, 5)] * 4
    order = np.argsort(lengths, kind="stable")
    batch = {k: v[order] for k, v in batch_of(lengths, pools).items()}
    batch["group_ends"] = np.asarray([3, 4, 11, 16], np.int32)
    views = encoder.texts({k: tf.constant(v) for k, v in batch.items()}).numpy()
    assert views.shape == (16, NUM_VIEWS * encoder.dim) == (16, encoder.text_dim)

    for row, (first, stop) in enumerate(pools[i] for i in order):
        last, lower = states_of(encoder, batch, row, monkeypatch)
        expected = [
            unit(last[first:stop].mean(axis=0)),
            unit(lower[first:stop].mean(axis=0)),
            unit(lower[first : min(first + 2, stop)].mean(axis=0)),
        ]
        np.testing.assert_allclose(views[row], np.concatenate(expected), atol=1e-4)


def test_names_have_only_the_first_view(encoder):
    batch = batch_of([4, 2], [(0, 4), (0, 2)])
    names = encoder.names(
        {
            "label_token_ids": tf.constant(batch["token_ids"]),
            "label_padding_mask": tf.constant(batch["padding_mask"]),
        }
    )
    batch["segment_ids"][:] = 0
    texts = encoder.texts({k: tf.constant(v) for k, v in batch.items()})
    np.testing.assert_allclose(names, texts[:, : encoder.dim], atol=1e-5)


def test_initial_weights_depend_only_on_the_seed(encoder):
    ended = Event()

    def advance_global_generator():
        while not ended.is_set():
            random.random()

    # Prefect may do so in a thread while a stage builds the encoder.
    other = Thread(target=advance_global_generator)
    other.start()
    again = build_backbone(SPEC, vocabulary_size=50, seed=0)
    ended.set()
    other.join()
    for before, after in zip(encoder.backbone.weights, again.weights, strict=True):
        np.testing.assert_array_equal(before.numpy(), after.numpy(), err_msg=before.path)
    drawn = np.concatenate([w.numpy().ravel() for w in again.weights if w.name in ("kernel", "embeddings")])
    # A normal distribution that is cut off at two standard deviations has 0.88 of its deviation.
    assert np.abs(drawn).max() <= 0.04
    assert drawn.std() == pytest.approx(0.88 * 0.02, rel=0.02)
