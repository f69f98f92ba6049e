"""Draws: pools of a source, nested supports, disjoint queries, and sources that training has not seen."""

import json

import pytest

from benchmarks.draws import MOST_LABELS, draw, read_pools, unseen_sources
from metamapping.config.loading import parse_config
from metamapping.config.sources import Source


def write(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return str(path)


def source_of(*files, name="toy", **settings):
    return Source(name=name, task_type="text-classification", role="test", files=list(files), **settings)


@pytest.fixture
def toy(tmp_path):
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(100)]
    return source_of(write(tmp_path / "toy.jsonl", rows), label_names={"a": "first"})


def test_supports_are_nested_and_hold_the_same_number_of_each_label(toy):
    pools = read_pools(toy, max_shots=8, num_draws=3)
    few, _ = draw(pools, 1, shots=2)
    many, _ = draw(pools, 1, shots=8)
    assert [row.label for row in many] == ["a"] * 8 + ["b"] * 8
    assert set(few) < set(many)
    assert len(few) == 4


def test_supports_of_many_examples_are_whole(tmp_path):
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(600)]
    pools = read_pools(source_of(write(tmp_path / "toy.jsonl", rows)), max_shots=130, num_draws=2)
    assert len(draw(pools, 0, shots=130)[0]) == 260


def test_queries_are_in_no_support_and_in_one_draw(toy):
    pools = read_pools(toy, max_shots=8, num_draws=3)
    support = {row for pool in pools.support.values() for row in pool}
    queries = [row for number in range(3) for row in draw(pools, number, shots=1)[1]]
    assert len(set(queries)) == len(queries) == 50
    assert not support & set(queries)


def test_draws_differ_and_are_the_same_each_time(toy):
    one, other = (read_pools(toy, max_shots=8, num_draws=3) for _ in range(2))
    assert draw(one, 0, shots=8) == draw(other, 0, shots=8)
    assert draw(one, 0, shots=8)[0] != draw(one, 1, shots=8)[0]


def test_labels_have_readable_names(toy):
    assert read_pools(toy, max_shots=8, num_draws=3).names == {"a": "first", "b": "b"}


def test_queries_come_from_the_test_file_without_texts_of_the_train_file(tmp_path):
    train = write(tmp_path / "train.jsonl", [(f"train {i}", "ab"[i % 2]) for i in range(20)])
    test = write(tmp_path / "test.jsonl", [("TRAIN 0", "a"), ("new", "a"), ("new", "a"), ("other", "c")])
    pools = read_pools(source_of(train, test), max_shots=4, num_draws=1)
    assert [row.text for row in pools.queries[0]] == ["new"]


def test_labels_without_enough_examples_are_left_out(tmp_path):
    rows = [(f"text {i}", "abc"[i % 2 if i < 40 else 2]) for i in range(44)]
    pools = read_pools(source_of(write(tmp_path / "toy.jsonl", rows)), max_shots=8, num_draws=1)
    assert list(pools.names) == ["a", "b"]


def test_too_few_examples_are_refused_by_the_sources_name(toy):
    with pytest.raises(ValueError, match=r"source 'toy' has 0 labels with 99 examples.*lower the number"):
        read_pools(toy, max_shots=99, num_draws=1)


def test_of_very_many_labels_a_selection_is_kept(tmp_path):
    rows = [(f"text {i}", f"label {i % 50}") for i in range(400)]
    pools = read_pools(source_of(write(tmp_path / "toy.jsonl", rows)), max_shots=2, num_draws=1)
    assert len(pools.names) == MOST_LABELS
    assert {row.label for row in pools.queries[0]} <= set(pools.names)


def test_parts_of_a_data_set_that_was_trained_on_are_seen(tmp_path):
    def config(**files):
        sources = [
            {
                "name": name,
                "task_type": "text-classification",
                "role": role,
                "files": write(tmp_path / file, []),
            }
            for name, (file, role) in files.items()
        ]
        return parse_config({"name": "toy", "sources": sources, "encoder": {"scratch": {}}})

    others = {"x": ("x.jsonl", "train"), "y": ("y.jsonl", "validation")}
    benchmark = config(**others, books=("books.t4.jsonl", "test"), hate=("hate/test.jsonl", "test"))
    for file, expected in {
        "books.t2.jsonl": ["hate"],
        "hate/train.jsonl": ["books"],
        "irony/train.jsonl": ["books", "hate"],
    }.items():
        trained_on = config(seen=(file, "train"), v=("v.jsonl", "validation"), w=("w.jsonl", "test"))
        assert [source.name for source in unseen_sources(benchmark, trained_on)] == expected
