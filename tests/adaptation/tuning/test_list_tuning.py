"""Tuning to tasks of several labels a text, on a BERT of three layers."""

import json

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation.multi_label.multi_label_mapping import MultiLabelMapping
from metamapping.adaptation.tuning import tuning, tuning_steps
from metamapping.adaptation.tuning.list_tuning import judged_list_folds, list_evidence, with_list_features
from metamapping.adaptation.tuning.retuning import tune_mapping
from metamapping.adaptation.tuning.tuning_gate import choose
from metamapping.models.weight_delta import WeightDelta
from metamapping.sklearn import MetaMappingClassifier
from tests.adaptation.tuning.toy_tuning import ToySteps
from tests.cli.command import run_cli

TEXTS = [
    "where is my parcel",
    "my parcel has not arrived today",
    "the delivery is late again",
    "nobody answers about the delivery now",
    "i want my money back",
    "please refund the order today",
    "refund the broken lamp now",
    "i sent the lamp back",
    "good morning",
    "anna lives in paris",
]
DELIVERY, REFUND, BOTH = ["delivery"], ["refund"], ["delivery", "refund"]
LISTS = [DELIVERY, BOTH, DELIVERY, BOTH, REFUND, REFUND, BOTH, REFUND, [], []]


@pytest.fixture(scope="module")
def tuned(mapper, always_tuned_in_module):
    return mapper.adapt(TEXTS, LISTS, tune=True)


def reloaded(mapping, mapper, folder):
    mapping.save(folder)
    return Mapping.load(folder, mapper)


def test_a_task_of_several_labels_is_tuned(mapper, tuned):
    assert isinstance(tuned, MultiLabelMapping)
    assert tuned.tuning.is_tuned
    assert tuned.tuning.steps == tuning_steps.STEPS
    assert tuned.tuning.num_left_out == len(TEXTS)
    closed = mapper.adapt(TEXTS, LISTS)
    assert closed.tuning is None
    assert np.abs(closed.predict_proba(TEXTS) - tuned.predict_proba(TEXTS)).max() > 1e-3


def test_cross_validation_says_that_the_encoder_knows_the_examples(mapper, tuned):
    (note,) = tuned.cross_validate().notes
    assert "the encoder was tuned to these examples" in note
    assert note in repr(tuned.cross_validate())
    assert mapper.adapt(TEXTS, LISTS).cross_validate().notes == []


def test_the_same_examples_give_the_same_bits(mapper, tuned):
    again = mapper.adapt(TEXTS, LISTS, tune=True)
    assert again.tuning.likelihood_after == tuned.tuning.likelihood_after
    np.testing.assert_array_equal(again.predict_proba(TEXTS), tuned.predict_proba(TEXTS))
    assert again.thresholds == tuned.thresholds


def test_the_encoder_and_its_other_tasks_are_as_before_to_the_bit(mapper, tuned):
    fresh = MetaMapper.from_pretrained(mapper.featurizer.model.tokenizer_folder, progress=False)
    np.testing.assert_array_equal(fresh.featurizer.texts(TEXTS), mapper.featurizer.texts(TEXTS))
    assert np.abs(tuned.featurizer.texts(TEXTS) - mapper.featurizer.texts(TEXTS)).max() > 1e-3


def test_a_saved_task_answers_the_same_on_both_backends(mapper, tuned, folder, tmp_path):
    loaded = reloaded(tuned, mapper, tmp_path / "task")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), tuned.predict_proba(TEXTS))
    assert (loaded.thresholds, loaded.tuning) == (tuned.thresholds, tuned.tuning)
    on_tensorflow = Mapping.load(tmp_path / "task", backend="tensorflow")
    np.testing.assert_allclose(on_tensorflow.predict_proba(TEXTS), tuned.predict_proba(TEXTS), atol=1e-4)
    assert loaded.explain(TEXTS[0], label="delivery")[0].text == TEXTS[0]


def test_examples_and_labels_come_and_go_and_decisions_stay(mapper, tuned, tmp_path):
    mapping = reloaded(tuned, mapper, tmp_path / "task")
    mapping.remove([3])
    mapping.add([TEXTS[3]], [LISTS[3]])
    np.testing.assert_allclose(mapping.predict_proba(TEXTS), tuned.predict_proba(TEXTS), atol=1e-4)
    mapping.add(["bob lives in rome"], [["places"]])
    kept = {label: mapping.thresholds[label] for label in tuned.labels}
    assert kept == tuned.thresholds
    assert mapping.thresholds["places"] == pytest.approx(np.median(list(kept.values())))
    mapping.remove(label="refund")
    assert mapping.thresholds["delivery"] == kept["delivery"]
    assert mapping.tuning == tuned.tuning


