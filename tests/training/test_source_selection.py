from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from metamapping.config.loading import parse_config
from metamapping.config.selection import SelectionSpec
from metamapping.errors import ConfigError
from metamapping.runs.plots import similarity_png
from metamapping.training.source_selection import Candidate, choose_sources, list_sources, selection_markdown
from metamapping.training.source_similarity import (
    SourceProfile,
    direction_similarity,
    label_scatter,
    similarity_table,
    source_similarity,
    text_similarity,
)

DIM = 8


def profile(name: str, *, topic: int, direction: int, seed: int = 0) -> SourceProfile:
    """Features of texts around one axis, with two labels that differ along another axis."""
    rng = np.random.default_rng([topic, direction, seed])
    labels = np.arange(60) % 2
    texts = rng.normal(size=(60, DIM)) * 0.1 + np.eye(DIM)[topic]
    texts += 0.5 * np.eye(DIM)[direction] * (2 * labels[:, None] - 1)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    return SourceProfile(name, texts, label_scatter(texts, labels))


CARS = profile("cars", topic=0, direction=5)
BOOKS = profile("books", topic=1, direction=5)
INTENTS = profile("intents", topic=0, direction=6)


def candidates(names: str, *, targets: str, train: str, ner: str = "") -> list[Candidate]:
    kinds = {name: "ner" if name in ner else "text-classification" for name in names}
    return [Candidate(n, kinds[n], n in train, n in targets) for n in names]


def related(num_sources: int) -> SelectionSpec:
    return SelectionSpec(mode="related", targets=["t"], num_sources=num_sources)


def table(names: str, **pairs: float) -> np.ndarray:
    """A similarity table from pairs of names; all other similarities are 0.1."""
    values = np.full((len(names), len(names)), 0.1)
    np.fill_diagonal(values, 1.0)
    for pair, value in pairs.items():
        i, j = (names.index(letter) for letter in pair)
        values[i, j] = values[j, i] = value
    return values


def test_a_source_has_similarity_one_to_itself():
    assert source_similarity(CARS, CARS) == pytest.approx(1.0)
    values = similarity_table([CARS, BOOKS, INTENTS])
    np.testing.assert_array_equal(values, values.T)
    assert values.min() >= 0
    assert values.max() == 1


def test_sources_with_similar_label_directions_are_similar_whatever_their_texts():
    same, other = (direction_similarity(CARS.scatter, each.scatter) for each in (BOOKS, INTENTS))
    assert same > 0.9
    assert other < 0.1


def test_sources_of_one_topic_have_similar_texts_whatever_their_labels():
    assert text_similarity(CARS.texts, INTENTS.texts) > text_similarity(CARS.texts, BOOKS.texts)


def test_text_similarity_is_one_minus_the_kernel_distance_over_the_mean_kernel():
    a, b = np.eye(3)[:1], np.eye(3)[1:2]
    between = np.exp(-2 / (2 * 0.7**2))
    mmd = 1 + 1 - 2 * between
    assert text_similarity(a, b) == pytest.approx(1 - mmd / 2)


def test_labels_that_separate_nothing_have_no_direction():
    assert direction_similarity(np.zeros((2, 3)), np.eye(2, 3)) == 0.0


def test_the_most_similar_sources_are_chosen():
    chosen = choose_sources(
        candidates("abct", targets="t", train="abc"), table("abct", at=0.9, bt=0.5), related(2)
    )
    assert chosen.chosen == ["a", "b"]


def test_only_one_of_two_nearly_identical_sources_is_chosen():
    near = table("abct", at=0.9, bt=0.89, ab=0.99, ct=0.7)
    assert choose_sources(candidates("abct", targets="t", train="abc"), near, related(2)).chosen == ["a", "c"]


def test_a_source_is_chosen_for_each_task_type_of_the_targets():
    near = table("abcst", at=0.9, bt=0.8, cs=0.2)
    people = candidates("abcst", targets="st", train="abc", ner="cs")
    assert set(choose_sources(people, near, related(2)).chosen) == {"a", "c"}


def test_every_train_source_has_a_reason_and_no_target_is_trained_on():
    selection = choose_sources(
        candidates("abct", targets="t", train="abc"), table("abct", at=0.9), related(1)
    )
    assert sorted(each.source for each in selection.sources) == ["a", "b", "c"]
    assert all(each.why for each in selection.sources)
    assert selection_markdown(selection).count("\n") == 4
    assert similarity_png(selection).startswith(b"\x89PNG")


def test_a_picture_without_similarities_is_rejected():
    with pytest.raises(ValueError, match="no similarities to draw"):
        similarity_png(list_sources([("a", "ner")], ["a"]))


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"mode": "related", "targets": ["t"], "num_sources": 1}, "nothing is chosen on test sources"),
        ({"mode": "related", "targets": ["x"], "num_sources": 1}, "'x', which is not a train or validation"),
        ({"mode": "list", "sources": ["v"]}, "'v', which is not a train source: choose from a, b"),
        ({"mode": "related", "targets": ["v"], "num_sources": 3}, "num_sources is 3: expected 1.* to 2"),
        ({"mode": "related", "targets": ["v"]}, "takes `num_sources` and `targets`"),
        ({"sources": ["a"]}, "'all' takes nothing else"),
    ],
)
def test_an_invalid_selection_is_rejected(tmp_path, selection, message):
    roles = {"a": "train", "b": "train", "v": "validation", "t": "test"}
    for name in roles:
        (tmp_path / f"{name}.csv").write_text("text,label\n")
    sources = [
        {"name": name, "task_type": "text-classification", "role": role, "files": [f"{name}.csv"]}
        for name, role in roles.items()
    ]
    values = {"name": "toy", "sources": sources, "encoder": {"scratch": {}}, "selection": selection}
    with pytest.raises(ConfigError, match=message):
        parse_config(values, folder=tmp_path)


def test_selection_and_curves_do_not_import_tensorflow():
    code = (
        "import sys, metamapping.training.source_selection, metamapping.training.source_similarity;"
        "import metamapping.runs.tensorboard, metamapping.rounds.moves;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
