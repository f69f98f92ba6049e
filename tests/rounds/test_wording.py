"""What people read about a round."""

from metamapping.config.rounds import ConvergenceSpec
from metamapping.rounds.records import AVERAGE, START, Adjustment, Round
from metamapping.rounds.tables import rounds_markdown, source_shots_markdown
from metamapping.rounds.verdict import judge
from metamapping.rounds.wording import count, describe_next, describe_round
from tests.toy_rounds import toy_history, toy_report


def judged(accuracies, *, max_rounds=9, **options):
    reports = toy_history(accuracies, **options)
    spec = ConvergenceSpec(max_rounds=max_rounds)
    return [Round(report=r, verdict=judge(reports[: i + 1], spec)) for i, r in enumerate(reports)]


def test_a_round_is_described_in_one_line():
    first, second = judged([0.6, 0.6])
    assert describe_round(first).startswith("round 1: accuracy 0.600 [")
    assert describe_round(first).endswith("since the start: clear gain")
    assert describe_round(second).endswith(" over round 1: no clear gain yet")


def test_the_line_of_a_round_says_what_comes_next_without_the_reasons():
    changes = [
        Adjustment(field=START, old=3, new=1, why="no clear gain: back to the best round"),
        Adjustment(field="learning_rate", old=0.001, new=0.0005, why="smaller steps"),
    ]
    assert describe_next(changes) == "back to round 1, learning_rate 0.001 → 0.0005"
    average = Adjustment(field=AVERAGE, old=None, new="2, 3", why="a test", shares={2: 0.5, 3: 0.5})
    assert describe_next([average]) == "the mean of rounds 2, 3"
    (round,) = judged([0.6])
    line = describe_round(round.model_copy(update={"adjustments": changes}))
    assert line.endswith("; next: back to round 1, learning_rate 0.001 → 0.0005")


def test_going_back_to_round_0_is_said_in_words():
    change = Adjustment(field=START, old=1, new=0, why="it diverged")
    assert describe_next([change]) == "back to the encoder before meta-training"


def test_a_round_within_noise_is_not_called_the_best_in_the_same_breath():
    (_, second) = judged([0.6, 0.604], noise=0.05)
    assert second.verdict.state == "PLATEAUED"
    assert second.verdict.leading_round == 2
    assert "brings no clear gain" in second.verdict.sentence
    assert "is the best" not in second.verdict.sentence
    assert "Within that noise, its accuracy 0.604" in second.verdict.sentence


def test_a_last_round_that_diverged_is_not_only_called_the_last():
    (round,) = judged([0.3], max_rounds=1)
    assert round.verdict.state == "EXHAUSTED"
    assert describe_round(round).endswith(": diverged; last round")


def test_the_reference_round_is_named():
    third = judged([0.6, 0.7, 0.7])[-1]
    assert "over round 2." in third.verdict.sentence


def test_tables_have_no_names_of_states_and_no_untrained_encoder():
    tables = rounds_markdown(judged([0.6, 0.6, 0.3])) + source_shots_markdown(toy_report(1, 0.6))
    for word in ("IMPROVING", "PLATEAUED", "DIVERGED", "untrained"):
        assert word not in tables
    assert "gain over the reference round" in tables
    assert "over round 1" in tables


def test_one_is_not_many():
    assert (count(1, "source"), count(2, "source"), count(1200, "row")) == (
        "1 source",
        "2 sources",
        "1,200 rows",
    )
