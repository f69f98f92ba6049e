"""Source files as they occur: encodings, compression, quotes, nested fields, variants of CoNLL."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.corpus import json_objects
from metamapping.corpus.source_checks import check_source, check_sources
from metamapping.errors import ConfigError
from tests.corpus.toys import labelled, records_of, toy_source, write_jsonl


def texts_of(source):
    return [(row["text"], row["label"]) for row in records_of(source)]


def test_quoted_newlines_and_commas_stay_in_their_field(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,label\r\n"one,\r\ntwo",x\r\nthree,y\r\n')
    rows = records_of(toy_source(path))
    assert [(row["text"], row["label"], row["line"]) for row in rows] == [
        ("one,\r\ntwo", "x", 2),
        ("three", "y", 4),
    ]


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\ngrün,x\n".encode("utf-8-sig"))
    assert texts_of(toy_source(path)) == [("grün", "x")]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_declared_encodings_are_read(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nça va,x\n".encode(encoding))
    assert texts_of(toy_source(path, encoding=encoding)) == [("ça va", "x")]


def test_an_undeclared_latin_1_file_is_refused_with_its_byte_and_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nfine,x\ncafé,y\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"'toy'.*not utf-8: byte 0xE9 at offset 21 \(line 3\).*cp1252"):
        records_of(toy_source(path))


def test_an_undeclared_utf_16_file_is_refused_with_a_guess(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nfine,x\n".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"byte 0xFF at offset 0 .*such as utf-16"):
        records_of(toy_source(path))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_files_are_read(tmp_path, suffix):
    data = b"text,label\none,x\n"
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(gzip.compress(data) if suffix == ".gz" else pa.compress(data, "zstd", asbytes=True))
    assert texts_of(toy_source(path)) == [("one", "x")]


def test_a_broken_gzip_file_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\none,x\n" * 1000)[:60])
    with pytest.raises(ConfigError, match="not a readable csv file"):
        records_of(toy_source(path))


def test_rows_of_another_width_are_records_with_a_fault(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\none,x\ntwo,y,z\nthree\n"a"b,x\nfour,y\n')
    rows = records_of(toy_source(path))
    assert [(row["line"], row["fault"]) for row in rows] == [
        (2, None),
        (3, "malformed_row"),
        (4, "malformed_row"),
        (5, "malformed_row"),
        (6, None),
    ]


def test_a_quote_that_is_never_closed_is_refused_with_its_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\none,x\n"two,y\nthree,z\n')
    with pytest.raises(ConfigError, match=r"quote opened in line 3 never closes.*quotes: false"):
        records_of(toy_source(path))


def test_a_tsv_file_keeps_its_quotes(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('he said "no\t1\n"yes" she said\t-1\n')
    source = toy_source(path, header=False)
    assert texts_of(source) == [('he said "no', "1"), ('"yes" she said', "-1")]


def test_columns_may_be_numbers_or_names(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,body,kind\n7,one,x\n")
    source = toy_source(path, columns={"text": 1, "label": "kind"})
    assert texts_of(source) == [("one", "x")]


def test_a_missing_column_is_refused_with_the_existing_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,body,kind\n7,one,x\n")
    with pytest.raises(ConfigError, match=r"'toy'.*no column 'text', but the columns id, body, kind"):
        check_source(toy_source(path))


def test_nested_json_fields_are_found_by_dotted_names(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"review": {"body": "one"}, "answers": [{"label": 3}]}])
    source = toy_source(path, columns={"text": "review.body", "label": "answers.0.label"})
    assert texts_of(source) == [("one", "3")]


def test_a_json_array_of_objects_is_read(tmp_path):
    rows = [
        {"text": f"text {i} é \U0001f642", "label": ["x", "y"][i % 2], "n": {"a": [1, 2]}} for i in range(5)
    ]
    path = tmp_path / "a.json"
    for text in (
        json.dumps(rows),
        json.dumps(rows, indent=2, ensure_ascii=False),
        "\n\n " + json.dumps(rows) + "\n",
    ):
        path.write_text(text, encoding="utf-8")
        found = records_of(toy_source(path))
        assert [(row["text"], row["label"]) for row in found] == [(row["text"], row["label"]) for row in rows]
    path.write_text(json.dumps(rows, indent=2).replace("\n", "\r\n"))
    assert [row["line"] for row in records_of(toy_source(path))] == [2, 12, 22, 32, 42]
    path.write_text("[]\n")
    assert records_of(toy_source(path)) == []


def test_a_json_array_is_read_in_parts_of_any_size(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    rows = [{"text": f'"[{i}], \\ {{', "label": "x"} for i in range(9)]
    path.write_text(json.dumps([*rows, 123456, "a", None, [1]], indent=1))
    for size in (1, 2, 7, 50):
        monkeypatch.setattr(json_objects, "_CHUNK_CHARACTERS", size)
        found = records_of(toy_source(path))
        assert [row["text"] for row in found] == [
            *(row["text"] for row in rows),
            "123456",
            '"a"',
            "null",
            "[\n  1\n ]",
        ]
        assert [row["fault"] for row in found] == [None] * 9 + ["malformed_row"] * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"text": "one"},\n {"text": }]', "no valid JSON array: line 2: Expecting value"),
        ('[{"text": "one"}', "line 1: the array is not closed"),
        ('[{"text": "one"}]\n{"text": "two"}', "something follows the end of the array"),
    ],
)
def test_an_invalid_json_array_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        records_of(toy_source(path))


def test_a_field_missing_everywhere_is_refused(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "one", "intent": "x"}] * 3)
    with pytest.raises(ConfigError, match=r"a.jsonl has no column 'label', but the columns text, intent"):
        check_source(toy_source(path))
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "one", "label": None}] * 3)
    with pytest.raises(ConfigError, match=r"column 'label' is empty or missing in all of the first 3 rows"):
        check_source(toy_source(path))


def test_parquet_columns_and_structs_are_read(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"r": [{"text": "one"}, {"text": "two"}], "y": [True, False]}), path)
    source = toy_source(path, columns={"text": "r.text", "label": "y"})
    assert texts_of(source) == [("one", "true"), ("two", "false")]


def test_a_lone_surrogate_in_json_is_replaced(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "odd \\ud83d end", "label": "x"}\n{"text": "\\ud83d\\ude00", "label": "x"}\n')
    assert texts_of(toy_source(path)) == [("odd \ufffd end", "x"), ("😀", "x")]


def test_an_unknown_suffix_asks_for_the_format(tmp_path):
    path = write_jsonl(tmp_path / "a.data", labelled(("one", "x")))
    with pytest.raises(ConfigError, match="set `format`"):
        check_source(toy_source(path))
    assert texts_of(toy_source(path, format="jsonl")) == [("one", "x")]


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("")
    with pytest.raises(ConfigError, match=r"'toy': .*a.jsonl has no rows"):
        check_source(toy_source(path))


@pytest.mark.parametrize(
    "lines",
    [
        "Ada B-PER\nwrote O\n",
        "Ada\tB-PER\r\nwrote\tO\r\n",
        "-DOCSTART- -X- O O\n\nAda NNP - B-PER\nwrote VB - O\n",
        "# sent_id = 1\nAda\t0\t3\tB-PER\nwrote\t4\t9\tO\n\n\n",
    ],
)
def test_conll_of_two_to_four_columns_reads_the_same(tmp_path, lines):
    path = tmp_path / "a.conll"
    path.write_bytes(lines.encode())
    (row,) = records_of(toy_source(path, task_type="ner"))
    assert (row["words"], row["tags"]) == (["Ada", "wrote"], ["B-PER", "O"])


def test_a_conll_line_without_a_tag_makes_only_its_sentence_malformed(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("Ada B-PER\nwrote\n\nBob B-PER\n")
    first, second = records_of(toy_source(path, task_type="ner"))
    assert (first["fault"], first["line"]) == ("malformed_row", 1)
    assert (second["words"], second["line"]) == (["Bob"], 4)


def test_ner_reads_lists_and_strings_from_json(tmp_path):
    rows = [{"tokens": ["Ada", "wrote"], "tags": ["B-PER", "O"]}, {"tokens": "Bob ran", "tags": "B-PER O"}]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    source = toy_source(path, task_type="ner", columns={"text": "tokens", "label": "tags"})
    assert [row["words"] for row in records_of(source)] == [["Ada", "wrote"], ["Bob", "ran"]]


def test_rows_are_numbered_across_the_files_of_a_source(tmp_path):
    first = write_jsonl(tmp_path / "a.jsonl", labelled(("one", "x"), ("two", "y")))
    second = write_jsonl(tmp_path / "b.jsonl", labelled(("three", "x")))
    rows = records_of(toy_source(first, second))
    assert [(row["row"], row["file"], row["line"]) for row in rows] == [
        (0, "a.jsonl", 1),
        (1, "a.jsonl", 2),
        (2, "b.jsonl", 1),
    ]


def test_a_hub_data_set_names_its_numbered_classes(tmp_path, monkeypatch):
    import datasets

    from metamapping.config.sources import Source

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    data = datasets.Dataset.from_dict({"text": ["one", "two"], "label": [1, 0]}, features=features)
    asked = {}

    def load_dataset(path, config, *, split, revision):
        asked.update(path=path, config=config, split=split, revision=revision)
        return data

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    hub = {"path": "some/reviews", "split": "test", "revision": "abc123"}
    source = Source(name="toy", task_type="sentiment-analysis", role="test", hub=hub)
    assert texts_of(source) == [("one", "good"), ("two", "bad")]
    assert asked == {"path": "some/reviews", "config": None, "split": "test", "revision": "abc123"}


def test_an_unknown_encoding_is_refused(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", labelled(("one", "x")))
    with pytest.raises(ConfigError, match=r"no encoding 'latn-1'"):
        check_source(toy_source(path, encoding="latn-1"))


def test_named_conll_columns_are_refused(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("Ada B-PER\n")
    with pytest.raises(ConfigError, match="have no names, but `columns` names 'word': give the number"):
        check_source(toy_source(path, task_type="ner", columns={"text": "word"}))


def test_all_sources_that_cannot_be_read_are_named_at_once(tmp_path):
    good = toy_source(write_jsonl(tmp_path / "a.jsonl", labelled(("one", "x"))), name="good")
    bad = [toy_source(write_jsonl(tmp_path / f"{name}.jsonl", [{"x": 1}]), name=name) for name in ("b", "c")]
    with pytest.raises(ConfigError, match=r"source 'b': .*\nsource 'c': ") as refusal:
        check_sources(str(tmp_path), [bad[0], good, bad[1]])
    assert "good" not in str(refusal.value)
