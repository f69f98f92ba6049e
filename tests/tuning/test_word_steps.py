import numpy as np
import pytest
import tensorflow as tf

from metamapping.adaptation.algebra.closed_form import solve
from metamapping.adaptation.algebra.support import Support
from metamapping.models.mapping import MetaMapping
from metamapping.tuning import word_steps
from metamapping.tuning.word_steps import sample_sentences, sample_word_supports, word_loss

DIM = 4


def test_a_step_reads_all_sentences_of_a_small_task():
    rng = np.random.default_rng(0)
    assert sample_sentences(rng, np.array([20, 30, 40])).tolist() == [0, 1, 2]


def test_a_step_reads_few_sentences_of_a_large_task_and_always_two(monkeypatch):
    monkeypatch.setattr(word_steps, "MAX_STEP_TOKENS", 100)
    rng = np.random.default_rng(0)
    chosen = [sample_sentences(rng, np.full(50, 30)) for _ in range(20)]
    assert {len(each) for each in chosen} == {3}
    assert len(set(np.concatenate(chosen).tolist())) > 20
    assert len(sample_sentences(rng, np.array([500, 500, 500]))) == 2


def test_supports_are_whole_sentences_with_some_on_either_side():
    lengths = np.array([3, 1, 4, 2])
    supports = sample_word_supports(np.random.default_rng(0), lengths, num_splits=30)
    assert supports.shape == (30, 10)
    ends = np.cumsum(lengths)
    of_sentences = np.stack([each.mean(axis=1) for each in np.split(supports, ends[:-1], axis=1)], axis=1)
    assert np.isin(of_sentences, [0.0, 1.0]).all()
    assert np.isin(of_sentences.sum(axis=1), [1, 2, 3]).all()


@pytest.fixture
def mapping():
    mapping, rng = MetaMapping(DIM, solver="plain-ridge"), np.random.default_rng(1)
    for weight in (mapping.prior_kernel, mapping.prior_bias, mapping.label_map, mapping.outside):
        weight.assign(rng.normal(size=weight.shape).astype("f4"))
    return mapping


def test_the_loss_is_that_of_the_queries_under_the_closed_form_of_the_support(mapping):
    rng = np.random.default_rng(2)
    targets = np.array([0, 0, 1, 2, 0, 1, 0, 2, 0], np.int32)
    features = rng.normal(size=(9, 2 * DIM)).astype("f4")
    types = rng.normal(size=(2, DIM)).astype("f4")
    is_support = np.array([True] * 5 + [False] * 4)
    loss = word_loss(mapping, features, types, targets, is_support[None].astype("f4"))

    support = Support(
        (None,) * 2, None, features[is_support], targets[is_support], np.array([0, 3, 5]), num_views=2
    )
    names = np.concatenate([np.zeros((1, DIM), "f4"), types])
    solution = solve(mapping, names, np.array([True, False, False]), support)
    queries = targets[~is_support]
    logits = float(mapping.inverse_temperature) * solution.scores(features[~is_support])
    log_p = logits[np.arange(4), queries] - np.log(np.exp(logits).sum(axis=1))
    weights = np.bincount(targets)[queries] ** -0.5
    assert float(loss) == pytest.approx(-(weights * log_p).sum() / weights.sum(), rel=1e-3)


def test_gradients_reach_words_and_names(mapping):
    rng = np.random.default_rng(3)
    features, types = (tf.constant(rng.normal(size=each), tf.float32) for each in ((6, 2 * DIM), (2, DIM)))
    targets = tf.constant([0, 1, 2, 0, 1, 2], tf.int32)
    with tf.GradientTape() as tape:
        tape.watch([features, types])
        loss = word_loss(mapping, features, types, targets, tf.constant([[1.0] * 3 + [0.0] * 3]))
    for gradient in tape.gradient(loss, [features, types]):
        assert np.isfinite(gradient).all()
        assert (np.abs(gradient).max(axis=1) > 0).all()
