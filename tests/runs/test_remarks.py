"""What a person should look at before a run is said, and nothing else."""

import pandas as pd
import pytest

from metamapping.config.encoder import EncoderSpec
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.runs.remarks import remarks_on


def remarks(sources, labels, **changed):
    config = RunConfig(
        name="toy",
        encoder=EncoderSpec(preset="x"),
        sources=[
            Source(name=name, task_type="text-classification", role=role, files=[f"{name}.csv"], **settings)
            for name, role, settings in sources
        ],
    )
    rows = [
        {"source": name, "rows in": 100, "rows out": 95, "truncated": 0.0, **changed.get(name, {})}
        for name, _, _ in sources
    ]
    table = [{"source": name, "label": label, "rows": 10} for name, of in labels.items() for label in of]
    return list(remarks_on(config, pd.DataFrame(rows), pd.DataFrame(table)))


ENOUGH = [("a", "train", {}), *((f"v{i}", "validation", {}) for i in range(5)), ("t", "test", {})]
LABELS = {name: [f"{name} one", f"{name} two"] for name, _, _ in ENOUGH}


def test_nothing_is_remarked_on_where_nothing_is_odd():
    assert remarks(ENOUGH, LABELS) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"a": {"rows out": 60}}, "a: 40 of 100 rows are left out"),
        ({"a": {"truncated": 0.5}}, "a: 50% of the texts exceed"),
    ],
)
def test_lost_rows_and_truncated_texts_are_named(changed, expected):
    (remark,) = remarks(ENOUGH, LABELS, **changed)
    assert remark.startswith(expected)


def test_few_validation_sources_are_named():
    (remark,) = remarks([*ENOUGH[:2], ENOUGH[-1]], LABELS)
    assert remark.startswith("1 validation source: with fewer than 5")


def test_labels_that_are_codes_are_named_unless_they_have_names():
    codes = {**LABELS, "a": ["1", "2"]}
    (remark,) = remarks(ENOUGH, codes)
    assert remark.startswith("a: its labels are codes (1, 2)")
    named = [("a", "train", {"label_names": {"1": "bad", "2": "good"}}), *ENOUGH[1:]]
    assert remarks(named, codes) == []


def test_a_held_out_source_with_known_labels_is_named():
    (remark,) = remarks(ENOUGH, {**LABELS, "t": LABELS["a"]})
    assert remark.startswith("t: it has exactly the labels of the train source a")


def test_a_column_that_is_hardly_one_of_labels_is_named():
    (remark,) = remarks(ENOUGH, {**LABELS, "a": [f"value {i}" for i in range(95)]})
    assert remark == "a: 95 labels in 95 rows: is this the label column?"
