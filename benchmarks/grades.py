"""Grades: review stars as grades against the same labels without an order, with the same examples.

    METAMAPPING_DATA=path/to/data python -m benchmarks.grades --cache features

ARSC's files hold each review with one threshold on its stars, and some reviews with two or three thresholds:
of these, and of both ends, the stars are known as one of four grades (one or two stars, three, four, five).
Reviews of three stars are rare, so that the domains are pooled: what was chosen was chosen on the domains of
`CHOSEN_ON`, and the table is of all others. Both ways have the same untrained all-MiniLM-L6-v2 and the same
examples; each predicts the same number of reviews of every grade.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.multi_label import KeptFeatures
from benchmarks.paired import compare
from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.grade_scores import mean_absolute_error, quadratic_kappa
from metamapping.adaptation.state import TaskState, empty_state
from metamapping.adaptation.state_changes import with_examples, with_grades
from metamapping.rounds.intervals import Estimate

SHOTS = (4, 8, 16)
GRADES = ("bad", "mixed", "good", "excellent")  # one or two stars, three, four, five
CHOSEN_ON = ("apparel", "beauty", "computer_video_games", "magazines", "outdoor_living", "sports_outdoors")
_TESTED = 40  # reviews of each grade in a draw, or all that are left
_SEED = 0


class Reviews(NamedTuple):
    """Reviews with their features ``(num_reviews, text_dim)`` and grades, int ``(num_reviews,)``."""

    features: np.ndarray
    grades: np.ndarray


def grade_of(labels: Mapping[str, str]) -> int | None:
    """The grade of a review by its labels at the thresholds ``t2``, ``t4`` and ``t5``; ``None`` if unknown.

    >>> grade_of({"t2": "1", "t4": "-1"}), grade_of({"t4": "1"})
    (1, None)
    """
    if labels.get("t2") == "-1":
        return 0
    if labels.get("t5") == "1":
        return 3
    if labels.get("t4") == "1" and labels.get("t5") == "-1":
        return 2
    return 1 if labels.get("t2") == "1" and labels.get("t4") == "-1" else None


def read_reviews(folder: Path, domains: list[str]) -> tuple[list[str], np.ndarray]:
    """The different reviews of some domains whose grade is known, and their grades.

    Of the two ends there are many; as many are drawn as there are reviews of four stars.
    """
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    for domain in domains:
        for path in sorted(folder.glob(f"{domain}.t?.*")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                text, _, label = line.rpartition("\t")
                labels[text.strip()][path.name.split(".")[1]] = label.strip()
    graded = [(text, grade) for text, of in labels.items() if text and (grade := grade_of(of)) is not None]
    grades = np.array([grade for _, grade in graded])
    rng, limit = np.random.default_rng(_SEED), int((grades == 2).sum())
    kept = [rng.permutation(np.flatnonzero(grades == grade))[:limit] for grade in range(len(GRADES))]
    rows = np.sort(np.concatenate(kept))
    return [graded[row][0] for row in rows], grades[rows]


def encode_reviews(cache: Path, *, is_choice: bool) -> tuple[Reviews, np.ndarray]:
    """The reviews of the chosen domains or of all others, and the features of the grades' names."""
    folder = Path(os.environ["METAMAPPING_DATA"]) / "sentiment-analysis" / "arsc"
    domains = [
        each
        for each in sorted({path.name.split(".")[0] for path in folder.iterdir()})
        if (each in CHOSEN_ON) is is_choice
    ]
    texts, grades = read_reviews(folder, domains)
    path = cache / f"grades-{'choice' if is_choice else 'test'}.npz"
    if not path.is_file():
        from benchmarks.encoders import untrained_mapper  # it imports TensorFlow
        from benchmarks.real_run import packaged_encoder

        featurizer = untrained_mapper(packaged_encoder()).featurizer
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, features=featurizer.texts(texts), names=featurizer.names(list(GRADES)))
    kept = np.load(path)
    return Reviews(kept["features"], grades), kept["names"]


