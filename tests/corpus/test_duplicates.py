"""Duplicates within a source: equal texts, conflicting labels, near duplicates."""

import resource

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.config.corpus import DuplicateSpec
from metamapping.corpus import deduplication
from metamapping.corpus.shards import EXAMPLES
from tests.corpus.toys import RULES, labelled, prepare, toy_source, write_jsonl

LONG = "please tell me as soon as you can when the new card that i ordered will be delivered to me"


def verdicts(tmp_path, rows, duplicates=RULES.duplicates, **settings):
    source = toy_source(write_jsonl(tmp_path / "a.jsonl", rows), **settings)
    examples, rejects, _ = prepare(source, tmp_path / "out", RULES._replace(duplicates=duplicates))
    return [row["row"] for row in examples], {row["row"]: row["reason"] for row in rejects}


def test_the_first_of_equal_texts_is_kept(tmp_path):
    rows = labelled(("Where is it?", "x"), ("other", "y"), ("where is IT?", "x"), ("Where is it?", "x"))
    assert verdicts(tmp_path, rows) == ([0, 1], {2: "duplicate", 3: "duplicate"})


def test_equal_texts_with_different_labels_are_all_rejected(tmp_path):
    rows = labelled(("same", "x"), ("other", "y"), ("Same", "y"), ("same", "x"))
    assert verdicts(tmp_path, rows) == ([1], {0: "conflict", 2: "conflict", 3: "conflict"})


def test_the_first_of_nearly_equal_texts_with_the_same_label_is_kept(tmp_path):
    rows = labelled((LONG, "x"), ("other text", "x"), (f"{LONG} please", "x"))
    assert verdicts(tmp_path, rows) == ([0, 1], {2: "near_duplicate"})


def test_nearly_equal_texts_with_different_labels_are_kept(tmp_path):
    rows = labelled((LONG, "x"), (f"{LONG} please", "y"))
    assert verdicts(tmp_path, rows) == ([0, 1], {})


def test_pairs_are_duplicates_only_if_both_texts_are(tmp_path):
    rows = [
        {"text": LONG, "pair": "one", "label": "x"},
        {"text": LONG, "pair": "two", "label": "x"},
        {"text": LONG, "pair": "One", "label": "x"},
        {"text": f"{LONG} please", "pair": "two", "label": "x"},
        {"text": f"{LONG} please", "pair": "three", "label": "x"},
    ]
    kept, rejected = verdicts(tmp_path, rows, columns={"text_pair": "pair"})
    assert kept == [0, 1, 4]
    assert rejected == {2: "duplicate", 3: "near_duplicate"}


def test_both_kinds_can_be_switched_off(tmp_path):
    rows = labelled((LONG, "x"), (LONG, "y"), (f"{LONG} please", "x"))
    kept, _ = verdicts(tmp_path, rows, DuplicateSpec(exact=False, near=False))
    assert kept == [0, 1, 2]


def test_a_source_may_keep_all_its_rows_and_still_be_compared_with_others(tmp_path):
    rows = labelled((LONG, "x"), (LONG, "y"), (f"{LONG} please", "x"), ("123", "x"), ("", "x"))
    assert verdicts(tmp_path, rows, keep_all=True) == ([0, 1, 2, 3], {4: "empty_text"})
    keys = pq.read_table(tmp_path / "out" / "examples" / "keys.parquet")
    assert keys["signature"].null_count == 0


def test_a_row_that_a_filter_rejects_causes_no_duplicates(tmp_path):
    rows = [{"text": "same", "label": None}, {"text": "same", "label": "x"}]
    assert verdicts(tmp_path, rows) == ([1], {0: "missing_label"})


def test_verdicts_do_not_depend_on_the_size_of_buckets(tmp_path, monkeypatch):
    words = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
    ]
    rows = labelled(*[(f"{LONG} {words[i % 12]} {words[i % 7]}", "xy"[i % 2]) for i in range(300)])
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    before = verdicts(tmp_path / "one", rows)
    monkeypatch.setattr(deduplication, "_KEYS_PER_BUCKET", 20)
    assert verdicts(tmp_path / "two", rows) == before
    assert set(before[1].values()) >= {"duplicate", "near_duplicate"}


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.85, 0.95])
def test_bands_find_19_of_20_pairs_at_the_threshold(threshold):
    from metamapping.corpus.signatures import num_bands

    bands = num_bands(threshold, 128)
    rows = 128 // bands
    assert 1 - (1 - threshold**rows) ** bands >= 0.95


def test_signatures_estimate_the_share_of_common_shingles():
    from metamapping.corpus.signatures import sign, similarity

    left, right = LONG, LONG.replace("new card", "new phone")
    pieces = [{text.encode()[i : i + 5] for i in range(len(text) - 4)} for text in (left, right)]
    exact = len(pieces[0] & pieces[1]) / len(pieces[0] | pieces[1])
    signatures, is_signed = sign(pa.array([left, right, "!?"]), 1024)
    assert is_signed.tolist() == [True, True, False]
    estimate = similarity(signatures, signatures, np.array([[0, 1]]))[0]
    assert estimate == pytest.approx(exact, abs=3 * 0.5 / 1024**0.5)


def test_a_full_disk_is_an_error_even_for_a_few_keys(tmp_path):
    writer = deduplication.KeyWriter(tmp_path / "keys", RULES.duplicates)
    rows = [{"row": row, "text": text, "label": "x"} for row, text in enumerate((LONG, "other text"))]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"), writer:
            writer.add(np.arange(2), pa.Table.from_pylist(rows, EXAMPLES))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
