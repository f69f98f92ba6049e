"""Arrays of label spaces: the same in files as in memory, whatever the batches, and without open files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from metamapping.config.episodes import EpisodeSpec
from metamapping.config.sources import Source
from metamapping.episodes import rows_of_labels
from metamapping.episodes.batches import build_batch
from metamapping.episodes.label_space import build_label_space, label_space_of
from metamapping.episodes.sampler import sample_batch, sample_episodes
from metamapping.episodes.space_arrays import collect_arrays, open_arrays
from metamapping.errors import ConfigError
from tests.toys import token_table, tokenize_names


def text_rows(count=200, labels="dacb"):
    rng = np.random.default_rng(0)
    return [
        (str(label), None, rng.integers(5, 90, rng.integers(0, 9)).tolist(), None)
        for label in rng.choice(list(labels), count)
    ]


def sentence_rows(count=60):
    """Sentences of up to six words with up to three types of entities; some have no word at all."""
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(count):
        words = int(rng.integers(0, 7))
        tags = [str(tag) for tag in rng.choice(["O", "B-person", "I-person", "B-place", "B-x"], words)]
        rows.append((None, tags, rng.integers(5, 90, words + 2).tolist(), list(range(1, words + 1))))
    return rows


def text_source(**settings):
    settings = settings or {"role": "train"}
    return Source(name="s", task_type="text-classification", files=["x"], **settings)


def collected(source, table, folder, *, rows_per_batch=7, role="train"):
    """The label space from arrays in a folder, collected from small batches and read back."""
    folder.mkdir()
    collect_arrays(
        source,
        lambda columns: table.select(columns).combine_chunks().to_batches(max_chunksize=rows_per_batch),
        role=role,
        folder=folder,
    )
    return label_space_of(source, open_arrays(folder), tokenize_names)


def assert_equal_spaces(a, b):
    assert a.labels == b.labels
    assert a.counts == b.counts
    for left, right in zip(a.rows_of, b.rows_of, strict=True):
        assert left.dtype == right.dtype == np.int64
        assert left.tolist() == right.tolist()
    if a.is_multi_label:
        assert a.label_sets.values.dtype == b.label_sets.values.dtype == np.int32
        np.testing.assert_array_equal(a.label_sets.offsets, b.label_sets.offsets)
        np.testing.assert_array_equal(a.label_sets.values, b.label_sets.values)
        np.testing.assert_array_equal(a.rows_without_labels, b.rows_without_labels)
    elif not a.is_ner:
        assert a.label_of.dtype == b.label_of.dtype == np.int32
        assert a.label_of.tolist() == b.label_of.tolist()
    names = ["token_ids", "segment_ids"] + ["word_starts", "word_labels", "word_shapes"] * a.is_ner
    for name in names:
        left, right = getattr(a, name), getattr(b, name)
        assert left.values.dtype == right.values.dtype
        np.testing.assert_array_equal(left.offsets, right.offsets, name)
        np.testing.assert_array_equal(left.values, right.values, name)
    if a.is_ner:
        assert [a.tags[row] for row in range(a.num_rows)] == [b.tags[row] for row in range(a.num_rows)]


@pytest.mark.parametrize("rows_per_bucket", [1, 60, 1_000_000])
def test_texts_are_the_same_in_files_as_in_memory(tmp_path, monkeypatch, rows_per_bucket):
    rows = text_rows()
    table = token_table(rows, "s")
    in_memory = build_label_space(text_source(), table, role="train", tokenize_names=tokenize_names)
    monkeypatch.setattr(rows_of_labels, "_PAIRS_PER_BUCKET", rows_per_bucket)
    monkeypatch.setattr(rows_of_labels, "_ROWS_PER_CHUNK", 11)
    assert_equal_spaces(collected(text_source(), table, tmp_path / "a"), in_memory)
    label_of = np.array([row[0] for row in rows])
    for label, found in zip("abcd", in_memory.rows_of, strict=True):
        assert found.tolist() == np.flatnonzero(label_of == label).tolist()
    assert [in_memory.token_ids[i].tolist() for i in range(len(rows))] == [row[2] for row in rows]


@pytest.mark.parametrize("rows_per_bucket", [1, 30, 1_000_000])
def test_sentences_are_the_same_in_files_as_in_memory(tmp_path, monkeypatch, rows_per_bucket):
    rows = sentence_rows()
    table, source = token_table(rows, "s"), Source(name="s", task_type="ner", role="train", files=["x"])
    in_memory = build_label_space(source, table, role="train", tokenize_names=tokenize_names)
    monkeypatch.setattr(rows_of_labels, "_PAIRS_PER_BUCKET", rows_per_bucket)
    monkeypatch.setattr(rows_of_labels, "_ROWS_PER_CHUNK", 4)
    assert_equal_spaces(collected(source, table, tmp_path / "a"), in_memory)
    assert in_memory.labels == ("person", "place", "x")
    for label, found in zip(in_memory.labels, in_memory.rows_of, strict=True):
        assert found.tolist() == [i for i, row in enumerate(rows) if {f"B-{label}", f"I-{label}"} & {*row[1]}]
    assert [in_memory.tags[i] for i in range(len(rows))] == [tuple(row[1]) for row in rows]


@pytest.mark.parametrize("rows_per_bucket", [1, 60, 1_000_000])
def test_lists_of_labels_are_the_same_in_files_as_in_memory(tmp_path, monkeypatch, rows_per_bucket):
    rng, rows = np.random.default_rng(2), text_rows()
    lists = [sorted(rng.choice(list("dacb"), rng.integers(0, 4), replace=False).tolist()) for _ in rows]
    table = token_table(rows, "s").append_column("labels", pa.array(lists, pa.list_(pa.string())))
    source = text_source(role="train", multi_label=True)
    in_memory = build_label_space(source, table, role="train", tokenize_names=tokenize_names)
    monkeypatch.setattr(rows_of_labels, "_PAIRS_PER_BUCKET", rows_per_bucket)
    monkeypatch.setattr(rows_of_labels, "_ROWS_PER_CHUNK", 11)
    assert_equal_spaces(collected(source, table, tmp_path / "a"), in_memory)
    for label, found in zip("abcd", in_memory.rows_of, strict=True):
        assert found.tolist() == [row for row, each in enumerate(lists) if label in each]
    assert in_memory.rows_without_labels.tolist() == [row for row, each in enumerate(lists) if not each]


def test_grades_keep_their_order_in_files(tmp_path):
    table, grades = token_table(text_rows(), "s"), ["d", "a", "c", "b"]
    source = text_source(role="train", ordinal=grades)
    in_memory = build_label_space(source, table, role="train", tokenize_names=tokenize_names)
    assert in_memory.labels == tuple(grades)
    mapped = collected(source, table, tmp_path / "a")
    assert_equal_spaces(mapped, in_memory)
    assert mapped.is_ordinal


def test_roles_of_labels_are_collected_apart(tmp_path):
    source = text_source(label_roles={"train": ["b", "a"], "test": ["d", "c"]})
    table = token_table(text_rows(), "s")
    for role, labels in (("train", ("a", "b")), ("test", ("c", "d"))):
        in_memory = build_label_space(source, table, role=role, tokenize_names=tokenize_names)
        assert in_memory.labels == labels
        assert_equal_spaces(collected(source, table, tmp_path / role, role=role), in_memory)


def test_draws_and_batches_from_files_are_those_from_memory(tmp_path):
    table, spec = token_table(text_rows(), "s"), EpisodeSpec(max_ways=4, num_texts=16, num_splits=4)
    spaces = [
        build_label_space(text_source(), table, role="train", tokenize_names=tokenize_names),
        collected(text_source(), table, tmp_path / "a"),
    ]
    for seed in range(5):
        draws = [sample_batch(np.random.default_rng(seed), [space], {}, spec) for space in spaces]
        batches = [build_batch(space, draw, spec) for space, draw in zip(spaces, draws, strict=True)]
        for name, values in batches[0].items():
            np.testing.assert_array_equal(values, batches[1][name], name)
            assert values.dtype == batches[1][name].dtype
        sizes = {"ways": 3, "shots": 2, "num_queries": 4, "num_episodes": 3}
        episodes = [sample_episodes(np.random.default_rng(seed), space, **sizes) for space in spaces]
        for left, right in zip(*episodes, strict=True):
            assert left.query.tolist() == right.query.tolist()
            assert left.support.tolist() == right.support.tolist()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs a list of open files")
def test_mapped_arrays_keep_no_file_open(tmp_path):
    space = collected(text_source(), token_table(text_rows(), "s"), tmp_path / "a")
    opened = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    assert opened
    assert not [path for path in opened if path.startswith(str(tmp_path))]
    assert not space.token_ids.values.flags.writeable


def test_a_text_without_a_label_of_the_role_is_no_row(tmp_path):
    rows = [("other", None, [1, 2, 3], None), *text_rows(20, labels="ab")]
    source = text_source(label_roles={"train": ["a", "b"]})
    space = collected(source, token_table(rows, "s"), tmp_path / "a")
    assert space.num_rows == 20
    assert space.token_ids[0].tolist() == rows[1][2]


def test_a_name_of_a_label_that_no_example_has_is_an_error_for_files_that_were_written_before(tmp_path):
    table = token_table(text_rows(), "s")
    collected(text_source(), table, tmp_path / "a")
    source = text_source(role="train", label_names={"e": "fifth"})
    with pytest.raises(ConfigError, match=r"`label_names` names e, but no example has such a label; .* a, b"):
        label_space_of(source, open_arrays(tmp_path / "a"), tokenize_names)


def test_labels_of_other_roles_may_have_names(tmp_path):
    table = token_table(text_rows(), "s")
    source = text_source(label_roles={"train": ["a", "b"], "test": ["c", "d"]}, label_names={"d": "fourth"})
    assert collected(source, table, tmp_path / "a").label_names == ("a", "b")


def test_one_label_is_an_error_before_any_row_is_written(tmp_path):
    table = token_table(text_rows(labels="a"), "s")
    with pytest.raises(ConfigError, match="has 1 label "):
        collected(text_source(), table, tmp_path / "a")
    assert not list((tmp_path / "a").iterdir())


def test_arrays_of_an_empty_token_list_can_be_mapped(tmp_path):
    rows = [(label, None, [], None) for label in "aabb"]
    space = collected(text_source(), token_table(rows, "s"), tmp_path / "a")
    assert space.token_ids.take(np.array([3, 0])).values.tolist() == []
    assert pa.array(space.label_of).to_pylist() == [0, 0, 1, 1]
