"""`metamapping init` guesses columns, task types and roles, and what it writes is a valid configuration."""

import itertools
import json

import pytest

from metamapping.cli.guess import Given
from metamapping.cli.guessing import guess_file
from metamapping.cli.roles import assign_roles
from metamapping.config.loading import read_config
from metamapping.runs.label_spaces import check_run
from tests.cli.command import run_cli
from tests.corpus.toys import write_jsonl
from tests.project.test_readme import ROOT

SAMPLES = ROOT / "samples"
VERBS = ("tell me", "i want to ask", "somebody wrote", "we have heard", "nobody knows")
NOUNS = ("a story", "all of it", "the whole truth", "some more", "nothing new")


def write_csv(path, rows, header="text,label"):
    lines = [header] if header else []
    path.write_text("\n".join([*lines, *rows]) + "\n", encoding="utf-8")
    return str(path)


def intents(labels, *, per_label=20):
    """Rows of different texts for each label."""
    return [
        f"{verb} {noun} about the {label} please,{label}"
        for label in labels
        for verb, noun in itertools.islice(itertools.product(VERBS, NOUNS), per_label)
    ]


@pytest.mark.parametrize(
    ("name", "task_type", "text", "pair", "label", "header"),
    [
        ("bank.csv", "text-classification", "text", None, "intent", True),
        ("hotel.jsonl", "sentiment-analysis", "review", None, "rating", True),
        ("headphones.tsv", "sentiment-analysis", 0, None, 1, False),
        ("home-questions.csv", "text-classification", "question1", "question2", "meaning", True),
        ("home-statements.jsonl", "text-classification", "premise", "hypothesis", "label", True),
        ("news-notes.conll", "ner", 0, None, -1, True),
    ],
)
def test_the_samples_are_recognised(name, task_type, text, pair, label, header):
    guess = guess_file(str(SAMPLES / name))
    assert (guess.task_type, guess.text, guess.text_pair, guess.label) == (task_type, text, pair, label)
    assert guess.header is header


def test_columns_are_found_without_known_names(tmp_path):
    rows = [f"{i},2024-01-{i % 28 + 1:02},thing number {i} is broken again,{'AB'[i % 2]}x" for i in range(40)]
    guess = guess_file(write_csv(tmp_path / "a.csv", rows, "nr,date,what,queue"))
    assert (guess.text, guess.label) == ("what", "queue")


def test_columns_of_0_and_1_are_labels_unless_one_is_called_so(tmp_path):
    rows = [f"thing number {i} is broken again,{i % 2},{int(i % 3 == 0)}" for i in range(40)]
    guess = guess_file(write_csv(tmp_path / "a.csv", rows, "what,broken,urgent"))
    assert (guess.text, guess.label, guess.label_columns) == ("what", None, ("broken", "urgent"))
    assert (guess.multi_label, guess.labels) == (True, {"broken": 20, "urgent": 14})
    guess = guess_file(write_csv(tmp_path / "b.csv", rows, "what,label,verified"))
    assert (guess.label, guess.label_columns) == ("label", ())


def test_premises_that_come_again_are_the_first_texts_of_pairs(tmp_path):
    rows = [
        f"premise {i // 3} is said,hypothesis {i} follows from it,{['yes', 'no', 'maybe'][i % 3]}"
        for i in range(30)
    ]
    guess = guess_file(write_csv(tmp_path / "a.csv", rows, "premise,hypothesis,label"))
    assert (guess.text, guess.text_pair, guess.label) == ("premise", "hypothesis", "label")
    guess = guess_file(guess.path, Given(text_pair="premise"))
    assert (guess.text, guess.text_pair) == ("hypothesis", "premise")


def test_the_column_that_is_given_as_texts_is_not_that_of_labels(tmp_path):
    rows = ["good morning,greeting", "good morning,greeting", "good bye,farewell", "good bye,farewell"]
    guess = guess_file(write_csv(tmp_path / "a.csv", rows, "kind,what"), Given(text="kind"))
    assert (guess.text, guess.label) == ("kind", "what")


def test_days_are_no_labels(tmp_path):
    rows = [f"{i % 3},2024-01-{i % 5 + 1:02},thing number {i} is broken again" for i in range(40)]
    guess = guess_file(write_csv(tmp_path / "a.csv", rows, "nr,day,what"))
    assert (guess.text, guess.label) == ("what", "nr")


def test_fields_of_nested_objects_and_columns_of_words_are_found(tmp_path):
    rows = [{"review": {"body": f"it was number {i}"}, "meta": {"stars": i % 5 + 1}} for i in range(30)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    guess = guess_file(str(tmp_path / "a.jsonl"))
    assert (guess.text, guess.label, guess.task_type) == ("review.body", "meta.stars", "sentiment-analysis")
    rows = [{"id": i, "tokens": ["in", "Rome"], "ner_tags": ["O", "B-LOC"]} for i in range(5)]
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows)))
    guess = guess_file(str(tmp_path / "b.jsonl"))
    assert (guess.task_type, guess.text, guess.label) == ("ner", "tokens", "ner_tags")
    assert guess.labels == {"LOC": 5}


