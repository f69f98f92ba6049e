"""Configurations that cannot be run are rejected before anything runs; long sources are mapped from files."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from metamapping.config.loading import parse_config
from metamapping.config.sources import Hub, Source
from metamapping.corpus.preparation import prepare_corpus
from metamapping.errors import ConfigError
from metamapping.runs import label_spaces
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import check_run, read_spaces
from metamapping.runs.round_training import train_stage


@pytest.fixture
def mapped(monkeypatch):
    """Maps the label spaces of corpora of any size."""
    monkeypatch.setattr(label_spaces, "MAX_ROWS_IN_MEMORY", -1)


def prepared(tmp_path, **sections):
    config = configuration(tmp_path, **sections)
    return config, prepare_corpus(config).corpus


def folders_of(home):
    return sorted(Path(home).glob("data/label-space-*"))


def test_the_files_of_a_label_space_are_written_once_and_for_all_processes(tmp_path, mapped):
    config, corpus = prepared(tmp_path)
    (space,) = read_spaces(config, corpus, "train")
    (folder,) = folders_of(config.home)
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    for tokens in corpus.tokens:  # not even read any more
        shutil.rmtree(tokens.path)
    (again,) = read_spaces(config, corpus, "train")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    assert again.token_ids.values.tolist() == space.token_ids.values.tolist()


def test_the_files_belong_to_the_shards_they_were_made_from(tmp_path, mapped):
    config, corpus = prepared(tmp_path)
    (before,) = read_spaces(config, corpus, "train")
    with (tmp_path / "a.csv").open("a") as file:
        file.write("one more,x\n")
    (after,) = read_spaces(config, prepare_corpus(config).corpus, "train")
    assert after.num_rows == before.num_rows + 1
    assert len(folders_of(config.home)) == 2


def test_a_damaged_file_is_quarantined_and_written_again(tmp_path, mapped, caplog):
    config, corpus = prepared(tmp_path)
    (space,) = read_spaces(config, corpus, "train")
    expected = space.token_ids.values.tolist()
    (folder,) = folders_of(config.home)
    (folder / "token_ids").write_bytes(bytes(4 * len(expected)))
    (again,) = read_spaces(config, corpus, "train")
    assert again.token_ids.values.tolist() == expected
    assert "is quarantined as" in caplog.text


def test_processes_that_write_the_same_files_at_a_time_leave_one_whole_folder(tmp_path, mapped):
    config, corpus = prepared(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        spaces = list(threads.map(lambda _: read_spaces(config, corpus, "train")[0], range(8)))
    assert len({tuple(space.token_ids.values) for space in spaces}) == 1
    assert len(folders_of(config.home)) == 1
    assert not list(Path(config.home).glob("data/.*"))


def test_roles_of_one_source_have_files_of_their_own(tmp_path, mapped):
    config, corpus = prepared(tmp_path)
    roles = {"role": None, "label_roles": {"train": ["x", "y"], "test": ["y", "x"]}}
    split = config.sources[0].model_copy(update=roles)
    config = config.model_copy(update={"sources": [split]})
    (train,), (test,) = (read_spaces(config, corpus, role) for role in ("train", "test"))
    assert train.labels == test.labels == ("x", "y")
    assert len(folders_of(config.home)) == 1  # the same rows
    split = split.model_copy(update={"label_roles": {"train": ["x"]}})
    with pytest.raises(ConfigError, match="source 'a' has 1 label "):
        read_spaces(config.model_copy(update={"sources": [split]}), corpus, "train")
    assert len(folders_of(config.home)) == 1


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
    with pytest.raises(ConfigError, match=r"source 'a': label 'y' has 1 example but episodes need 2"):
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
