"""A task whose ridge regression is mixed with logistic regression: everything a mapping does works on it."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from metamapping import Mapping
from metamapping.errors import StoreError
from tests.adaptation.test_task_folder import rewrite
from tests.toy_published import mapper_with_solver

TEXTS = [
    "where is my parcel",
    "the delivery is late again",
    "i want my money back",
    "please refund the broken lamp",
    "anna lives in paris",
    "the weather in london",
]
LABELS = ["delivery", "delivery", "refund", "refund", "travel", "travel"]
QUERIES = ["where is the order", "my money", "bob works in rome", "the lamp that i sent back"]


@pytest.fixture(scope="module")
def mapper(published):
    return mapper_with_solver(published, "ridge")  # the toy encoder is published with `plain-ridge`


@pytest.fixture
def mapping(mapper):
    return mapper.adapt(TEXTS, LABELS)


@pytest.fixture
def folder(mapping, tmp_path):
    return mapping.save(tmp_path / "task")


def test_the_task_is_a_mixture(mapping, folder):
    assert mapping._state.solution.logistic.share > 0
    assert "logistic_weights" in load_file(folder / "mapping.safetensors")


def test_a_saved_task_predicts_the_same(mapping, mapper, folder):
    loaded = Mapping.load(folder, mapper)
    np.testing.assert_array_equal(loaded.predict_proba(QUERIES), mapping.predict_proba(QUERIES))
    np.testing.assert_array_equal(loaded.confidence(QUERIES), mapping.confidence(QUERIES))
    assert loaded.explain(QUERIES[0]) == mapping.explain(QUERIES[0])


def test_the_shares_of_all_examples_and_the_names_add_up_to_the_score(mapping):
    for query in QUERIES:
        explanation = mapping.explain(query, num_examples=len(TEXTS))
        shares = sum(neighbour.weight for neighbour in explanation)
        assert explanation.prior + shares == pytest.approx(explanation.score, abs=1e-3)


def test_adding_and_removing_examples_equals_adapting_anew(mapping, mapper):
    few = mapper.adapt(TEXTS[:4], LABELS[:4])
    few.add(TEXTS[4:], LABELS[4:])
    np.testing.assert_allclose(few.predict_proba(QUERIES), mapping.predict_proba(QUERIES), atol=1e-3)
    few.remove(label="travel")
    anew = mapper.adapt(TEXTS[:4], LABELS[:4])
    np.testing.assert_allclose(few.predict_proba(QUERIES), anew.predict_proba(QUERIES), atol=1e-3)


def test_a_task_of_format_version_3_predicts_by_its_ridge_regression(folder, mapper, mapping):
    def older(task):
        return {key: value for key, value in task.items() if key != "logistic"} | {"format_version": 3}

    rewrite(folder, "task.json", older)
    loaded = Mapping.load(folder, mapper)
    solution, features = loaded._state.solution, loaded._state.support.features
    assert solution.logistic is None
    np.testing.assert_array_equal(solution.scores(features), mapping._state.solution.solver_scores(features))


def test_logistic_weights_of_other_shapes_are_rejected(folder, mapper):
    name = "logistic_weights"
    rewrite(folder, "mapping.safetensors", lambda arrays: arrays | {name: arrays[name][1:]})
    with pytest.raises(StoreError, match="its logistic weights do not fit the rest"):
        Mapping.load(folder, mapper)


def test_a_missing_logistic_part_is_told(folder, mapper):
    rewrite(
        folder,
        "mapping.safetensors",
        lambda arrays: {name: array for name, array in arrays.items() if name != "logistic_weights"},
    )
    with pytest.raises(StoreError, match="logistic_weights"):
        Mapping.load(folder, mapper)
