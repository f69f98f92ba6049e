"""Stages: which of them a change of the configuration repeats, and which not."""

from pathlib import Path

from metamapping.config.corpus import CleaningSpec, FilterSpec
from metamapping.corpus import records
from metamapping.corpus.examples import examples_stage
from metamapping.corpus.leakage import read_leaks
from metamapping.corpus.records import records_stage, write_records
from metamapping.corpus.screening import screened_stage, write_screened
from metamapping.corpus.shards import read_shards
from metamapping.corpus.source_checks import check_sources
from metamapping.corpus.tokens import NO_LIMITS, tokens_stage
from metamapping.storage.artifacts import Store
from tests.corpus.toys import RULES, labelled, prepare, toy_source, write_jsonl


def fingerprints(source, rules=RULES, length=64):
    read = records_stage(source).fingerprint
    examples = examples_stage(source, rules, read).fingerprint
    return read, examples, tokens_stage(source, length, NO_LIMITS, examples, "tokenizer").fingerprint


def changed(before, after):
    """How many of the stages (records, examples, tokens) are repeated."""
    return sum(a != b for a, b in zip(before, after, strict=True))


def test_role_names_and_license_repeat_nothing(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", labelled(("one", "x")))
    before = fingerprints(toy_source(path))
    assert changed(before, fingerprints(toy_source(path, role="test"))) == 0
    assert changed(before, fingerprints(toy_source(path, label_names={"x": "a cross"}))) == 0
    assert changed(before, fingerprints(toy_source(path, licence="CC0"))) == 0
    assert changed(before, fingerprints(toy_source(path, label_roles={"train": ["x"]}))) == 0


def test_a_changed_filter_repeats_cleaning_and_not_reading(tmp_path):
    source = toy_source(write_jsonl(tmp_path / "a.jsonl", labelled(("one", "x"))))
    before = fingerprints(source)
    assert changed(before, fingerprints(source, RULES._replace(filters=FilterSpec(min_words=2)))) == 2
    assert changed(before, fingerprints(source, RULES._replace(cleaning=CleaningSpec(cleaners=[])))) == 2
    assert changed(before, fingerprints(source, length=32)) == 1


def test_changed_bytes_and_columns_repeat_everything_and_a_moved_file_nothing(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", labelled(("one", "x")))
    before = fingerprints(toy_source(path))
    (tmp_path / "elsewhere").mkdir()
    moved = write_jsonl(tmp_path / "elsewhere" / "a.jsonl", labelled(("one", "x")))
    assert changed(before, fingerprints(toy_source(moved))) == 0
    assert changed(before, fingerprints(toy_source(path, columns={"text": "body"}))) == 3
    write_jsonl(path, labelled(("two", "x")))
    assert changed(before, fingerprints(toy_source(path))) == 3


def test_a_source_is_hashed_once_before_it_is_read(tmp_path, monkeypatch):
    sources = [
        toy_source(write_jsonl(tmp_path / f"{name}.jsonl", labelled(("one", "x"))), name=name)
        for name in ("first", "second")
    ]
    hashed = []
    hash_file = records.fingerprint_file
    monkeypatch.setattr(records, "fingerprint_file", lambda file: hashed.append(file) or hash_file(file))
    store = Store(tmp_path / "home")
    for _ in range(2):  # the second time everything is found
        hashed.clear()
        check_sources(str(tmp_path / "home"), sources)  # before the run
        check_sources(str(tmp_path / "home"), sources)  # and at the start of the flow
        assert hashed == []
        for source in sources:
            store.get_or_write(
                records_stage(source), lambda folder, source=source: write_records(source, folder)
            )
        assert hashed == [Path(file) for source in sources for file in source.files]


def test_checking_a_source_opens_it_once_and_reads_only_its_first_rows(tmp_path, monkeypatch):
    path = write_jsonl(tmp_path / "a.jsonl", labelled(*((f"text number {i}", "x") for i in range(1_000))))
    read_file, opened, rows = records.read_file, [], []

    def counted(path, source):
        opened.append(path)
        for row in read_file(path, source):
            rows.append(row)
            yield row

    monkeypatch.setattr(records, "read_file", counted)
    check_sources(str(tmp_path / "home"), [toy_source(path)])
    assert opened == [path]
    assert len(rows) == 100


def test_preparing_twice_gives_the_same_bytes(tmp_path):
    rows = labelled(*((f"text number {i} of many", "xy"[i % 2]) for i in range(50)))
    source = toy_source(write_jsonl(tmp_path / "a.jsonl", rows))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        prepare(source, tmp_path / name / "out")
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "out" / "examples").iterdir()}
        for name in ("one", "two")
    )
    assert set(first) == {"part-00000.parquet", "rejects.parquet", "keys.parquet"}
    assert first == second


def test_screening_removes_the_leaks_and_keeps_them_as_rejects(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from metamapping.corpus.leakage import LEAKS
    from metamapping.corpus.shards import TOKENS, ShardWriter

    def token_row(i):
        blank = dict.fromkeys(TOKENS.names)
        return blank | {"source": "toy", "row": i, "text": f"text {i}", "token_ids": [1], "segment_ids": [0]}

    for folder in ("tokens", "screened"):
        (tmp_path / folder).mkdir()
    with ShardWriter(tmp_path / "tokens", TOKENS) as shards:
        shards.write(pa.Table.from_pylist([token_row(i) for i in range(4)], TOKENS))
    leak = {"source": "toy", "row": 2, "against": "held", "kind": "near"}
    pq.write_table(pa.Table.from_pylist([leak], LEAKS), tmp_path / "leaks.parquet")
    leaks = read_leaks(tmp_path, "toy")
    counts = write_screened(tmp_path / "tokens", leaks, tmp_path / "screened")
    assert (counts["rows_in"], counts["rows_out"], counts["rejects"]) == (4, 3, 1)
    assert read_shards(tmp_path / "screened")["row"].to_pylist() == [0, 1, 3]
    (reject,) = pq.read_table(tmp_path / "screened" / "rejects.parquet").to_pylist()
    assert (reject["row"], reject["text"], reject["reason"]) == (2, "text 2", "leak:held")
    source = toy_source(tmp_path / "none")
    assert (
        screened_stage(source, "t", leaks).fingerprint != screened_stage(source, "t", leaks[:0]).fingerprint
    )