def test_a_task_is_tuned_from_the_examples_that_it_keeps(mapper, tuned, tmp_path):
    again = tune_mapping(reloaded(tuned, mapper, tmp_path / "task"), mapper)
    assert isinstance(again, MultiLabelMapping)
    np.testing.assert_allclose(again.predict_proba(TEXTS), tuned.predict_proba(TEXTS), atol=1e-4)
    first = tune_mapping(mapper.adapt(TEXTS, LISTS), mapper, seconds=1e-6)
    assert (first.tuning.steps, type(first)) == (1, MultiLabelMapping)


@pytest.mark.parametrize("when", [2, 3 * tuning_steps.STEPS + 6, 3 * tuning_steps.STEPS + 2])
def test_an_interruption_keeps_the_best_so_far(mapper, always_tuned_in_module, when):
    def stop(steps, steps_in_all):
        if steps == when:
            raise KeyboardInterrupt

    closed = mapper.adapt(TEXTS, LISTS)
    _, state = tuning.tune_task(mapper.featurizer, closed.state, seconds=None, on_step=stop)
    assert "interrupted" in state.tuning.reason
    assert state.tuning.is_tuned == (when == 3 * tuning_steps.STEPS + 6)
    is_same = (state.decisions.offsets == closed.state.decisions.offsets).all()
    assert is_same != state.tuning.is_tuned


def test_pairs_can_be_tuned(mapper):
    mapping = mapper.adapt(TEXTS, LISTS, text_pairs=TEXTS[::-1], tune=1e-6)
    assert mapping.tuning.num_left_out == len(TEXTS)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(0, 3), slice(4, 6)])
def test_too_few_examples_are_left_as_they_are(mapper, rows):
    record = mapper.adapt(TEXTS[rows], LISTS[rows], tune=True, multi_label=True).tuning
    assert (record.is_tuned, record.steps) == (False, 0)
    assert "a label that three texts have and others have not" in record.reason


def test_more_examples_than_teach_the_layers_anything_are_left_out_of_the_steps(mapper, monkeypatch):
    monkeypatch.setattr(tuning, "MAX_EXAMPLES", 6)
    mapping = mapper.adapt(TEXTS, LISTS, tune=1e-6)
    assert (mapping.tuning.num_left_out, mapping.num_examples) == (6, len(TEXTS))


def test_a_classifier_tunes_to_an_indicator_matrix(mapper, tmp_path):
    matrix = np.array([[label in row for label in BOTH] for row in LISTS], int)
    classifier = MetaMappingClassifier(mapper, tune=1e-6).fit(TEXTS, matrix)
    assert classifier.mapping_.tuning.steps == 1
    classifier.save(tmp_path / "classifier")
    loaded = MetaMappingClassifier.load(tmp_path / "classifier", mapper)
    assert loaded.get_params()["tune"] == 1e-6
    np.testing.assert_array_equal(loaded.predict(TEXTS), classifier.predict(TEXTS))


def test_the_command_line_tunes(folder, tmp_path, capsys):
    rows = [json.dumps({"text": text, "label": row}) for text, row in zip(TEXTS, LISTS, strict=True)]
    (tmp_path / "examples.jsonl").write_text("\n".join(rows))
    arguments = ("adapt", folder, tmp_path / "examples.jsonl", "--out", tmp_path / "task")
    assert run_cli(*arguments, "--tune-seconds", "0.001") == 0
    assert "10 left-out examples, 3 layers, 1 steps" in capsys.readouterr().err
    assert Mapping.load(tmp_path / "task").is_multi_label


@pytest.mark.parametrize("is_tuned_better", [True, False])
def test_the_gate_leaves_a_task_as_it_is_that_tuning_harms(mapper, is_tuned_better):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (30, 2))
    noise = rng.normal(size=(30, mapper.featurizer.text_dim)).astype("f4")
    clear = 0.3 * noise
    clear[:, :2] += 6.0 * targets - 3.0
    noise, clear = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (noise, clear))
    features = (noise, clear) if is_tuned_better else (clear, noise)
    lists = [[label for label, has in zip(BOTH, row, strict=True) if has] for row in targets]
    state = mapper.adapt([f"{TEXTS[0]} {i}" for i in range(30)], lists, multi_label=True).state
    state = with_list_features(mapper.featurizer, state, features[0], state.name_features)
    steps = ToySteps(*features, state.name_features)
    evidence = list_evidence(mapper.featurizer, state, steps, judged_list_folds(state))
    assert len(evidence.before) == 30
    assert (choose(evidence).weight > 0) == is_tuned_better
    assert evidence.chance < 0


def test_what_a_task_keeps_is_small(tuned):
    assert isinstance(tuned.featurizer.delta, WeightDelta)
    arrays = tuned.featurizer.delta.to_arrays()
    assert sum(array.nbytes for array in arrays.values()) < 5_000_000
