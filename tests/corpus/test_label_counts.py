"""Label counts: rows are counted by label before anything is prepared."""

from metamapping.config.sources import Source
from metamapping.corpus import label_counts
from metamapping.corpus.label_counts import count_labels


def source(file, **changes):
    return Source(
        name="s", role="train", files=[str(file)], **{"task_type": "text-classification", **changes}
    )


def test_rows_are_counted_by_label_except_unlabelled_and_dropped_ones(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("text,label\na,x\nb,x\nc,y\nd,\ne,z\n")
    assert count_labels(source(file, drop_labels=["z"])) == {"x": 2, "y": 1}


def test_sentences_are_counted_by_their_entity_types(tmp_path):
    file = tmp_path / "s.conll"
    file.write_text("a B-x\nb B-x\n\nc B-y\nd B-x\n\ne O\n")
    assert count_labels(source(file, task_type="ner")) == {"x": 2, "y": 1}


def test_a_source_that_is_too_long_is_not_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(label_counts, "MAX_ROWS", 1)
    file = tmp_path / "s.csv"
    file.write_text("text,label\na,x\nb,x\n")
    assert count_labels(source(file)) is None
