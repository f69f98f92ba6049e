"""Grades of reviews: which stars follow from several thresholds, and draws of one size for each grade."""

import numpy as np
import pytest

from benchmarks.grades import draw, grade_of, measure, read_reviews


@pytest.mark.parametrize(
    ("labels", "grade"),
    [
        ({"t2": "-1"}, 0),
        ({"t2": "1", "t4": "-1"}, 1),
        ({"t4": "1", "t5": "-1"}, 2),
        ({"t5": "1"}, 3),
        ({"t2": "1"}, None),
        ({"t4": "-1"}, None),
        ({"t5": "-1"}, None),
        ({"t2": "1", "t4": "1"}, None),
    ],
)
def test_a_grade_is_known_only_where_the_thresholds_leave_one(labels, grade):
    assert grade_of(labels) == grade


def test_reviews_are_joined_over_files_and_as_many_kept_of_the_ends_as_of_four_stars(tmp_path):
    files = {
        "books.t2.train": [("low", -1), ("lower", -1), ("mixed", 1)],
        "books.t4.dev": [("mixed", -1), ("good", 1)],
        "books.t5.test": [("good", -1), ("high", 1), ("higher", 1)],
        "other.t2.train": [("elsewhere", -1)],
    }
    for name, rows in files.items():
        (tmp_path / name).write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    texts, grades = read_reviews(tmp_path, ["books"])
    assert sorted(grades.tolist()) == [0, 1, 2, 3]
    assert {"mixed", "good"} < set(texts)


def test_a_draw_has_as_many_reviews_of_every_grade():
    grades = np.repeat(np.arange(4), [30, 12, 40, 50])
    rows, tested = draw(grades, 4, seed=1)
    assert np.bincount(grades[rows]).tolist() == [4] * 4
    assert np.bincount(grades[tested]).tolist() == [8] * 4
    assert not set(rows) & set(tested)


def test_the_measures_of_one_grade_too_high():
    assert measure(np.array([0, 1, 2, 3]), np.array([1, 1, 2, 3]))["MAE"] == 0.25
    assert measure(np.array([0, 1, 2, 3]), np.array([1, 1, 2, 3]))["accuracy"] == 75
