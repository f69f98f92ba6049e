"""Tuning to tasks with examples out of scope, which change no layer and are read by the tuned ones."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping import Mapping
from metamapping.adaptation.tuning.retuning import check_can_retune, tune_mapping
from tests.adaptation.tuning.toy_tuning import LABELS, TEXTS

OUTSIDE = ["good morning to you", "how old are you", "anna lives in paris"]


def scoped(mapper, **how):
    return mapper.adapt([*TEXTS, *OUTSIDE], [*LABELS, *["oos"] * 3], out_of_scope="oos", **how)


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