def draw(grades: np.ndarray, shots: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The examples of a draw, and the reviews that are predicted, as many of every grade."""
    rng = np.random.default_rng([seed, shots])
    rows = [rng.permutation(np.flatnonzero(grades == grade)) for grade in range(len(GRADES))]
    tested = min(_TESTED, min(map(len, rows)) - shots)
    return (
        np.concatenate([each[:shots] for each in rows]),
        np.concatenate([each[shots : shots + tested] for each in rows]),
    )


def solve(reviews: Reviews, names: np.ndarray, rows: np.ndarray, *, is_ordinal: bool) -> TaskState:
    """The task of some examples, with or without an order of its labels."""
    featurizer: Any = KeptFeatures(reviews.features, dict(zip(GRADES, names, strict=True)))
    state = empty_state(featurizer, "sentiment-analysis")
    if is_ordinal:
        state = with_grades(featurizer, state, GRADES, {})
    labels: list[Any] = [GRADES[grade] for grade in reviews.grades[rows]]
    return with_examples(featurizer, state, Examples(list(map(str, rows)), labels, None), {})


def predict(state: TaskState, features: np.ndarray) -> np.ndarray:
    """The predicted grades, int ``(num_texts,)``; without an order labels are in that of the examples."""
    best = state.best(state.solution.scores(features))
    places = np.array([GRADES.index(str(label)) for label in state.labels])
    predicted: np.ndarray = places[best]
    return predicted


def measure(gold: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Accuracy in percent, mean absolute error in grades, and quadratic kappa."""
    table = np.zeros((1, len(GRADES), len(GRADES)))
    np.add.at(table[0], (gold, predicted), 1)
    return {
        "accuracy": 100 * float((gold == predicted).mean()),
        "MAE": float(mean_absolute_error(table)[0]),
        "kappa": float(quadratic_kappa(table)[0]),
    }


def run_draws(
    reviews: Reviews, names: np.ndarray, shots: int, num_draws: int
) -> dict[str, dict[str, list[float]]]:
    """For both ways the measures of each draw, by name."""
    found: dict[str, dict[str, list[float]]] = {way: defaultdict(list) for way in ("plain labels", "grades")}
    for seed in range(num_draws):
        rows, tested = draw(reviews.grades, shots, seed)
        for way, measures in found.items():
            state = solve(reviews, names, rows, is_ordinal=way == "grades")
            predicted = predict(state, reviews.features[tested])
            for name, value in measure(reviews.grades[tested], predicted).items():
                measures[name].append(value)
    return found


def main() -> None:
    """Print the table of "Grades: review stars" in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("build/grades"), help="folder for features")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--choice", action="store_true", help="the domains on which the method was chosen")
    options = parser.parse_args()
    reviews, names = encode_reviews(options.cache, is_choice=options.choice)
    print(f"{np.bincount(reviews.grades).tolist()} reviews of {', '.join(GRADES)}\n")
    print("| examples | measure | plain labels | grades | difference |\n| --- | --- | --- | --- | --- |")
    for shots in SHOTS:
        found = run_draws(reviews, names, shots, options.draws)
        for name, form in _FORMS.items():
            plain, graded = (found[way][name] for way in ("plain labels", "grades"))
            difference = compare({"grades": graded, "plain": plain}, "grades", "plain")
            print(
                f"| {shots} | {name} | {form(np.mean(plain))} | {form(np.mean(graded))} | "
                f"{_signed(difference, form)} |"
            )


def _signed(difference: Estimate, form: Callable[[Any], str]) -> str:
    mean, low, high = (
        form(value) if value < 0 else f"+{form(value)}"
        for value in (difference.mean, difference.low, difference.high)
    )
    return f"{mean} [{low}, {high}]"


_FORMS: dict[str, Callable[[Any], str]] = {
    "accuracy": lambda value: f"{value:.1f}",
    "MAE": lambda value: f"{value:.3f}",
    "kappa": lambda value: f"{value:.3f}",
}

if __name__ == "__main__":
    main()
