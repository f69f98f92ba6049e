"""What a person should look at before a run is said, and nothing else."""

import pandas as pd

from metamapping.config.encoder import EncoderSpec
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.publishing.layout import SETTINGS
from metamapping.runs.corpus_notes import count_of_labels, read_table
from metamapping.runs.suspicions import notes_on_roles, suspicions

ENOUGH = [("a", "train", {}), *((f"v{i}", "validation", {}) for i in range(5)), ("t", "test", {})]
LABELS = {name: [f"{name} one", f"{name} two"] for name, _, _ in ENOUGH}


def found(sources, labels, rows=100, preset="hf://a/b", start="pretrained"):
    """All sentences about sources whose labels have this many rows each."""
    config = RunConfig(
        name="toy",
        start=start,
        encoder=EncoderSpec(preset=preset),
        sources=[
            Source(
                name=name,
                role=role,
                files=[f"{name}.csv"],
                **{"task_type": "text-classification", **settings},
            )
            for name, role, settings in sources
        ],
    )
    counts = {name: dict.fromkeys(of, rows) for name, of in labels.items()}
    return [*suspicions(config, counts), *notes_on_roles(config, counts)]


def test_nothing_is_said_where_nothing_is_odd():
    assert found(ENOUGH, LABELS) == []


def test_a_preset_whose_mapping_would_be_lost_is_named(tmp_path):
    assert found(ENOUGH, LABELS, preset=str(tmp_path)) == []
    (tmp_path / SETTINGS).write_text("{}")
    (sentence,) = found(ENOUGH, LABELS, preset=str(tmp_path))
    assert sentence.startswith("encoder.preset is a published encoder, of which only the weights are used")
    assert found(ENOUGH, LABELS, preset=str(tmp_path), start="production") == []


def test_few_validation_sources_are_named():
    (sentence,) = found([*ENOUGH[:2], ENOUGH[-1]], LABELS)
    assert sentence.startswith("there is one validation source: intervals over fewer than 5")


def test_labels_that_are_codes_are_named_unless_they_have_names():
    codes = {**LABELS, "a": ["1", "2"]}
    (sentence,) = found(ENOUGH, codes)
    assert sentence.startswith("source 'a': its labels are numbers without names (1, 2)")
    named = [("a", "train", {"label_names": {"1": "bad", "2": "good"}}), *ENOUGH[1:]]
    assert found(named, codes) == []


def test_a_held_out_source_with_known_labels_is_named():
    (sentence,) = found(ENOUGH, {**LABELS, "t": LABELS["a"]})
    assert sentence.startswith("source 't': it has exactly the labels of the train source 'a'")


def test_a_held_out_source_of_a_type_that_is_not_trained_is_named():
    (sentence,) = found([*ENOUGH[:-1], ("t", "test", {"task_type": "sentiment-analysis"})], LABELS)
    assert sentence == "source 't': no train source is of the type sentiment-analysis"


def test_a_column_that_is_hardly_one_of_labels_is_named():
    (sentence,) = found(ENOUGH, {**LABELS, "a": [f"value {i}" for i in range(95)]}, rows=1)
    assert sentence.startswith("source 'a': 95 labels in 95 rows: is this the label column?")


def test_a_grade_that_no_row_has_is_named():
    graded = [("a", "train", {"ordinal": ["bad", "okay", "good"]}), *ENOUGH[1:]]
    (sentence,) = found(graded, {**LABELS, "a": ["bad", "good"]})
    assert sentence.startswith("source 'a': no row has the grade 'okay' of `ordinal`")
    assert found(graded, {**LABELS, "a": ["bad", "okay", "good"]}) == []


def test_names_that_look_like_numbers_or_missing_values_stay_as_they_are(tmp_path):
    rows = [("2024", "1", 3), ("2024", "null", 4)]
    pd.DataFrame(rows, columns=["source", "label", "rows"]).to_csv(tmp_path / "labels.csv", index=False)
    assert count_of_labels(read_table(tmp_path, "labels")) == {"2024": {"1": 3, "null": 4}}


def test_labels_that_are_several_in_one_text_are_named_with_the_settings_they_need():
    (sentence,) = found(ENOUGH, {**LABELS, "a": ["login", "login|urgent", "refund|urgent", "refund"]})
    assert sentence.startswith("source 'a': labels such as 'login|urgent' look like several labels")
    assert sentence.endswith('if so, set `multi_label: true` and `label_separator: "|"`')
