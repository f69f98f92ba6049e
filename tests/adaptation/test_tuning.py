"""Tasks with an encoder of their own, on a BERT of three layers, of which one lies above the lower view."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation import tuning, tuning_gate, tuning_steps
from metamapping.adaptation.retuning import check_can_retune, tune_mapping
from metamapping.adaptation.state import empty_state
from metamapping.adaptation.state_changes import with_examples, with_features, with_labels
from metamapping.adaptation.support import Examples
from metamapping.adaptation.tuning import StopTuningError, tune_task
from metamapping.adaptation.tuning_gains import LEAST_GAIN, PRIORS, WEIGHTS, Prior, expected_gain
from metamapping.adaptation.tuning_gate import Evidence, choose, judge, judged_folds, left_out_evidence
from metamapping.adaptation.tuning_record import Tuning
from metamapping.errors import StoreError
from metamapping.models.weight_delta import WeightDelta
from metamapping.serving.batching import BatchingFeaturizer
from metamapping.sklearn import MetaMappingClassifier
from metamapping.tuning import steps
from tests.cli.command import run_cli

TEXTS = [
    "where is my parcel",
    "my parcel has not arrived",
    "the delivery is late again",
    "nobody answers about the delivery",
    "i want my money back",
    "please refund the order",
    "refund the broken lamp",
    "i sent the lamp back",
]
LABELS = ["delivery"] * 4 + ["refund"] * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tests.toy_published import publish_toy

    making = tmp_path_factory.mktemp("deep")
    publish_toy(making, making / "published", num_layers=3)
    return making / "published"


@pytest.fixture(scope="module")
def mapper(folder):
    return MetaMapper.from_pretrained(folder, progress=False)


@pytest.fixture(scope="module")
def on_tensorflow(mapper):
    """The encoder that tuning computes with, so that its step is compiled once."""
    featurizer = mapper.featurizer
    model = tuning_steps._tensorflow_model(featurizer.model.tokenizer_folder, featurizer.fingerprint)
    return MetaMapper(model, progress=False)


def change_of(on_tensorflow, num_layers):
    """A change of the last layers that is large enough to be seen."""
    rng = np.random.default_rng(0)
    base = on_tensorflow.featurizer.model.encoder.tuned_layers(num_layers).base
    tuned = {name: array + 0.1 * rng.normal(size=array.shape).astype("f4") for name, array in base.items()}
    return WeightDelta.between(base, tuned, rank=4)


@pytest.fixture(scope="module")
def delta(on_tensorflow):
    """A change of all layers."""
    return change_of(on_tensorflow, 3)


def tuned_mapping(mapper, delta, scale_factor=1.0):
    featurizer = mapper.featurizer.tuned(delta)
    record = Tuning(1.0, 16, 2.5, 8, -0.7, -0.6, 0.02, "it helped", scale_factor)
    state = replace(empty_state(featurizer, "text-classification"), tuning=record)
    return Mapping(featurizer, with_examples(featurizer, state, Examples(TEXTS, LABELS, None), {}))


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_change_of_any_number_of_layers_is_the_same_on_both_backends(mapper, on_tensorflow, num_layers):
    change = change_of(on_tensorflow, num_layers)
    plain = mapper.featurizer.texts(TEXTS)
    tuned = mapper.featurizer.tuned(change).texts(TEXTS)
    differences = np.abs(tuned - plain).reshape(len(TEXTS), 3, -1).max(axis=(0, 2))
    # Only from the second layer of three on, the views of the lower states change as well.
    assert (differences > 0.01).tolist() == [True, num_layers > 1, num_layers > 1]
    np.testing.assert_allclose(on_tensorflow.featurizer.tuned(change).texts(TEXTS), tuned, atol=1e-4)


def test_embeddings_cannot_be_changed(mapper, on_tensorflow, delta):
    name = "bert.embeddings.word_embeddings.weight"
    factors = (np.zeros((8, 1), np.float16), np.zeros((1, 8), np.float16))
    other = WeightDelta({**delta.matrices, name: factors}, delta.vectors)
    for each in (mapper, on_tensorflow):
        with pytest.raises(ValueError, match="not those of this encoder"):
            each.featurizer.tuned(other)


def test_the_encoder_and_its_other_tasks_are_as_before_to_the_bit(on_tensorflow, delta):
    encoder = on_tensorflow.featurizer.model.encoder
    weights = [weight.numpy() for weight in encoder.backbone.weights]
    features = on_tensorflow.featurizer.texts(TEXTS)
    tuned_mapping(on_tensorflow, delta).predict(TEXTS)
    on_tensorflow.adapt(TEXTS, LABELS, tune=True).predict(TEXTS)
    for weight, before in zip(encoder.backbone.weights, weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), before)
    np.testing.assert_array_equal(on_tensorflow.featurizer.texts(TEXTS), features)


def test_a_saved_task_predicts_the_same_after_loading(mapper, on_tensorflow, delta, tmp_path):
    mapping = tuned_mapping(mapper, delta)
    before = mapping.predict_proba(TEXTS)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mapper)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), before)
    assert loaded.tuning == mapping.tuning
    assert Mapping.load(tmp_path / "task", on_tensorflow).predict(TEXTS) == mapping.predict(TEXTS)
    loaded.save(tmp_path / "again")
    again = Mapping.load(tmp_path / "again", mapper)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), before)


def test_tasks_of_which_only_the_upper_layers_were_tuned_are_read_as_before(mapper, on_tensorflow, tmp_path):
    """As the first release that tuned has saved them, without the number of layers."""
    mapping = tuned_mapping(mapper, change_of(on_tensorflow, 1))
    mapping.save(tmp_path / "task")
    assert "num_layers" not in json.loads((tmp_path / "task/task.json").read_text())["tuning"]
    for encoder in (mapper, on_tensorflow):
        loaded = Mapping.load(tmp_path / "task", encoder)
        assert loaded.predict(TEXTS) == mapping.predict(TEXTS)
        assert loaded.tuning == mapping.tuning


def test_examples_of_a_tuned_task_can_be_added_and_removed(mapper, delta):
    mapping, whole = tuned_mapping(mapper, delta), tuned_mapping(mapper, delta)
    mapping.remove([7])
    mapping.add([TEXTS[7]], [LABELS[7]])
    np.testing.assert_allclose(mapping.predict_proba(TEXTS), whole.predict_proba(TEXTS), atol=1e-4)
    mapping.add(["anna lives in paris"], ["places"])
    assert mapping.labels == ("delivery", "refund", "places")
    assert mapping.tuning is not None


def test_the_scale_that_left_out_examples_ask_for_is_kept(mapper, delta, tmp_path):
    plain, flat = (tuned_mapping(mapper, delta, factor).predict_proba(TEXTS) for factor in (1.0, 0.2))
    assert (flat.max(axis=1) < plain.max(axis=1)).all()
    mapping = tuned_mapping(mapper, delta, 0.2)
    mapping.remove([7])
    mapping.add([TEXTS[7]], [LABELS[7]])
    np.testing.assert_allclose(mapping.predict_proba(TEXTS), flat, atol=1e-4)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mapper)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), mapping.predict_proba(TEXTS))


def test_a_tuned_task_of_another_encoder_is_refused(mapper, delta, published, tmp_path):
    tuned_mapping(mapper, delta).save(tmp_path / "task")
    with pytest.raises(StoreError, match="was adapted with the encoder"):
        Mapping.load(tmp_path / "task", MetaMapper.from_pretrained(published))


def test_an_exported_tuned_task_computes_the_same(mapper, delta, tmp_path):
    import onnxruntime

    mapping = tuned_mapping(mapper, delta)
    session = onnxruntime.InferenceSession(str(mapping.export(tmp_path / "task.onnx")))
    tokens, segments = mapper.featurizer.text_tokens(TEXTS[:1])
    inputs = {"token_ids": tokens[0], "segment_ids": segments[0], "padding_mask": np.ones_like(tokens[0])}
    (probabilities,) = session.run(None, {name: array[None] for name, array in inputs.items()})
    np.testing.assert_allclose(probabilities, mapping.predict_proba(TEXTS[:1]), atol=1e-4)


def test_the_same_examples_give_the_same_bits(mapper):
    first, second = (mapper.adapt(TEXTS, LABELS, tune=True) for _ in range(2))
    assert first.tuning.likelihood_after == second.tuning.likelihood_after
    np.testing.assert_array_equal(first.predict_proba(TEXTS), second.predict_proba(TEXTS))


def test_the_record_says_what_was_decided(mapper):
    record = mapper.adapt(TEXTS, LABELS, tune=True).tuning
    assert record.steps == tuning_steps.STEPS
    assert record.num_left_out == len(TEXTS)
    assert record.num_layers == 3
    assert record.likelihood_before < 0
    assert "left-out examples" in str(record)
    assert mapper.adapt(TEXTS, LABELS).tuning is None


def test_seconds_limit_the_steps(mapper):
    record = mapper.adapt(TEXTS, LABELS, tune=1e-6).tuning
    assert record.steps == 1


def test_only_the_upper_layers_are_tuned_where_a_step_would_read_much(mapper, monkeypatch):
    monkeypatch.setattr(tuning_steps, "MAX_TOKENS_ALL_LAYERS", 10)
    assert mapper.adapt(TEXTS, LABELS, tune=1e-6).tuning.num_layers == 1


def test_many_labels_draw_texts_of_one_label_together(mapper, monkeypatch):
    monkeypatch.setattr(steps, "FEW_LABELS", 1)
    monkeypatch.setattr(tuning, "choose", _chosen)
    tuned = mapper.adapt(TEXTS, LABELS, tune=True).featurizer
    is_same = np.equal.outer(LABELS, LABELS)
    vectors = [each.texts(TEXTS)[:, : mapper.featurizer.dim] for each in (mapper.featurizer, tuned)]
    plain, drawn = ((x @ x.T)[is_same].mean() - (x @ x.T)[~is_same].mean() for x in vectors)
    assert drawn > plain


def test_pairs_can_be_tuned(mapper):
    mapping = mapper.adapt(TEXTS, LABELS, text_pairs=TEXTS[::-1], tune=1e-6)
    assert mapping.tuning.num_left_out == len(TEXTS)
    assert len(mapping.predict(TEXTS[:1], text_pairs=TEXTS[:1])) == 1


def evidence_of(gains, *, skill=1.0, error=0.02, count=40):
    """Evidence with these mean gains of the shares, and about this standard error."""
    noise = np.random.default_rng(0).normal(size=count)
    noise = error * np.sqrt(count) * (noise - noise.mean()) / noise.std(ddof=1)
    before = np.full(count, -1.0)
    return Evidence(before, before + noise + np.array(gains)[:, None], chance=-1.0 - skill, shots=8.0)


def test_evidence_has_the_gain_the_error_and_the_skill():
    evidence = evidence_of([0.1, 0.3], skill=0.7, error=0.05)
    np.testing.assert_allclose(evidence.gains, [0.1, 0.3])
    np.testing.assert_allclose(evidence.errors, 0.05)
    assert evidence.skill == pytest.approx(0.7)


@pytest.mark.parametrize(("gains", "weight"), [([0.2, 0.5], 1.0), ([0.5, 0.2], 0.5), ([-0.4, -0.6], 0.0)])
def test_clear_evidence_decides(gains, weight):
    choice = choose(evidence_of(gains, skill=0.5))
    assert choice.weight == weight
    assert choice.gain == pytest.approx(gains[int(choice.best_weight == 1.0)])


def test_without_evidence_other_tasks_decide():
    gains, unsure = [-0.01, -0.01], 5.0
    skilled = choose(evidence_of(gains, skill=1.0, error=unsure))
    best = int(np.argmax([prior.mean(1.0, 1.0, 8.0) for prior in PRIORS]))
    assert skilled.weight == WEIGHTS[best]
    assert skilled.expected_gain == pytest.approx(PRIORS[best].mean(1.0, 1.0, 8.0), abs=0.01)
    single = Evidence(np.array([-1.0]), np.array([[-3.0], [-3.0]]), chance=-2.0, shots=2.0)
    assert choose(single).expected_gain == pytest.approx(max(prior.mean(1.0, 1.0, 4.0) for prior in PRIORS))


def test_no_more_is_expected_than_half_of_what_is_missing():
    assert PRIORS[0].mean(1.0, 0.02, 8.0) == 0.01


def test_less_is_expected_with_more_examples_of_each_label():
    prior = Prior(offset=0.04, slope=0.0, shots_slope=-0.03, spread=0.08, mismatch=0.05)
    means = [prior.mean(0.5, 1.0, shots) for shots in (2, 4, 5.6568542, 8, 100)]
    assert means == pytest.approx([0.04, 0.04, 0.025, 0.01, 0.01])


def test_a_gain_that_is_hardly_one_changes_nothing():
    sure = {"skill": 0.0, "error": 1e-6}
    small, large = (choose(evidence_of([gain, gain], **sure)) for gain in (0.01, 0.06))
    assert 0 < small.expected_gain < LEAST_GAIN < large.expected_gain
    assert (small.weight, large.weight > 0) == (0.0, True)


def test_the_expected_gain_is_the_mean_of_the_posterior():
    prior = Prior(offset=0.01, slope=0.1, shots_slope=-0.02, spread=0.08, mismatch=0.05)
    gain, error, skill, shots = -0.03, 0.06, 0.4, 6.0
    x = np.linspace(-2, 2, 40_001)
    log_p = -((x - prior.mean(skill, 1.0, shots)) ** 2) / (2 * prior.spread**2)
    log_p -= (x - gain) ** 2 / (2 * (error**2 + prior.mismatch**2))
    density = np.exp(log_p)
    shown = evidence_of([gain, gain], skill=skill, error=error)
    shown = replace(shown, shots=shots)
    expected = expected_gain(prior, shown, gain=gain, error=error)
    assert expected == pytest.approx((x * density).sum() / density.sum())


def test_logits_that_are_too_large_are_judged_at_the_scale_that_suits_them():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    logits = rng.normal(size=(60, 3))
    logits[np.arange(60), labels] += 1.5
    (log_p, factor), (of_large, factor_of_large) = (judge(each * logits, labels, 1.0) for each in (1, 20))
    assert factor_of_large < factor / 10
    assert abs(of_large.mean() - log_p.mean()) < 0.05


class ToySteps:
    """Weights are a number: at 0 and 1 the features of the texts are those given, between them a mean."""

    start = 0.0

    def __init__(self, untuned, tuned):
        self.untuned, self.tuned = untuned, tuned

    def take(self, fold, rows):
        return 1.0

    def shares(self, weights, shares):
        return [share * weights for share in shares]

    def features(self, weights):
        features = (1 - weights) * self.untuned + weights * self.tuned
        return features, np.zeros((2, features.shape[1] // 3), "f4")


@pytest.mark.parametrize("is_tuned_better", [True, False])
def test_the_gate_leaves_a_task_as_it_is_that_tuning_harms(mapper, is_tuned_better, monkeypatch):
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1], 12)
    noise = rng.normal(size=(24, mapper.featurizer.text_dim)).astype("f4")
    clear = 0.3 * noise
    clear[:, 0] += np.where(targets == 0, 3.0, -3.0)
    noise, clear = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (noise, clear))
    features = (noise, clear) if is_tuned_better else (clear, noise)
    state = with_examples(
        mapper.featurizer,
        empty_state(mapper.featurizer, "text-classification"),
        Examples([TEXTS[0]] * 24, [LABELS[4 * i] for i in targets], None),
        {},
    )
    state = with_features(mapper.featurizer, state, features[0], state.name_features)
    evidence = left_out_evidence(mapper.featurizer, state, ToySteps(*features), judged_folds(state))
    assert len(evidence.before) == 24
    monkeypatch.setattr(tuning_gate, "ENOUGH_LEFT_OUT", 8)
    assert [fold.number for fold in judged_folds(state)] == [0]
    assert (
        len(left_out_evidence(mapper.featurizer, state, ToySteps(*features), judged_folds(state)).before) == 8
    )
    assert (choose(evidence).weight > 0) == is_tuned_better


@pytest.mark.parametrize("when", [2, 3 * tuning_steps.STEPS + 6, 3 * tuning_steps.STEPS + 2])
def test_an_interruption_keeps_the_best_so_far(mapper, monkeypatch, when):
    taken = []

    class Interrupting:
        def __enter__(self):
            return self.report

        def __exit__(self, *_):
            return False

        def report(self, done, total):
            taken.append((done, total))
            if done == when:
                raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "_progress_bar", lambda featurizer: Interrupting())
    monkeypatch.setattr(tuning, "choose", _chosen)
    record = mapper.adapt(TEXTS, LABELS, tune=True).tuning
    assert taken[-1] == (when, 4 * tuning_steps.STEPS)
    assert "interrupted" in record.reason
    # Only from half of the last steps on are the weights close enough to those that were judged.
    assert record.is_tuned == (when == 3 * tuning_steps.STEPS + 6)


def _chosen(evidence):
    return replace(choose(evidence), weight=1.0, best_weight=1.0)


def test_too_few_examples_are_left_as_they_are(mapper):
    for rows in (slice(3, 5), slice(2, 6)):
        record = mapper.adapt(TEXTS[rows], LABELS[rows], tune=True).tuning
        assert (record.is_tuned, record.steps) == (False, 0)
        assert "two labels with three different examples each" in record.reason


def test_labels_of_one_example_do_not_count_as_left_out(mapper, monkeypatch):
    monkeypatch.setattr(tuning_gate, "ENOUGH_LEFT_OUT", 4)
    texts = [*TEXTS, "in june", "in rome", "in paris"]
    state = mapper.adapt(texts, [*LABELS, "time", "place", "city"]).state
    folds = judged_folds(state)
    # The first fold has four examples of labels that have others, and then all three of the others.
    assert [(len(fold.removed), len(fold.left_out)) for fold in folds] == [(7, 4)]
    monkeypatch.setattr(tuning_gate, "ENOUGH_LEFT_OUT", 7)
    assert [len(fold.left_out) for fold in judged_folds(state)] == [4, 2, 2]


def test_an_encoder_of_a_single_layer_can_be_tuned(published):
    featurizer = MetaMapper.from_pretrained(published, backend="tensorflow").featurizer
    change = change_of(MetaMapper(featurizer.model), 1)
    of_runtime = MetaMapper.from_pretrained(published, backend="runtime").featurizer.tuned(change)
    tuned = featurizer.tuned(change).texts(TEXTS, None)
    np.testing.assert_allclose(tuned, of_runtime.texts(TEXTS, None), atol=1e-5)
    assert np.abs(tuned - featurizer.texts(TEXTS, None)).max() > 0.05


def test_what_cannot_be_tuned_is_refused(mapper):
    for tune in (0, -1.0, "30", float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a number of seconds above 0"):
            mapper.adapt(TEXTS, LABELS, tune=tune)


def test_a_missing_tensorflow_is_named(mapper, monkeypatch):
    import sys

    from metamapping.errors import MissingExtraError

    monkeypatch.delitem(sys.modules, "metamapping.adaptation.tuning_steps", raising=False)
    monkeypatch.delitem(sys.modules, "metamapping.tuning.steps", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtraError, match=r"tuning an encoder to a task needs tensorflow.*\[train\]"):
        mapper.adapt(TEXTS, LABELS, tune=True)


def test_all_tuned_tasks_share_one_engine_and_keep_only_their_delta(mapper, delta):
    featurizers = [mapper.featurizer.tuned(delta.scaled(share)) for share in np.linspace(0.1, 1, 20)]
    for featurizer in featurizers:
        featurizer.texts(TEXTS[:1])
    encoders = [featurizer.model.encoder for featurizer in featurizers]
    (shared,) = {id(each): each for each in map(_shared_weights, encoders)}.values()
    assert shared.of.cache_info().currsize <= 4
    assert {id(featurizer._windows) for featurizer in featurizers} == {id(mapper.featurizer._windows)}


def _shared_weights(encoder):
    return encoder.tuned_weights(encoder._names)


def test_a_new_state_has_the_new_features(mapper, delta):
    featurizer = mapper.featurizer.tuned(delta)
    state = with_examples(
        mapper.featurizer,
        empty_state(mapper.featurizer, "text-classification"),
        Examples(TEXTS, LABELS, None),
        {},
    )
    names = featurizer.names(state.names)
    state = with_features(featurizer, state, featurizer.texts(TEXTS), names)
    expected = tuned_mapping(mapper, delta)
    assert Mapping(featurizer, state).predict(TEXTS) == expected.predict(TEXTS)


def test_a_seed_changes_the_splits(mapper):
    state = with_examples(
        mapper.featurizer,
        empty_state(mapper.featurizer, "text-classification"),
        Examples(TEXTS, LABELS, None),
        {},
    )
    records = [tune_task(mapper.featurizer, state, seconds=None, seed=seed)[1].tuning for seed in (0, 1)]
    assert records[0].likelihood_after != records[1].likelihood_after


def test_the_folder_of_a_task_that_was_not_to_be_tuned_is_as_before(mapper, tmp_path):
    mapper.adapt(TEXTS, LABELS).save(tmp_path / "task")
    assert "tuning" not in json.loads((tmp_path / "task/task.json").read_text())


def test_the_command_line_tunes_and_says_what_was_decided(folder, tmp_path, capsys):
    rows = [f"{text},{label}" for text, label in zip(TEXTS, LABELS, strict=True)]
    (tmp_path / "examples.csv").write_text("\n".join(["text,label", *rows]))
    arguments = ("adapt", folder, tmp_path / "examples.csv", "--out", tmp_path / "task")
    assert run_cli(*arguments, "--tune-seconds", "0.001") == 0
    assert "8 left-out examples, 3 layers, 1 steps" in capsys.readouterr().err
    assert Mapping.load(tmp_path / "task").tuning.steps == 1


def test_a_classifier_of_scikit_learn_tunes_and_remembers_that(mapper, tmp_path):
    classifier = MetaMappingClassifier(mapper, tune=0.001).fit(TEXTS, LABELS)
    assert classifier.mapping_.tuning.steps == 1
    classifier.save(tmp_path / "classifier")
    loaded = MetaMappingClassifier.load(tmp_path / "classifier", mapper)
    assert loaded.get_params()["tune"] == 0.001
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), classifier.predict_proba(TEXTS))


def test_cuts_between_grades_are_as_blunt_as_left_out_examples_ask_for(mapper, delta):
    featurizer = mapper.featurizer.tuned(delta)
    cuts = []
    for factor in (1.0, 0.5):
        record = Tuning(1.0, 16, 2.5, 8, -0.7, -0.6, 0.02, "it helped", factor)
        state = replace(empty_state(featurizer, "text-classification"), tuning=record, is_ordinal=True)
        state = with_labels(featurizer, state, list(dict.fromkeys(LABELS)), {})
        cuts.append(with_examples(featurizer, state, Examples(TEXTS, LABELS, None), {}).grade_cuts)
    # How much the cuts count depends on the other probabilities, which the factor changes as well.
    assert cuts[1] == replace(cuts[0], slope=cuts[0].slope * 0.5, share=cuts[1].share)


def test_a_task_is_tuned_as_if_it_had_been_from_the_start(mapper):
    expected = mapper.adapt(TEXTS, LABELS, tune=1e-6)
    mapping, steps = mapper.adapt(TEXTS, LABELS), []
    tuned = tune_mapping(mapping, mapper, seconds=1e-6, on_step=lambda *each: steps.append(each))
    np.testing.assert_array_equal(tuned.predict_proba(TEXTS), expected.predict_proba(TEXTS))
    assert mapping.tuning is None
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))


def test_a_tuned_task_is_tuned_anew_from_the_encoder_as_it_was(mapper, on_tensorflow):
    expected = mapper.adapt(TEXTS, LABELS, tune=1e-6)
    tuned = tune_mapping(tuned_mapping(mapper, change_of(on_tensorflow, 3)), mapper, seconds=1e-6)
    np.testing.assert_allclose(tuned.predict_proba(TEXTS), expected.predict_proba(TEXTS), atol=1e-5)


def test_a_function_that_stops_the_steps_keeps_the_best_so_far(mapper, monkeypatch):
    monkeypatch.setattr(tuning, "choose", _chosen)

    def stop(done, in_all):
        if done == in_all:
            raise StopTuningError

    tuned = tune_mapping(mapper.adapt(TEXTS, LABELS), mapper, on_step=stop)
    assert tuned.tuning.is_tuned
    assert "the last steps were interrupted" in tuned.tuning.reason


@pytest.mark.parametrize("run", [0, 3])
def test_a_loss_that_is_not_finite_leaves_the_task_as_it_is(mapper, monkeypatch, run):
    take, taken = tuning_steps.tuned_weights, []

    def failing(*arguments):
        taken.append(arguments)
        if len(taken) == run + 1:
            raise FloatingPointError("the loss of a step of tuning is nan")
        return take(*arguments)

    monkeypatch.setattr(tuning, "choose", _chosen)
    monkeypatch.setattr(tuning_steps, "tuned_weights", failing)
    mapping = mapper.adapt(TEXTS, LABELS, tune=1e-6)
    assert "the loss of a step of tuning is nan" in mapping.tuning.reason
    assert not mapping.tuning.is_tuned
    expected = mapper.adapt(TEXTS, LABELS).predict_proba(TEXTS)
    np.testing.assert_array_equal(mapping.predict_proba(TEXTS), expected)


def test_a_task_without_its_texts_is_refused(mapper, tmp_path):
    mapper.adapt(TEXTS, LABELS).save(tmp_path / "task", keep_texts=False)
    with pytest.raises(ValueError, match="saved without the texts"):
        check_can_retune(Mapping.load(tmp_path / "task", mapper), mapper)


def test_a_server_encodes_for_tuned_tasks_in_the_thread_of_the_others(mapper, delta):
    sizes = []
    featurizer = BatchingFeaturizer(mapper.featurizer.model, on_batch=sizes.append)
    tuned = featurizer.tuned(delta)
    pairs = ((featurizer, mapper.featurizer), (tuned, mapper.featurizer.tuned(delta)))
    num_threads = sum(thread.name == "encoder" for thread in threading.enumerate())

    def ask(number):
        (asked, alone), texts = pairs[number % 2], [f"parcel {number} is late"]
        return asked.texts(texts), alone.texts(texts)

    with ThreadPoolExecutor(8) as threads:
        for got, want in threads.map(ask, range(32)):
            np.testing.assert_allclose(got, want, atol=1e-5)
    assert sum(thread.name == "encoder" for thread in threading.enumerate()) == num_threads
    sizes.clear()
    with featurizer.caching():
        for asked in (featurizer, tuned, featurizer, tuned):
            asked.texts(["where is it"])
    assert sizes == [1, 1]


OUTSIDE = ["good morning to you", "how old are you", "anna lives in paris"]


def scoped(mapper, **how):
    return mapper.adapt([*TEXTS, *OUTSIDE], [*LABELS, *["oos"] * 3], out_of_scope="oos", **how)


@pytest.fixture
def always_tuned(monkeypatch):
    monkeypatch.setattr(tuning, "choose", lambda evidence: _chosen(evidence))


@pytest.mark.usefixtures("always_tuned")
def test_examples_out_of_scope_change_no_layer_and_are_read_by_the_tuned_ones(mapper):
    mapping, without = scoped(mapper, tune=True), mapper.adapt(TEXTS, LABELS, tune=True)
    assert (mapping.num_examples, mapping.num_out_of_scope) == (8, 3)
    assert mapping.tuning.is_tuned
    np.testing.assert_array_equal(mapping.predict_proba(TEXTS), without.predict_proba(TEXTS))
    outside = mapping.state.outside.support.features
    np.testing.assert_allclose(outside, without.featurizer.texts(OUTSIDE), atol=1e-5)
    assert np.abs(outside - mapper.featurizer.texts(OUTSIDE)).max() > 1e-3


@pytest.mark.usefixtures("always_tuned")
def test_a_saved_tuned_task_answers_texts_out_of_scope_as_before(mapper, tmp_path):
    mapping = scoped(mapper, tune=True)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mapper)
    assert loaded.predict([*TEXTS, *OUTSIDE]) == mapping.predict([*TEXTS, *OUTSIDE])
    assert loaded.find_threshold() == mapping.find_threshold()


@pytest.mark.usefixtures("always_tuned")
def test_a_tuned_task_with_examples_out_of_scope_is_tuned_anew_from_the_encoder_as_it_was(mapper):
    tuned = scoped(mapper, tune=True)
    again, from_closed_form = (tune_mapping(each, mapper) for each in (tuned, scoped(mapper)))
    for other in (again, from_closed_form):
        np.testing.assert_allclose(other.predict_proba(TEXTS), tuned.predict_proba(TEXTS), atol=1e-5)
        assert other.find_threshold() == pytest.approx(tuned.find_threshold(), abs=1e-4)


def test_a_task_without_the_texts_of_its_examples_out_of_scope_is_refused(mapper):
    mapping = scoped(mapper)
    outside = mapping.state.outside
    unknown = replace(outside, support=replace(outside.support, texts=(None,) * 3))
    with pytest.raises(ValueError, match="saved without the texts"):
        check_can_retune(Mapping(mapper.featurizer, replace(mapping.state, outside=unknown)), mapper)
