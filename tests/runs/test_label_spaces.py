"""Configurations that cannot be run are rejected before anything runs."""

import pytest

from metamapping.config.loading import parse_config
from metamapping.errors import ConfigError
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import check_run
from metamapping.runs.round_training import train_stage


def configuration(tmp_path, *, rows=12, **sections):
    for name in ("a", "b", "c"):
        lines = [f"{name} {label} {i},{label}" for label in ("x", "y") for i in range(rows)]
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    sources = [
        {"name": name, "task_type": "text-classification", "role": role, "files": [f"{name}.csv"]}
        for name, role in (("a", "train"), ("b", "validation"), ("c", "test"))
    ]
    values = {"name": "toy", "home": str(tmp_path / "home"), "sources": sources, "encoder": {"scratch": {}}}
    return parse_config({**values, **sections}, folder=tmp_path)


def test_a_configuration_with_enough_examples_passes(tmp_path):
    check_run(configuration(tmp_path, evaluation={"shots": [0, 2], "num_queries": 10}))


def test_a_held_out_label_with_too_few_examples_is_refused_before_anything_is_written(tmp_path):
    config = configuration(tmp_path, evaluation={"shots": [0, 4], "num_queries": 10})
    message = r"source 'b': label 'x' has 12 examples but episodes need 14 \(4 shots \+ 10 queries\): lower"
    with pytest.raises(ConfigError, match=message):
        check_run(config)
    assert not (tmp_path / "home").exists()


def test_a_train_label_needs_two_examples(tmp_path):
    config = configuration(tmp_path, rows=30)
    (tmp_path / "a.csv").write_text("text,label\none,x\ntwo,x\nthree,y\n")
    with pytest.raises(ConfigError, match=r"source 'a': label 'y' has 1 examples but episodes need 2"):
        check_run(config)


def test_a_wrong_column_is_refused_with_the_columns_that_are_there(tmp_path):
    config = configuration(tmp_path, rows=30)
    (tmp_path / "a.csv").write_text("body,label\none,x\n")
    with pytest.raises(ConfigError, match=r"source 'a': .*no column 'text', but the columns body, label"):
        check_run(config)


def test_a_run_that_does_not_exist_is_refused_by_its_id(tmp_path):
    with pytest.raises(ConfigError, match="there is no run 'toy-123'"):
        train_stage(RunFolder(tmp_path, "toy-123"), 1)
