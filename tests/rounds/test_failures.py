"""What is recorded of the episodes that fail and of the labels that are confused."""

from collections import Counter

from metamapping.rounds.failures import (
    MAX_CONFUSED,
    MAX_EPISODES,
    MAX_LABEL_CHARACTERS,
    EpisodeOutcome,
    SourceFailures,
    failures_of,
)


def outcome(labels, gold, confused, score=None):
    wrong = sum(confused.values())
    accuracy = 1 - wrong / max(sum(gold.values()), 1)
    return EpisodeOutcome(labels, accuracy if score is None else score, Counter(gold), Counter(confused))


FEES = outcome(("card", "fee"), {"card": 5, "fee": 5}, {("card", "fee"): 3})
LIMITS = outcome(("card", "limit"), {"card": 5, "limit": 5}, {("card", "limit"): 1, ("limit", "card"): 1})
GOOD = outcome(("fee", "limit"), {"fee": 5, "limit": 5}, {})


def test_pairs_are_counted_over_the_episodes_that_offer_both_labels():
    failures = failures_of("bank", "text-classification", {4: [FEES, LIMITS], 8: [GOOD]})
    counted = [(each.gold, each.predicted, each.count, each.out_of) for each in failures.confused]
    assert counted == [("card", "fee", 3, 5), ("card", "limit", 1, 5), ("limit", "card", 1, 5)]
    assert failures.queries == 30


def test_the_episodes_with_the_lowest_scores_come_first_and_perfect_ones_are_none():
    failures = failures_of("bank", "text-classification", {4: [LIMITS, GOOD, FEES]})
    assert [(each.number, each.score) for each in failures.episodes] == [(3, 0.7), (1, 0.8)]
    assert failures.episodes[0].labels == ["card", "fee"]
    assert failures.episodes[0].confused[0].count == 3


def test_episodes_of_zero_shots_count_only_where_there_are_no_others():
    assert failures_of("bank", "text-classification", {0: [FEES], 4: [GOOD]}).confused == []
    assert failures_of("bank", "text-classification", {0: [FEES]}).confused[0].count == 3


def test_missed_and_made_up_entities_have_one_label():
    entities = outcome(("city", "name"), {"city": 4, "name": 2}, {("city", None): 2, (None, "name"): 1}, 0.6)
    missed, made_up = failures_of("places", "ner", {4: [entities]}).confused
    assert (missed.gold, missed.predicted, missed.count, missed.out_of) == ("city", None, 2, 4)
    assert (made_up.gold, made_up.predicted, made_up.count, made_up.out_of) == (None, "name", 1, 0)


def test_what_is_stored_is_small_and_independent_of_the_order_of_the_episodes():
    labels = tuple(f"{i}-{'x' * 500}" for i in range(150))
    outcomes = [
        outcome(labels, dict.fromkeys(labels, 1), {(labels[i], labels[j]): 1})
        for i in range(30)
        for j in range(100, 103)
    ]
    failures = failures_of("big", "text-classification", {4: outcomes})
    assert len(failures.confused) == MAX_CONFUSED
    assert len(failures.episodes) == MAX_EPISODES
    assert all(len(each.gold) == MAX_LABEL_CHARACTERS + 1 for each in failures.confused)
    turned = failures_of("big", "text-classification", {4: outcomes[::-1]})
    assert turned.confused == failures.confused


def test_records_survive_json():
    failures = failures_of("bank", "text-classification", {4: [FEES, LIMITS]})
    assert SourceFailures.model_validate_json(failures.model_dump_json()) == failures
