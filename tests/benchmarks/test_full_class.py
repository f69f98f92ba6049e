"""All labels at once and out of scope, on toy data in the format of the published files."""

import json

import pytest

from benchmarks.encoders import keep_features
from benchmarks.full_class import further_draws, measure, methods_of, out_of_scope_table
from metamapping import MetaMapper

WORDS = {"delivery": "parcel delivery late", "refund": "money refund back", "weather": "weather lovely june"}


def rows_of(first, count, **more):
    """``count`` texts of each label, numbered from ``first``."""
    return [
        {"text": f"{words} {number}", "label": label, **more}
        for label, words in WORDS.items()
        for number in range(first, first + count)
    ]


def write(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def mapper(published):
    return keep_features(MetaMapper.from_pretrained(published))


def test_all_methods_are_measured_on_the_published_draw_and_on_further_ones(mapper, tmp_path):
    folder = tmp_path / "full-class"
    write(folder / "toy.train_5.jsonl", rows_of(0, 5))
    write(folder / "toy.test.jsonl", rows_of(100, 4))
    write(tmp_path / "toy.jsonl", rows_of(0, 20) + rows_of(100, 4))
    cells = measure(mapper, folder, "toy", 5, 2)
    assert list(cells) == list(methods_of(mapper))
    assert cells["prototypes"].startswith("100.0 (100.0), ")


def test_further_draws_have_no_text_of_the_test_set():
    rows = [(row["text"], row["label"]) for row in rows_of(0, 20)]
    test = [(text.upper(), label) for text, label in rows[:10]]
    draws = further_draws(rows, test, shots=5, count=3)
    assert [len(each) for each in draws] == [15, 15, 15]
    assert not {text for each in draws for text, _ in each} & {text for text, _ in rows[:10]}
    assert draws[0] != draws[1]


def test_the_threshold_is_chosen_on_the_validation_part(mapper, tmp_path, capsys):
    outside = [{"text": "anna lives in paris", "label": "oos"}, {"text": "bob works in rome", "label": "oos"}]
    rows = rows_of(0, 8, part="train") + rows_of(20, 3, part="val") + rows_of(30, 3, part="test")
    rows += [row | {"part": part} for row in outside for part in ("oos_train", "oos_val", "oos_test")]
    write(tmp_path / "full-class" / "toy.jsonl", rows)
    table = out_of_scope_table(mapper, tmp_path / "full-class" / "toy.jsonl")
    assert "adapted to 24 examples" in capsys.readouterr().out
    assert [line.split("|")[1].strip()[:12] for line in table.splitlines()[2:]] == [
        "no threshold",
        *["threshold 0."] * 5,
    ]
    # The texts out of scope are the same in both parts, and no text in scope is like them.
    assert table.splitlines()[3].endswith("| 100.0 | 100.0 | 100.0 |")
