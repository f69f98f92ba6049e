"""Configurations that cannot be run are rejected before anything runs."""

import pytest

from metamapping.config.loading import parse_config
from metamapping.config.sources import Hub, Source
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


def test_a_column_with_a_label_for_each_row_is_doubted(tmp_path):
    config = configuration(tmp_path, rows=30)
    rows = "\n".join(f"text {i},T-{i}" for i in range(240))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}\n")
    message = r"source 'a': 240 labels in 240 rows: is this the label column\? .* `columns\.label`"
    with pytest.raises(ConfigError, match=message):
        check_run(config)


def test_a_missing_preset_folder_is_refused_when_the_configuration_is_read(tmp_path):
    (tmp_path / "models" / "minilm").mkdir(parents=True)
    message = (
        r"encoder.preset: no such folder .*models/minilm-2: did you mean 'minilm'\? .*`hf://models/minilm-2`"
    )
    with pytest.raises(ConfigError, match=message):
        configuration(tmp_path, encoder={"preset": "models/minilm-2"})
    config = configuration(tmp_path, encoder={"preset": "models/minilm"})
    assert config.encoder.preset == str(tmp_path / "models" / "minilm")


def test_a_label_that_does_not_exist_is_refused_for_its_role(tmp_path):
    config = configuration(tmp_path)
    roles = {"label_roles": {"train": ["x", "why"]}, "role": None}
    source = config.sources[0].model_copy(update=roles)
    config = config.model_copy(update={"sources": [source, *config.sources[1:]]})
    with pytest.raises(ConfigError, match=r"`label_roles.train` names 'why', but .*its labels are 'x', 'y'"):
        check_run(config)


def test_an_unreachable_hub_is_named_once_for_all_that_need_it(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    config = configuration(tmp_path, evaluation={"shots": [0, 2], "num_queries": 10})
    hubs = [
        Source(name=name, task_type="text-classification", role="train", hub=Hub(path=f"team/{name}"))
        for name in ("one", "two")
    ]
    with_hubs = config.model_copy(update={"sources": [*config.sources, *hubs]})
    message = (
        r"the hub http://127.0.0.1:9 cannot be reached \(ConnectError.*\), but source 'one', source 'two'"
    )
    with pytest.raises(ConfigError, match=message):
        check_run(with_hubs)
    preset = configuration(tmp_path, encoder={"preset": "hf://team/none"})
    with pytest.raises(ConfigError, match=r"cannot be reached .* but encoder.preset must be downloaded"):
        check_run(preset)


def test_what_is_suspicious_is_told(tmp_path):
    config = configuration(tmp_path, evaluation={"shots": [0, 2], "num_queries": 10})
    (only,) = check_run(config)
    assert "there is one validation source: intervals over fewer than 5" in only
    rows = [f"text {i},{label}" for i in range(15) for label in (0, 1)]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    numbers, _ = check_run(config)
    assert "source 'a': its labels are numbers without names (0, 1)" in numbers
    rows = [
        f"text {i},{label}" for i in range(15) for label in ("Refund", "refund", "caf\u00e9", "cafe\u0301")
    ]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    accents, capitals, _ = check_run(config)
    assert "the labels 'Refund' and 'refund' differ only in capital letters" in capitals
    assert "differ only in capital letters, spaces or the form of accents" in accents
    named = {"label_names": {"1": "one", "0": "zero"}}
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(f"t {i},{i % 2}" for i in range(30)) + "\n")
    source = config.sources[0].model_copy(update=named)
    assert len(check_run(config.model_copy(update={"sources": [source, *config.sources[1:]]}))) == 1
