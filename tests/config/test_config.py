"""Invalid configurations are rejected with a sentence that names the source, the value and the fix."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from metamapping.config.loading import describe_settings, parse_config, read_config
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Columns, readable_label
from metamapping.errors import ConfigError


@pytest.fixture
def values(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("text,label\nx,y\n")
    sources = [
        {"name": name, "task_type": "text-classification", "role": role, "files": [f"{name}.csv"]}
        for name, role in (("a", "train"), ("b", "validation"), ("c", "test"))
    ]
    return {"name": "toy", "sources": sources, "encoder": {"scratch": {}}}


def assert_rejected(values, tmp_path, match):
    with pytest.raises(ConfigError, match=match):
        parse_config(values, folder=tmp_path)


def test_a_valid_configuration_has_absolute_paths(values, tmp_path):
    config = parse_config(values, folder=tmp_path)
    assert config.sources[0].files == [str(tmp_path / "a.csv")]


def test_a_misspelt_key_is_named_with_a_suggestion(values, tmp_path):
    values["sources"][1]["colums"] = {}
    assert_rejected(values, tmp_path, r"sources\.1\.colums \(source 'b'\): .*did you mean 'columns'")


def test_a_misspelt_section_is_named_with_a_suggestion(values, tmp_path):
    values["trainning"] = {}
    assert_rejected(values, tmp_path, "trainning: there is no such setting; did you mean 'training'")


def test_an_unknown_task_type_is_rejected(values, tmp_path):
    values["sources"][0]["task_type"] = "sentiments"
    assert_rejected(
        values,
        tmp_path,
        r"source 'a'.*'ner', 'sentiment-analysis' or 'text-classification', got 'sentiments'",
    )


def test_a_missing_file_is_rejected(values, tmp_path):
    values["sources"][0]["files"] = ["nowhere.csv"]
    assert_rejected(values, tmp_path, r"source 'a': no file at .*nowhere\.csv: correct `files`")


def test_a_missing_file_is_rejected_with_the_nearest_name(values, tmp_path):
    (tmp_path / "Reviews-2024.csv").write_text("text,label\nx,y\n")
    values["sources"][0]["files"] = ["reviews-2042.csv"]
    assert_rejected(values, tmp_path, r"source 'a': no file at .*2042\.csv: did you mean 'Reviews-2024\.csv'")


def test_files_are_found_by_patterns_folders_and_home(values, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("in/b.csv", "in/a.csv.gz", "in/readme.md", "in/.c.csv", "in/deep/d.csv", "home/e[1].csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text,label\nx,y\n")

    def found(files, **settings):
        values["sources"][0] |= {"files": files, **settings}
        paths = parse_config(values, folder=tmp_path).sources[0].files
        return [str(Path(path).relative_to(tmp_path)) for path in paths]

    assert found("in") == ["in/a.csv.gz", "in/b.csv"]
    assert found("in/*.csv") == ["in/b.csv"]
    assert found(["in/b.csv", "in/**/*.csv", "~/e[1].csv"]) == ["in/b.csv", "in/deep/d.csv", "home/e[1].csv"]
    assert found("in", format="csv") == ["in/a.csv.gz", "in/b.csv", "in/readme.md"]
    values["sources"][0]["files"] = "x/*.csv"
    assert_rejected(values, tmp_path, r"source 'a': no file matches the pattern .*x/\*\.csv")
    values["sources"][0]["files"] = "~nobody-here/a.csv"
    assert_rejected(values, tmp_path, r"source 'a': no file at ~nobody-here/a\.csv: .*home")
    (tmp_path / "empty").mkdir()
    values["sources"][0] |= {"files": "empty", "format": None}
    assert_rejected(values, tmp_path, "source 'a': the folder .*empty has no files with a known suffix")


def test_patterns_of_two_roles_must_not_share_a_file(values, tmp_path):
    values["sources"][0]["files"] = "*.csv"
    assert_rejected(values, tmp_path, "is used by 'a' as train and by 'b' as validation")


def test_two_roles_must_not_share_a_source(values, tmp_path):
    values["sources"][2]["files"] = ["./a.csv"]
    assert_rejected(
        values, tmp_path, "used by 'a' as train and by 'c' as test: two roles must not share a source"
    )


def test_two_sources_must_not_share_a_name(values, tmp_path):
    values["sources"][2]["name"] = "a"
    assert_rejected(values, tmp_path, "two sources are named 'a'")


@pytest.mark.parametrize("role", ["train", "validation", "test"])
def test_every_role_needs_a_source(values, tmp_path, role):
    values["sources"] = [source for source in values["sources"] if source["role"] != role]
    assert_rejected(values, tmp_path, f"no source has the role '{role}'")


def test_label_roles_must_be_disjoint(values, tmp_path):
    del values["sources"][0]["role"]
    values["sources"][0]["label_roles"] = {"train": ["x", "y"], "test": ["y"]}
    assert_rejected(
        values, tmp_path, "label 'y' is listed under train and test: list each label under one role"
    )


def test_label_roles_are_read_from_files(values, tmp_path):
    (tmp_path / "train.txt").write_text("x\ny\n")
    del values["sources"][0]["role"]
    values["sources"][0]["label_roles"] = {"train": "train.txt", "test": ["z"]}
    config = parse_config(values, folder=tmp_path)
    assert config.sources[0].label_roles == {"train": ["x", "y"], "test": ["z"]}


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "a" * 101, "a..b"])
def test_names_cannot_leave_the_store(values, tmp_path, name):
    values["sources"][0]["name"] = name
    assert_rejected(values, tmp_path, "must be 1 to 100 letters")


def test_an_encoder_is_either_pretrained_or_from_scratch(values, tmp_path):
    values["encoder"] = {}
    assert_rejected(values, tmp_path, "either `preset` or `scratch`")


def test_an_unset_variable_is_named(values, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_ROOT", raising=False)
    values["sources"][0]["files"] = ["${NO_SUCH_ROOT}/a.csv"]
    assert_rejected(values, tmp_path, r"uses \$\{NO_SUCH_ROOT\}, but that variable is not set")


def test_variables_are_replaced_from_the_environment(values, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_ROOT", str(tmp_path))
    values["sources"][0]["files"] = ["${SOME_ROOT}/a.csv"]
    assert parse_config(values, folder=tmp_path).sources[0].files == [str(tmp_path / "a.csv")]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("- a list", "must contain a mapping"),
        ("a: [", "is not readable YAML"),
        ("!!python/object:os.x {}", "not readable"),
    ],
)
def test_a_file_without_a_configuration_is_rejected(tmp_path, text, match):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=match):
        read_config(tmp_path / "c.yaml")


def test_a_configuration_is_the_same_after_yaml(values, tmp_path):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    assert read_config(tmp_path / "c.yaml") == parse_config(copy.deepcopy(values), folder=tmp_path)


def test_labels_are_split_into_words():
    assert readable_label("card_paymentFee", {}) == "card payment fee"
    assert readable_label("1", {"1": "positive"}) == "positive"


def test_every_setting_is_described():
    text = describe_settings()
    for line in ("sources[].columns.text", "training.learning_rate (default 3e-05)", "convergence.patience"):
        assert line in text
    for line in text.splitlines():
        _, _, description = line.partition(": ")
        assert re.match(r"[A-Z`].*[^ ].*\.$", description), line
        assert not description.startswith("Of "), line


def test_a_home_may_be_an_address(values, tmp_path):
    values["home"] = "s3://bucket/home/"
    config = parse_config(values, folder=tmp_path)
    assert config.home == "s3://bucket/home"
    assert config.at_home("gs://other/home").home == "gs://other/home"


@pytest.mark.parametrize(
    "home", ["s3://AKIA:hunter2@bucket/home", "s3://bucket/home?secret=hunter2", "s3://bucket/#hunter2"]
)
def test_an_address_with_credentials_is_rejected_without_repeating_them(values, tmp_path, home):
    values["home"] = home
    assert_rejected(values, tmp_path, "holds credentials or options.*credentials in the environment")
    with pytest.raises(ConfigError) as error:
        parse_config(values, folder=tmp_path)
    assert "hunter2" not in str(error.value)
    with pytest.raises(ValueError, match="holds credentials") as error:
        RunConfig.model_validate(values)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("home", ["s3://", "s3://bucket/../other", "S3://bucket", "simplecache::s3://bucket"])
def test_an_invalid_address_of_a_folder_is_rejected(values, tmp_path, home):
    values["home"] = home
    assert_rejected(values, tmp_path, "is not a valid address of a folder")


def test_a_read_only_address_is_rejected(values, tmp_path):
    values["home"] = "https://example.org/home"
    assert_rejected(values, tmp_path, "is read-only")


@pytest.mark.parametrize("column", ["text", "text_pair", "label"])
@pytest.mark.parametrize("word", ["no", "yes", "off", "true"])
def test_a_boolean_is_no_column(values, tmp_path, column, word):
    values["sources"][0]["columns"] = yaml.safe_load(f"{column}: {word}")
    place = rf"sources\.0\.columns\.{column}\S* \(source 'a'\)"
    assert_rejected(
        values, tmp_path, rf"{place}: a boolean is neither a name.* in quotes.*, got (True|False)"
    )
    with pytest.raises(ValueError, match="in quotes"):
        Columns(**{column: word in ("yes", "true")})
    values["sources"][0]["columns"] = {column: word}
    parse_config(values, folder=tmp_path)


@pytest.mark.parametrize(
    ("section", "setting", "value"),
    [
        ("filters", "min_words", True),
        ("evaluation", "shots", [1, True]),
        ("duplicates", "threshold", True),
        ("training", "learning_rate", True),
    ],
)
def test_a_boolean_is_no_number(values, tmp_path, section, setting, value):
    values[section] = {setting: value}
    assert_rejected(values, tmp_path, rf"{section}\.{setting}: a boolean is not a number")


def test_booleans_in_lists_and_names_of_labels_are_rejected(values, tmp_path):
    values["sources"][0] |= {"label_names": {False: "refused"}, "labels": [True, False]}
    assert_rejected(values, tmp_path, r"(?s)labels .*in quotes.*label_names .*in quotes")