@pytest.mark.parametrize(
    ("rows", "text", "label"),
    [
        (
            [{"text": "in Rome", "label": [[3, 7, "LOC"]]}, {"text": "here", "label": []}],
            "text",
            "label",
        ),
        ([{"text": "in Rome", "spans": [{"start": 3, "end": 7, "label": "LOC"}]}], "text", "spans"),
        ([["in Rome", {"entities": [[3, 7, "LOC"]]}], ["here", {"entities": []}]], "text", "entities"),
        (
            [
                {
                    "data": {"body": "in Rome"},
                    "annotations": [{"result": [{"value": {"start": 3, "end": 7, "labels": ["LOC"]}}]}],
                }
            ],
            "data.body",
            "annotations",
        ),
    ],
)
def test_texts_with_spans_are_found(tmp_path, rows, text, label):
    write_jsonl(tmp_path / "spans.jsonl", rows)
    guess = guess_file(str(tmp_path / "spans.jsonl"))
    assert (guess.task_type, guess.text, guess.label) == ("ner", text, label)
    assert (guess.labels, guess.num_rows) == ({"LOC": 1}, len(rows))


def test_a_file_without_labels_is_refused_with_its_columns(tmp_path):
    file = write_csv(tmp_path / "a.csv", [f"{i},this is text number {i}" for i in range(30)], "id,body")
    with pytest.raises(ValueError, match=r"none of its columns looks like labels \(id, body\).*--label"):
        guess_file(file)
    with pytest.raises(ValueError, match="no column 'intent', but id, body: correct --label"):
        guess_file(file, Given(label="intent"))


def test_a_column_that_has_no_label_is_refused(tmp_path):
    span = {"start": 0, "end": 3, "label": "PER"}
    rows = [{"text": "Eve moved to London", "entities": [span]}, {"text": "Bob lives here", "spans": [span]}]
    file = write_jsonl(tmp_path / "a.jsonl", rows)
    with pytest.raises(ValueError, match=r"a\.jsonl: its column 'entities' has no label of a text"):
        guess_file(str(file), Given(label="entities"))


def test_names_of_files_decide_about_roles(tmp_path):
    names = ("x-test.csv", "x_train.csv", "x.dev.csv", "dev-x.csv")
    rows = intents(["refund", "delivery"])
    guesses = [guess_file(write_csv(tmp_path / name, rows)) for name in names]
    assert [each.role for each in assign_roles(guesses)] == ["test", "train", "train", "validation"]


def test_the_last_files_of_each_task_type_are_held_out():
    names = ["bank.csv", "gym.csv", "library.csv", "hotel.jsonl", "books.tsv", "restaurant.jsonl"]
    roles = assign_roles([guess_file(str(SAMPLES / name)) for name in [*names, "orders.conll"]])
    assert [each.role for each in roles] == ["train", "validation", "test"] * 2 + ["train"]


def test_the_labels_of_one_file_are_divided(tmp_path):
    file = write_csv(tmp_path / "one.csv", intents(list("abcdefg")))
    (roles,) = assign_roles([guess_file(file)])
    assert roles.label_roles == {"train": list("abc"), "validation": list("de"), "test": list("fg")}
    few = write_csv(tmp_path / "few.csv", intents(list("abc")))
    with pytest.raises(ValueError, match=r"has only 3 labels .* give at least 3 files"):
        assign_roles([guess_file(few)])


