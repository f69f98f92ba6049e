"""Tasks of named entities with an encoder of their own, on a BERT of three layers."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping import Mapping
from metamapping.adaptation.state_changes import with_features
from metamapping.adaptation.tuning import tuning, tuning_steps
from metamapping.adaptation.tuning.retuning import tune_mapping
from metamapping.adaptation.tuning.tuning_gate import choose
from metamapping.adaptation.tuning.word_gate import left_out_words, sentence_means, word_counts, word_folds
from metamapping.serving.batching import BatchingFeaturizer
from tests.adaptation.tuning.toy_tuning import ToySteps, change_of

SENTENCES = [
    ["in", "paris"],
    ["anna", "lives", "in", "paris"],
    ["the", "order", "in", "rome"],
    ["anna", "sent", "the", "lamp"],
    ["bob", "wants", "money"],
    ["bob", "in", "rome"],
]
TAGS = [
    ["O", "B-place"],
    ["B-person", "O", "O", "B-place"],
    ["O", "O", "O", "B-place"],
    ["B-person", "O", "O", "O"],
    ["B-person", "O", "O"],
    ["B-person", "O", "B-place"],
]
STEPS = 2  # enough for what is tested, and a quarter of the time


@pytest.fixture
def always_tuned(always_tuned, monkeypatch):
    """The gate chooses all of the change, of a few steps."""
    monkeypatch.setattr(tuning_steps, "STEPS", STEPS)


def adapt(mapper, tune=True, rows=slice(None)):
    return mapper.adapt(SENTENCES[rows], TAGS[rows], task_type="ner", tune=tune)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_tuned_features_of_words_are_the_same_on_both_backends(mapper, on_tensorflow, num_layers):
    change = change_of(on_tensorflow, num_layers)
    long = [["paris", "rome"] * 40, *SENTENCES]
    tuned, offsets = mapper.featurizer.tuned(change).words(long)
    np.testing.assert_allclose(on_tensorflow.featurizer.tuned(change).words(long)[0], tuned, atol=1e-4)
    differences = np.abs(tuned - mapper.featurizer.words(long)[0]).reshape(int(offsets[-1]), 2, -1)
    assert (differences.max(axis=(0, 2)) > 0.01).tolist() == [True, num_layers > 1]


def test_a_server_gives_the_same_tuned_features_of_words(mapper, on_tensorflow):
    change = change_of(on_tensorflow, 3)
    served = BatchingFeaturizer(mapper.featurizer.model, on_batch=lambda count: None)
    expected, _ = mapper.featurizer.tuned(change).words(SENTENCES)
    np.testing.assert_array_equal(served.tuned(change).words(SENTENCES)[0], expected)
    np.testing.assert_array_equal(served.words(SENTENCES)[0], mapper.featurizer.words(SENTENCES)[0])


def test_a_step_reads_the_features_that_the_encoder_gives_also_of_long_texts(mapper, on_tensorflow):
    sentences = [*SENTENCES, ["paris", "rome"] * 40]
    tags = [*TAGS, ["B-place", "O"] * 40]
    state = on_tensorflow.adapt(sentences, tags, task_type="ner").state
    tokens = tuning._tokens(on_tensorflow.featurizer, state)
    assert len(tokens.texts[0]) > len(sentences)  # windows
    budget = tuning_steps.Budget(None, num_folds=4)
    steps = tuning_steps.TuningSteps(
        on_tensorflow.featurizer, state, tokens, budget, lambda done, total: None, seed=0
    )
    features, names = steps.features(steps.start)
    np.testing.assert_allclose(features, state.support.features, atol=2e-3)  # states are kept in float16
    np.testing.assert_allclose(names, state.name_features, atol=2e-3)


def test_a_word_without_tokens_has_zeros_while_tuning(on_tensorflow):
    sentences = [["in", "\u200b", "paris"], *SENTENCES]
    state = on_tensorflow.adapt(sentences, [["O", "O", "B-place"], *TAGS], task_type="ner").state
    tokens = tuning._tokens(on_tensorflow.featurizer, state)
    budget = tuning_steps.Budget(None, num_folds=4)
    steps = tuning_steps.TuningSteps(
        on_tensorflow.featurizer, state, tokens, budget, lambda done, total: None, seed=0
    )
    np.testing.assert_allclose(steps.features(steps.start)[0], state.support.features, atol=2e-3)


def test_the_encoder_is_as_before_to_the_bit(on_tensorflow, always_tuned):
    weights = [weight.numpy() for weight in on_tensorflow.featurizer.model.encoder.backbone.weights]
    assert adapt(on_tensorflow).tuning.is_tuned
    for weight, before in zip(on_tensorflow.featurizer.model.encoder.backbone.weights, weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), before)


def test_the_same_sentences_give_the_same_bits(mapper, always_tuned):
    first, second = (adapt(mapper).state.support.features for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_saved_task_predicts_the_same_after_loading(mapper, on_tensorflow, always_tuned, tmp_path):
    mapping = adapt(mapper)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mapper)
    assert loaded.tuning == mapping.tuning
    assert loaded.predict(SENTENCES) == mapping.predict(SENTENCES)
    for ours, theirs in zip(mapping.predict_proba(SENTENCES), loaded.predict_proba(SENTENCES), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    on_other = Mapping.load(tmp_path / "task", on_tensorflow).predict_proba(SENTENCES)
    for ours, theirs in zip(mapping.predict_proba(SENTENCES), on_other, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_examples_and_types_can_be_added_and_removed(mapper, always_tuned):
    mapping, whole = adapt(mapper), adapt(mapper)
    mapping.remove([5])
    mapping.add(SENTENCES[5:], TAGS[5:])
    for ours, theirs in zip(mapping.predict_proba(SENTENCES), whole.predict_proba(SENTENCES), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    mapping.add([["the", "lamp"]], [["O", "B-thing"]])
    assert mapping.labels[-1] == "thing"
    mapping.remove(label="thing")
    assert mapping.tuning.is_tuned
    assert mapping.cross_validate().is_tuned


def test_a_task_is_tuned_anew_from_the_encoder_as_it_was(mapper, always_tuned):
    mapping = adapt(mapper)
    again = tune_mapping(mapping, mapper)
    np.testing.assert_array_equal(again.state.support.features, mapping.state.support.features)


def test_the_record_speaks_of_words(mapper):
    record = adapt(mapper, tune=1e-6).tuning
    assert (record.num_left_out, record.num_layers) == (6, 3)
    assert "words in left-out sentences" in record.reason


def test_too_few_sentences_are_left_as_they_are(mapper):
    record = adapt(mapper, rows=slice(0, 2)).tuning
    assert (record.is_tuned, record.steps) == (False, 0)
    assert "a type in three different sentences is needed" in record.reason


def test_copies_of_a_sentence_are_left_out_together_and_types_apart(mapper):
    mapping = mapper.adapt([*SENTENCES, SENTENCES[0]], [*TAGS, TAGS[0]], task_type="ner")
    folds = word_folds(mapping.state)
    assert [len(fold.rest) + len(fold.removed) for fold in folds] == [7, 7, 7]
    assert sum((0 in fold.removed) and (6 in fold.removed) for fold in folds) == 1
    assert sorted(np.concatenate([fold.removed for fold in folds]).tolist()) == list(range(7))


def test_the_mean_of_sentences_is_the_weighted_mean_of_words():
    targets = np.array([0, 0, 0, 0, 1])
    weights = word_counts(targets)
    np.testing.assert_allclose(weights, [0.5, 0.5, 0.5, 0.5, 1.0])
    means = sentence_means(np.array([1.0, 1, 1, 1, 4]), weights, np.array([7, 7, 9, 9, 9]))
    assert len(means) == 2
    assert means.mean() == pytest.approx((4 * 0.5 + 4) / 3)


@pytest.mark.parametrize("is_tuned_better", [True, False])
def test_the_gate_leaves_a_task_as_it_is_that_tuning_harms(mapper, is_tuned_better):
    rng = np.random.default_rng(0)
    state = mapper.adapt(SENTENCES * 4, TAGS * 4, task_type="ner").state
    texts = tuple([*text, str(i)] for i, text in enumerate(state.support.texts))  # no copies
    targets = state.support.targets
    noise = rng.normal(size=(len(targets), mapper.featurizer.word_dim)).astype("f4")
    clear = 0.3 * noise
    clear[np.arange(len(targets)), targets] += 5.0
    noise, clear = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (noise, clear))
    features = (noise, clear) if is_tuned_better else (clear, noise)
    state = replace(state, support=replace(state.support, texts=texts))
    state = with_features(mapper.featurizer, state, features[0], np.zeros_like(state.name_features))
    evidence = left_out_words(
        mapper.featurizer, state, ToySteps(*features, state.name_features), word_folds(state)
    )
    assert evidence.before.shape == (24,)
    assert (choose(evidence).weight > 0) == is_tuned_better


@pytest.mark.parametrize("when", [2, 4 * STEPS])
def test_an_interruption_keeps_the_best_so_far(mapper, monkeypatch, always_tuned, when):
    class Interrupting:
        def __enter__(self):
            return self.report

        def __exit__(self, *_):
            return False

        def report(self, done, total):
            if done == when:
                raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "_progress_bar", lambda featurizer: Interrupting())
    record = adapt(mapper).tuning
    assert "interrupted" in record.reason
    assert record.is_tuned == (when > 3 * STEPS)
