"""Whole runs on sources whose texts have several labels, or grades: from files to the published folder."""

from __future__ import annotations

import numpy as np
import pytest

from metamapping.config.loading import parse_config
from metamapping.corpus.shards import read_shards
from metamapping.publishing.layout import CARD, read_settings
from metamapping.runs.label_spaces import check_run
from metamapping.runs.page_tables import read_failures
from metamapping.runs.pipeline import prepare_on_screen, run_pipeline
from tests.corpus.toys import write_jsonl
from tests.processor import needs_int8

pytestmark = pytest.mark.slow

WORDS = {"red": "apple cherry rose brick", "blue": "sea sky ink jeans", "green": "leaf grass frog pea"}
GRADES = {
    "bad": "broken awful ugly never",
    "fair": "usual plain normal okay",
    "good": "lovely great super fine",
}


def several_labels(rng, number):
    rows = []
    for i in range(number):
        labels = [label for label in WORDS if rng.random() < 0.4]
        words = [word for label in labels for word in rng.choice(WORDS[label].split(), 2)] or ["empty", "box"]
        rows.append({"text": f"{' '.join(words)} number {i} {rng.integers(1000)}", "labels": labels})
    return rows


def graded(rng, number):
    return [
        {"text": f"{' '.join(rng.choice(GRADES[grade].split(), 2))} {i} {rng.integers(1000)}", "label": grade}
        for i in range(number)
        for grade in GRADES
    ]


def config_of(folder, **sections):
    rng = np.random.default_rng(0)
    sources = []
    for name, role in (("fruit", "train"), ("garden", "validation"), ("shop", "test")):
        path = write_jsonl(folder / f"{name}.jsonl", several_labels(rng, 60))
        several = {"multi_label": True, "label_names": {"red": "the colour red"}}
        sources.append({"name": name, "role": role, "files": [str(path)], **several})
    for name, role in (("books", "train"), ("films", "validation"), ("games", "test")):
        path = write_jsonl(folder / f"{name}.jsonl", graded(rng, 14))
        sources.append({"name": name, "role": role, "files": [str(path)], "ordinal": list(GRADES)})
    return parse_config(
        {
            "name": "toy",
            "home": str(folder / "home"),
            "sources": [{"task_type": "text-classification", **source} for source in sources],
            "encoder": {
                "scratch": {
                    "vocabulary_size": 200,
                    "num_layers": 1,
                    "num_heads": 2,
                    "hidden_dim": 16,
                    "intermediate_dim": 16,
                },
                "max_length_tokens": 16,
            },
            "filters": {"min_characters": 1},
            "episodes": {"num_texts": 16, "num_splits": 2, "max_shots": 2, "max_ways": 3},
            "training": {"meta_steps": 4, "warmup_steps": 1, "learning_rate": 1e-3},
            "evaluation": {"ways": 3, "shots": [0, 2], "num_queries": 3, "num_episodes": 3},
            "convergence": {"max_rounds": 1},
            **sections,
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = config_of(tmp_path_factory.mktemp("run"))
    check_run(config)
    return run_pipeline(config)


def test_shards_have_the_labels_as_lists_and_those_of_other_sources_do_not(run):
    tokens = {each.name: read_shards(each.path) for each in run.corpus.tokens}
    lists = tokens["fruit"]["labels"].to_pylist()
    assert [] in lists
    assert ["blue", "red"] in lists
    assert '["blue", "red"]' in tokens["fruit"]["label"].to_pylist()
    assert "labels" not in tokens["books"].column_names


def test_all_sources_are_trained_on_with_finite_losses(run):
    (judged,) = run.read_history()
    losses = judged.report.training.source_losses
    assert set(losses) == {"fruit", "books"}
    assert np.isfinite(list(losses.values())).all()


def test_the_score_of_several_labels_is_macro_f1_and_micro_f1_is_beside_it(run):
    (judged,) = run.read_history()
    of = {(cell.source, cell.shots): cell for cell in judged.report.cells}
    for shots in (0, 2):
        cell = of["garden", shots]
        assert (cell.metric, cell.ways) == ("macro-F1", 0)
        lengths = map(len, (cell.scores, cell.measures["micro-F1"], cell.baseline_measures["micro-F1"]))
        assert list(lengths) == [3, 3, 3]
        assert set(of["films", shots].measures) == {"MAE", "quadratic kappa"}
    assert read_failures(run, "test", 0)[0].nothing == "no label"


def test_the_card_and_the_page_show_both_measures(run):
    card, page = (run.published / CARD).read_text(), run.page.read_text()
    for name in ("macro-F1", "micro-F1", "MAE", "quadratic kappa"):
        assert name in card
        assert name in page
    assert card.count("type: f1") == 2  # both numbers of shots of the source with several labels


@needs_int8
def test_8_bits_are_measured_on_the_validation_sources_and_the_card_says_so(run):
    check = read_settings(run.published).int8
    (judged,) = run.read_history()
    # Those of the checkpoint that is published; the baseline is that before meta-training.
    best = judged.verdict.best_round
    exact = np.mean([np.mean(cell.scores if best else cell.baseline) for cell in judged.report.cells])
    assert check.num_sources == len({cell.source for cell in judged.report.cells})
    assert check.float32 == pytest.approx(exact, abs=1e-6)
    assert abs(check.int8 - exact) < 0.1
    assert check.figures in (run.published / CARD).read_text()


def test_grades_given_later_do_not_prepare_a_source_again(run, tmp_path):
    settings = run.config.model_dump(exclude_none=True)
    settings["sources"] = [{k: v for k, v in each.items() if k != "ordinal"} for each in settings["sources"]]
    plain = prepare_on_screen(parse_config(settings)).corpus
    assert plain.fingerprints == run.corpus.fingerprints
