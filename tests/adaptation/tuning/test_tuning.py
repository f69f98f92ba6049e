"""Tuning an encoder to a task: the steps, the record, and what ends them."""

import numpy as np
import pytest

from metamapping import Mapping
from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.state import empty_state
from metamapping.adaptation.state_changes import with_examples
from metamapping.adaptation.tuning import tuning, tuning_steps
from metamapping.adaptation.tuning.retuning import check_can_retune, tune_mapping
from metamapping.adaptation.tuning.tuning import StopTuningError, tune_task
from metamapping.sklearn import MetaMappingClassifier
from metamapping.tuning import steps
from tests.adaptation.tuning.toy_tuning import LABELS, TEXTS, change_of, tuned_mapping
from tests.cli.command import run_cli


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


@pytest.mark.usefixtures("always_tuned")
def test_many_labels_draw_texts_of_one_label_together(mapper, monkeypatch):
    monkeypatch.setattr(steps, "FEW_LABELS", 1)
    tuned = mapper.adapt(TEXTS, LABELS, tune=True).featurizer
    is_same = np.equal.outer(LABELS, LABELS)
    vectors = [each.texts(TEXTS)[:, : mapper.featurizer.dim] for each in (mapper.featurizer, tuned)]
    plain, drawn = ((x @ x.T)[is_same].mean() - (x @ x.T)[~is_same].mean() for x in vectors)
    assert drawn > plain


def test_pairs_can_be_tuned(mapper):
    mapping = mapper.adapt(TEXTS, LABELS, text_pairs=TEXTS[::-1], tune=1e-6)
    assert mapping.tuning.num_left_out == len(TEXTS)
    assert len(mapping.predict(TEXTS[:1], text_pairs=TEXTS[:1])) == 1


@pytest.mark.usefixtures("always_tuned")
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
    record = mapper.adapt(TEXTS, LABELS, tune=True).tuning
    assert taken[-1] == (when, 4 * tuning_steps.STEPS)
    assert "interrupted" in record.reason
    # Only from half of the last steps on are the weights close enough to those that were judged.
    assert record.is_tuned == (when == 3 * tuning_steps.STEPS + 6)


def test_too_few_examples_are_left_as_they_are(mapper):
    for rows in (slice(3, 5), slice(2, 6)):
        record = mapper.adapt(TEXTS[rows], LABELS[rows], tune=True).tuning
        assert (record.is_tuned, record.steps) == (False, 0)
        assert "two labels with three different examples each" in record.reason


def test_what_cannot_be_tuned_is_refused(mapper):
    for tune in (0, -1.0, "30", float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a number of seconds above 0"):
            mapper.adapt(TEXTS, LABELS, tune=tune)


def test_a_missing_tensorflow_is_named(mapper, monkeypatch):
    import sys

    from metamapping.errors import MissingExtraError

    monkeypatch.delitem(sys.modules, "metamapping.adaptation.tuning.tuning_steps", raising=False)
    monkeypatch.delitem(sys.modules, "metamapping.tuning.steps", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtraError, match=r"tuning an encoder to a task needs tensorflow.*\[train\]"):
        mapper.adapt(TEXTS, LABELS, tune=True)


def test_a_seed_changes_the_splits(mapper):
    state = with_examples(
        mapper.featurizer,
        empty_state(mapper.featurizer, "text-classification"),
        Examples(TEXTS, LABELS, None),
        {},
    )
    records = [tune_task(mapper.featurizer, state, seconds=None, seed=seed)[1].tuning for seed in (0, 1)]
    assert records[0].likelihood_after != records[1].likelihood_after


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


@pytest.mark.usefixtures("always_tuned")
def test_a_function_that_stops_the_steps_keeps_the_best_so_far(mapper):
    def stop(done, in_all):
        if done == in_all:
            raise StopTuningError

    tuned = tune_mapping(mapper.adapt(TEXTS, LABELS), mapper, on_step=stop)
    assert tuned.tuning.is_tuned
    assert "the last steps were interrupted" in tuned.tuning.reason


@pytest.mark.usefixtures("always_tuned")
@pytest.mark.parametrize("run", [0, 3])
def test_a_loss_that_is_not_finite_leaves_the_task_as_it_is(mapper, monkeypatch, run):
    take, taken = tuning_steps.tuned_weights, []

    def failing(*arguments):
        taken.append(arguments)
        if len(taken) == run + 1:
            raise FloatingPointError("the loss of a step of tuning is nan")
        return take(*arguments)

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
