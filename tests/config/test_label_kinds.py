"""Several labels a text and grades: what cannot be combined is refused in a sentence that names what can."""

import pytest

from metamapping.config.loading import parse_config
from metamapping.errors import ConfigError
from metamapping.runs.folder import deciding_settings

SEVERAL, GRADES = {"multi_label": True}, {"ordinal": ["bad", "fair", "good"]}


@pytest.fixture
def parse(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("text,label\nx,y\n")

    def parse(first=None, **sections):
        sources = [
            {"name": name, "task_type": "text-classification", "role": role, "files": [f"{name}.csv"]}
            for name, role in (("a", "train"), ("b", "validation"), ("c", "test"))
        ]
        sources[0] |= first or {}
        if "label_roles" in sources[0]:
            del sources[0]["role"]
        values = {"name": "toy", "sources": sources, "encoder": {"scratch": {}}, **sections}
        return parse_config(values, folder=tmp_path)

    return parse


ROLES = {"label_roles": {"train": ["x", "y"]}}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (SEVERAL | {"task_type": "ner"}, "`multi_label` and `task_type: ner`.*whole texts any number"),
        (SEVERAL | GRADES, "`multi_label` and `ordinal` cannot be combined: grades exclude one another"),
        (SEVERAL | ROLES, "`multi_label` and `label_roles`.*give a `role`"),
        (SEVERAL | {"label_separator": " "}, r"`label_separator` is ' ': give a character, such as '\|'"),
        ({"label_separator": "|"}, "`label_separator` is for several labels a text: add `multi_label: true`"),
        (GRADES | {"task_type": "ner"}, "`ordinal` and `task_type: ner`.*labels of texts may"),
        (GRADES | ROLES, "`ordinal` and `label_roles`.*give a `role`"),
        ({"ordinal": ["bad"]}, r"`ordinal` is \['bad'\]: give at least two grades"),
        ({"ordinal": []}, r"`ordinal` is \[\]: give at least two grades"),
        ({"ordinal": [1, 2, 1.0]}, "`ordinal` has '1' twice"),
        (GRADES | {"drop_labels": ["fair"]}, "`ordinal` and the labels that are kept differ in fair"),
        (GRADES | {"labels": ["bad", "good"]}, "`ordinal` and the labels that are kept differ in fair"),
    ],
)
def test_what_cannot_be_combined_is_refused(parse, settings, sentence):
    with pytest.raises(ConfigError, match=f"source 'a': {sentence}"):
        parse(settings)


@pytest.mark.parametrize("solver", ["prototypes", "gradient"])
def test_several_labels_need_a_ridge_regression(parse, solver):
    with pytest.raises(ConfigError, match=f"'a' has `multi_label`.*'{solver}'.*`ridge` or `plain-ridge`"):
        parse(SEVERAL, training={"solver": solver})


@pytest.mark.parametrize(
    "settings",
    [
        SEVERAL | {"columns": {"text_pair": "other"}},
        SEVERAL | {"task_type": "sentiment-analysis", "label_separator": "|"},
        {"ordinal": [1, 2, 3], "labels": [3, 2, 1, 0], "drop_labels": [0]},
        GRADES | {"columns": {"text_pair": "other"}},
    ],
)
def test_pairs_and_dropped_labels_can_be_combined_with_both(parse, settings):
    assert parse(settings).sources[0].task_type != "ner"


def test_runs_of_sources_with_one_label_keep_their_ids(parse):
    plain = deciding_settings(parse())["sources"][0]
    assert not {"multi_label", "label_separator", "ordinal"} & set(plain)
    assert deciding_settings(parse(SEVERAL))["sources"][0]["multi_label"] is True
    assert deciding_settings(parse(GRADES))["sources"][0]["ordinal"] == ["bad", "fair", "good"]
