"""Hostile and meaningless configurations are rejected with a sentence, in bounded time and memory."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metamapping.config.loading import parse_config, read_config
from metamapping.config.yaml_reader import MAX_CONFIG_BYTES
from metamapping.errors import ConfigError

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "more than 100000 values"),
        ("name: &a [*a]\n", "more than 20 levels"),
        ("name: " + "[" * 5_000, "nested too deeply|not readable YAML"),
        ("name: " + "{a: " * 60 + "1" + "}" * 60, "more than 20 levels"),
        ("name: toy\nname: other\n", "the key 'name' occurs twice here"),
        ("seed: 0x" + "f" * 5_000, "a number of 20000 bits"),
        ("seed: " + "9" * 5_000, "not readable YAML"),
        ("name: !!timestamp x", "not readable YAML"),
        ("name: !!bool x", "not readable YAML"),
        ("name: 2026-99-99", "not readable YAML"),
        ("name: !!set {a}", "YAML's type 'set'"),
        ("name: !!binary aGVsbG8=", "YAML's type 'bytes'"),
        ("name: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("name: !!python/name:os.system", "could not determine a constructor"),
        ("- a\n", "must contain a mapping"),
        ("name: ${HOME_THAT_NOBODY_SETS}", "is not set: export it"),
    ],
)
def test_content_that_is_not_a_configuration_is_rejected(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path)


def test_a_file_of_a_gigabyte_is_rejected_without_reading_it(tmp_path):
    path = tmp_path / "c.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ConfigError, match=f"larger than {MAX_CONFIG_BYTES} bytes"):
        read_config(path)


SECRETS = ["HF_TOKEN", "POSTGRES_PASSWORD", "PREFECT_API_AUTH_STRING", "AWS_SECRET_ACCESS_KEY"]
SECRETS += ["METAMAPPING_API_KEY", "METAMAPPING_NOTIFY_URL"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_never_becomes_part_of_a_configuration(name, monkeypatch):
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(ConfigError, match=f"{name}.*leave secrets in the environment") as error:
        parse_config({"name": f"${{{name}}}"})
    assert "hunter2" not in str(error.value)


def test_fifty_thousand_errors_are_reported_in_a_few_sentences(tmp_path):
    with pytest.raises(ConfigError, match=r"and \d+ more") as error:
        parse_config({f"{'x' * 1_000}{i}": i for i in range(50_000)})
    assert len(str(error.value)) < 10_000


@pytest.mark.parametrize("change", [{"files": ["x" * 5_000]}, {"files": ["a\0b"]}])
def test_an_impossible_file_name_is_rejected(tmp_path, change):
    sources = [
        {"name": role, "task_type": "text-classification", "role": role, "files": [f"{role}.csv"]}
        for role in ("train", "validation", "test")
    ]
    for role in ("train", "validation", "test"):
        (tmp_path / f"{role}.csv").write_text("text,label\n")
    sources[0] |= change
    with pytest.raises(ConfigError, match=r"no file at|names a path that cannot be read"):
        parse_config({"name": "toy", "sources": sources, "encoder": {"scratch": {}}}, folder=tmp_path)


def test_a_label_file_that_is_not_text_is_rejected(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n")
    (tmp_path / "labels").write_bytes(b"\xff\xfe\x00")
    roles = {"train": "labels", "validation": ["v"], "test": ["t"]}
    source = {"name": "a", "task_type": "text-classification", "label_roles": roles, "files": ["a.csv"]}
    with pytest.raises(ConfigError, match=r"the label file .* is not UTF-8"):
        parse_config({"name": "toy", "sources": [source], "encoder": {"scratch": {}}}, folder=tmp_path)


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_setting_that_is_not_finite_is_rejected(number):
    with pytest.raises(ConfigError, match=r"training\.learning_rate: .*finite"):
        parse_config({"training": {"learning_rate": number}})


KEYS = st.text(max_size=12) | st.integers()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(KEYS, each, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "name",
        "home",
        "seed",
        "sources",
        "encoder",
        "training",
        "evaluation",
        "selection",
        "files",
        "role",
        "hub",
    ]
)


@settings(max_examples=150, derandomize=True)
@given(st.dictionaries(NAMES | st.text(max_size=12), PLAIN, max_size=6))
def test_any_plain_values_are_a_configuration_or_rejected(values):
    try:
        text = parse_config(values).name
    except ConfigError as error:
        text = str(error)
    assert text.strip()