@pytest.mark.parametrize(
    "files", [["bank.csv"], ["gym.csv", "bank.csv"], ["*.csv", "*.tsv", "*.jsonl", "*.conll"]]
)
def test_what_is_written_is_a_configuration_that_can_be_run(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [str(path) for pattern in files for path in sorted(SAMPLES.glob(pattern))]
    assert run_cli("init", *paths, "--out", "made.yaml", "--encoder", "scratch") == 0
    config = read_config("made.yaml").at_home(str(tmp_path / "home"))
    assert len(config.sources) == len(paths)
    check_run(config)


def test_labels_with_too_few_examples_are_dropped_and_episodes_fit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        rows = intents(["refund", "delivery", "greeting"], per_label=12) + intents(["rare: one"], per_label=1)
        write_csv(tmp_path / f"{name}.csv", rows)
    assert run_cli("init", "a.csv", "b.csv", "c.csv", "--encoder", "scratch") == 0
    config = read_config("metamapping.yaml")
    assert [source.drop_labels for source in config.sources] == [["rare: one"]] * 3
    assert config.evaluation.shots == [0, 1, 4]
    assert config.evaluation.num_queries == 6
    check_run(config.at_home(str(tmp_path / "home")))


def test_a_configuration_is_not_overwritten_without_force(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metamapping.yaml").write_text("name: mine\n")
    files = [str(SAMPLES / name) for name in ("bank.csv", "gym.csv", "library.csv")]
    assert run_cli("init", *files, "--encoder", "scratch") == 2
    assert "metamapping.yaml exists already: give --force" in capsys.readouterr().err
    assert (tmp_path / "metamapping.yaml").read_text() == "name: mine\n"
    assert run_cli("init", *files, "--encoder", "scratch", "--force") == 0
    assert read_config("metamapping.yaml").encoder.scratch is not None


def test_columns_can_be_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"body {i} of it,title {i % 3} x,{'ab'[i % 2]},{'cd'[i % 2]}" for i in range(60)]
    for name in ("p", "q", "r"):
        write_csv(tmp_path / f"{name}.csv", rows, "body,title,label,queue")
    files = ("p.csv", "q.csv", "r.csv")
    assert run_cli("init", *files, "--label", "queue", "--text", "title", "--encoder", "scratch") == 0
    columns = read_config("metamapping.yaml").sources[0].columns
    assert (columns.text, columns.label) == ("title", "queue")


def test_codes_are_named_as_something_to_explain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = [str(SAMPLES / name) for name in ("gym.csv", "bank.csv", "library.csv")]
    assert run_cli("init", *files, "--encoder", "scratch") == 0
    assert "gym.csv are codes" in capsys.readouterr().err
    assert '# label_names: {"1": "…"' in (tmp_path / "metamapping.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("is_reached", [True, False])
def test_an_encoder_that_cannot_be_downloaded_is_told_at_once(tmp_path, monkeypatch, capsys, is_reached):
    monkeypatch.chdir(tmp_path)
    problem = None if is_reached else "ConnectError: no route to host"
    monkeypatch.setattr("metamapping.storage.hub_access._is_cached", lambda address: False)
    monkeypatch.setattr("metamapping.storage.hub_access._problem", lambda endpoint: problem)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert run_cli("init", *[str(SAMPLES / name) for name in ("gym.csv", "bank.csv", "library.csv")]) == 0
    assert read_config("metamapping.yaml").encoder.preset == "hf://sentence-transformers/all-MiniLM-L6-v2"
    told = "no route to host" in (printed := capsys.readouterr().err)
    assert told is not is_reached
    assert ("--encoder FOLDER" in printed) is not is_reached


def test_lists_of_labels_are_a_source_of_several_labels(tmp_path):
    lists = [["login", "urgent"], [], ["refund"], ["urgent"], ["login"], ["refund", "urgent"]]
    for name in ("mails", "chats", "calls"):
        rows = [{"text": f"{VERBS[i % 5]} {NOUNS[i % 4]} {i}", "labels": lists[i % 6]} for i in range(60)]
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    files = [tmp_path / f"{name}.jsonl" for name in ("mails", "chats", "calls")]
    guess = guess_file(str(files[0]), Given())
    assert (guess.multi_label, guess.labels) == (True, {"login": 20, "refund": 20, "urgent": 30})
    assert run_cli("init", *files, "--out", tmp_path / "run.yaml", "--encoder", "scratch") == 0
    config = read_config(tmp_path / "run.yaml")
    assert all(source.multi_label for source in config.sources)
    check_run(config)
    with pytest.raises(ValueError, match="the labels of texts that have several cannot be divided"):
        assign_roles([guess])


def test_labels_with_a_separator_are_a_source_of_several_labels(tmp_path):
    joined = ["login|urgent", "", "refund", "urgent", "login", "refund|urgent", "login|refund"]
    files = [tmp_path / f"{name}.csv" for name in ("mails", "chats", "calls")]
    for path in files:
        rows = [f"{VERBS[i % 5]} {NOUNS[i % 4]} {i},{joined[i % 7]}" for i in range(70)]
        path.write_text("\n".join(["text,label", *rows]))
    guess = guess_file(str(files[0]), Given())
    assert (guess.multi_label, guess.label_separator) == (True, "|")
    assert guess.labels == {"login": 30, "refund": 30, "urgent": 30}
    assert run_cli("init", *files, "--out", tmp_path / "run.yaml", "--encoder", "scratch") == 0
    config = read_config(tmp_path / "run.yaml")
    assert [source.label_separator for source in config.sources] == ["|"] * 3
    check_run(config)


def test_lists_of_labels_are_found_where_no_text_has_exactly_one(tmp_path):
    lists = [["login", "urgent"], [], ["refund", "urgent"], ["login", "refund"]]
    rows = [{"body": f"{VERBS[i % 5]} {NOUNS[i % 4]} {i}", "about": lists[i % 4]} for i in range(60)]
    guess = guess_file(str(write_jsonl(tmp_path / "mails.jsonl", rows)), Given())
    assert (guess.text, guess.label, guess.multi_label) == ("body", "about", True)
    assert guess.labels == {"login": 30, "refund": 30, "urgent": 30}
