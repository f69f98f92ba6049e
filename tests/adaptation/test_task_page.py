"""The page of a task: its scores, its labels, its worst examples, and nothing that could run."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Examples, empty_support
from metamapping.adaptation.cross_validation import cross_validate
from metamapping.adaptation.label_checks.label_checks import check_labels
from metamapping.adaptation.multi_label.label_decisions import decide, undecided
from metamapping.adaptation.multi_label.multi_label_scores import cross_validate_lists
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState, left_out_label_scores
from metamapping.adaptation.saved.task_folder import SavedTask
from metamapping.adaptation.task_page import task_page
from metamapping.adaptation.task_page_rows import MAX_CHARACTERS, MAX_ERRORS
from tests.adaptation.test_label_noise import DIM, RIDGE, noisy_state
from tests.html.reading import HOSTILE, check_harmless


def page_of(state, name="orders"):
    return task_page(SavedTask(Path(f"/tasks/{name}"), state, "/encoders/published", "0123456789abcdef"))


def word_state(num_sentences=12):
    """A ``ner`` task of two words a sentence, of which the second is a city, but for two that are not."""
    rng = np.random.default_rng(0)
    targets = np.tile([0, 1], num_sentences).astype(np.int32)
    features = rng.normal(scale=0.1, size=(2 * num_sentences, DIM)).astype(np.float32)
    features[np.arange(2 * num_sentences), targets] += 1.0
    targets[[1, 3]] = 0
    H, Y = features, np.eye(2)[targets] - 0.5
    weights = np.linalg.solve(H.T @ H + RIDGE * np.eye(DIM), H.T @ Y)
    weights = np.concatenate([weights, np.zeros((1, 2))]).astype(np.float32)
    words = [["in", f"town{i}"] for i in range(num_sentences)]
    tags = [["O", "O" if targets[2 * i + 1] == 0 else "B-city"] for i in range(num_sentences)]
    support = empty_support(DIM).plus(
        Examples(words, tags, None), features, np.arange(0, 2 * num_sentences + 1, 2), targets
    )
    state, _, _ = noisy_state(0.0, num_examples=8)
    solution = Solution(weights, np.zeros_like(weights), RIDGE)
    return replace(
        state,
        task_type="ner",
        labels=("O", "city"),
        names=("", "city"),
        name_features=np.zeros((2, DIM), np.float32),
        support=support,
        solution=solution,
        calibration=replace(state.calibration, scale=10.0),
    )


def list_state(num_texts=60):
    """A task of lists of labels in clusters: a, b, both, or none; text 0 has b instead of a."""
    rng = np.random.default_rng(0)
    state, _, _ = noisy_state(0.0, num_examples=8)
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * (num_texts // 4), np.int32)
    features = rng.normal(scale=0.1, size=(num_texts, DIM)).astype(np.float32)
    features[:, :2] += targets
    targets[0] = [0, 1]
    texts = [f"text {i}" for i in range(num_texts)]
    lists = [[label for label, has in zip("ab", row, strict=True) if has] for row in targets]
    support = replace(empty_support(DIM), targets=np.zeros((0, 2), np.int32)).plus(
        Examples(texts, lists, None), features, np.arange(num_texts + 1), targets
    )
    shared = replace(
        state, labels=tuple("ab"), names=tuple("ab"), name_features=state.name_features[:2], support=support
    )
    H = np.concatenate([features, np.ones((num_texts, 1))], axis=1)
    weights = np.linalg.solve(H.T @ H + RIDGE * np.eye(DIM + 1), H.T @ targets).astype(np.float32)
    shared = replace(shared, solution=Solution(weights, np.zeros_like(weights), RIDGE))
    state = MultiLabelState(**vars(shared), decisions=undecided(2, 10.0))
    decisions = decide(left_out_label_scores(state), targets, inverse_temperature=10.0)
    return replace(state, decisions=decisions)


def test_the_page_of_each_kind_of_task_needs_no_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    state, _, _ = noisy_state(0.2, num_examples=60)
    assert cross_validate(state).scores.confusions
    for each in (state, word_state(), list_state()):
        assert page_of(each).startswith("<!")


def test_the_page_has_the_scores_of_cross_validation():
    state, _, _ = noisy_state(0.1, num_examples=120)
    read, result = check_harmless(page_of(state)), cross_validate(state)
    assert f"accuracy {result.scores.scores['accuracy']}" in read.text
    assert f"{len(result.errors)}examples that the others predict wrongly" in read.text
    for name in ("labels", "Confusion", "Suspicious labels", "The worst examples", "/encoders/published"):
        assert name in read.text


def test_the_confusion_table_has_every_example_once():
    state, _, _ = noisy_state(0.2, num_examples=120)
    page = page_of(state)
    table = page[page.index('<table class="confusion">') :]
    cells = [
        int(cell.partition("<")[0] or 0)
        for cell in table[: table.index("</table>")].split('">')[2:]
        if cell.partition("<")[0].isdigit()
    ]
    assert sum(cells) == 120


def test_suspicious_labels_and_the_worst_examples_have_other_examples_next_to_them():
    state, _, _ = noisy_state(0.1, num_examples=120)
    page, (first, *_) = page_of(state), check_labels(state)
    row = next(row for row in page.split("<tr>") if f"<bdi>{first.text}</bdi></td>" in row)
    assert f"{first.probability:.2f}" in row
    assert all(f"<bdi>{near.text}</bdi>" in row for near in first.neighbours)
    worst = page[page.index("The worst examples") :]
    error = cross_validate(state).errors[0]
    own, near = worst.split("<tr>")[2].split('<td class="text small">')
    assert f"<bdi>{error.text}</bdi>" in own
    assert f"<bdi>{error.text}</bdi>" not in near
    assert near.count('<span class="tag">') == 3


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_labels_and_names_of_data_stay_texts(text):
    state, _, _ = noisy_state(0.2, num_examples=40)
    labels = (text, *"bcd")
    support = replace(state.support, texts=tuple([text] * 40))
    state = replace(state, labels=labels, names=labels, support=support)
    read = check_harmless(page_of(state, name="orders"))
    assert read.text.count(text) > 10


def test_a_task_without_examples_says_why_it_has_no_scores():
    state, _, _ = noisy_state(0.0, num_examples=8)
    read = check_harmless(page_of(replace(state, support=empty_support(DIM))))
    assert "the task has no examples to leave out" in read.text
    assert "Confusion" not in read.text


def test_a_task_saved_without_texts_has_no_list_of_examples():
    state, _, _ = noisy_state(0.2, num_examples=40)
    support = replace(state.support, texts=(None,) * 40)
    read = check_harmless(page_of(replace(state, support=support)))
    assert "(the task was saved without texts)" in read.text
    assert "by label" not in read.text


def test_entities_are_shown_with_their_words():
    read = check_harmless(page_of(word_state()))
    assert "entity F1" in read.text
    assert "city: town0" in read.text  # predicted, but not labelled
    assert "no entity" in read.text


def test_a_word_that_is_labelled_wrongly_is_named_with_its_sentence():
    state = word_state()
    page, (first, *_) = page_of(state), check_labels(state)
    assert (first.excerpt, first.label, first.suggested) == ("town0", "O", "city")
    row = next(row for row in page.split("<tr>") if "<td><bdi>town0</bdi></td>" in row)
    assert "<bdi>city</bdi>" in row
    assert "<bdi>in town0</bdi>" in row
    assert "Words whose label is probably wrong" in check_harmless(page).text
    without = replace(state, support=replace(state.support, texts=(None,) * 12))
    assert "(the task was saved without texts)" in check_harmless(page_of(without)).text


def test_a_task_of_lists_of_labels_has_a_page():
    state = list_state()
    page, (first, *_) = page_of(state), check_labels(state)
    assert (first.index, first.label, first.suggested) == (0, ["b"], ["a"])
    suspicious = page[page.index("Suspicious labels") : page.index("The worst examples")]
    row = next(row for row in suspicious.split("<tr>") if "<bdi>text 0</bdi></td>" in row)
    assert "<bdi>b</bdi></td><td><bdi>a</bdi></td>" in row
    assert row.count('<span class="tag">') == 3
    read = check_harmless(page)
    assert f"macro-F1 {cross_validate_lists(state).scores.scores['macro-F1']}" in read.text
    assert "no label" in read.text
    assert "Confusion" not in read.text


def test_long_texts_and_many_errors_are_cut():
    state, _, _ = noisy_state(0.9, num_examples=200)
    support = replace(state.support, texts=tuple("x" * 10_000 for _ in range(200)))
    page = page_of(replace(state, support=support))
    assert "x" * (MAX_CHARACTERS + 1) not in page
    more = len(cross_validate(state).errors) - MAX_ERRORS
    assert f"and {more} more: <code>metamapping evaluate /tasks/orders --errors errors.csv</code>" in page


def test_numbers_and_booleans_as_labels_are_shown_as_texts():
    state, _, _ = noisy_state(0.2, num_examples=40)
    state = replace(state, labels=(1, 2, 3, 4), names=("one", "two", "three", "four"))
    read = check_harmless(page_of(state))
    assert "name that the encoder reads" in read.text
    assert "three" in read.text
