"""What is left out in closed form equals the mapping computed without it, at fixed hyperparameters."""

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation.algebra.calibration import Calibration
from metamapping.adaptation.algebra.closed_form import Solution
from metamapping.adaptation.algebra.support import Examples, empty_support
from metamapping.adaptation.cross_validation import cross_validate
from metamapping.adaptation.left_out import left_out_scores
from metamapping.adaptation.state import TaskState

DIM, LABELS, RIDGE = 6, 3, 0.7
VIEWS = (0.3,)  # weight of the second view


def regress(H, right, ridge=RIDGE):
    return np.linalg.solve(H.T @ H + ridge * np.eye(H.shape[1]), H.T @ right)


def text_state(num_examples, seed=0):
    """A task of random texts with two views, and its weighted features with a constant."""
    rng = np.random.default_rng(seed)
    targets = np.arange(num_examples) % LABELS
    features = rng.normal(size=(num_examples, 2 * DIM)).astype(np.float32)
    features[np.arange(num_examples), targets] += 2.0
    prior = np.zeros((2 * DIM + 1, LABELS), np.float32)
    prior[:DIM] = 0.1 * rng.normal(size=(DIM, LABELS))
    roots = np.repeat(np.sqrt([1.0, *VIEWS]), DIM)
    H = np.concatenate([features * roots, np.ones((num_examples, 1))], axis=1)
    Y = np.eye(LABELS)[targets] - 1 / LABELS
    constant = np.ones((num_examples, 1))
    prior_scores = np.concatenate([features, constant], axis=1) @ prior
    weights = prior + np.append(roots, 1.0)[:, None] * regress(H, Y - prior_scores)
    support = empty_support(DIM, 2).plus(
        Examples([f"text {i}" for i in range(num_examples)], [None] * num_examples, None),
        features,
        np.arange(num_examples + 1),
        targets,
    )
    state = TaskState(
        task_type="text-classification",
        labels=("a", "b", "c"),
        names=("a", "b", "c"),
        name_features=np.zeros((LABELS, DIM), np.float32),
        support=support,
        solution=Solution(weights, prior, RIDGE, VIEWS),
        calibration=Calibration(scale=10.0),
    )
    return state, H, Y - prior_scores, prior_scores


# Fewer items than features, more, and so many that a group has more items than features.
@pytest.mark.parametrize("num_examples", [9, 30, 120])
@pytest.mark.parametrize("num_groups", [None, 4])
def test_scores_equal_those_of_the_mapping_without_the_group(num_examples, num_groups):
    state, H, right, prior_scores = text_state(num_examples)
    groups = None if num_groups is None else [f"customer {i % num_groups}" for i in range(num_examples)]
    scores = left_out_scores(state, groups=groups)
    for item in range(num_examples):
        is_left_out = np.arange(num_examples) == item
        if groups is not None:
            is_left_out = np.asarray(groups) == groups[item]
        expected = prior_scores[item] + H[item] @ regress(H[~is_left_out], right[~is_left_out])
        np.testing.assert_allclose(scores[item], expected, atol=1e-4)


def test_words_are_left_out_with_their_whole_sentence():
    rng = np.random.default_rng(1)
    lengths = np.array([4, 2, 5, 3])
    count, offsets = lengths.sum(), np.concatenate([[0], np.cumsum(lengths)])
    targets = rng.permutation(np.arange(count) % 2)
    features = rng.normal(size=(count, DIM)).astype(np.float32)
    prior = 0.1 * rng.normal(size=(DIM + 1, 2)).astype(np.float32)
    weights = np.bincount(targets)[targets] ** -0.25
    roots = np.sqrt(weights * count / weights.sum())[:, None]
    prior_scores = features @ prior[:-1] + prior[-1]
    H, right = roots * features, roots * (np.eye(2)[targets] - 0.5 - prior_scores)
    words = [["w"] * length for length in lengths]
    state = TaskState(
        task_type="ner",
        labels=("O", "PER"),
        names=("O", "person"),
        name_features=np.zeros((2, DIM), np.float32),
        support=empty_support(DIM).plus(Examples(words, words, None), features, offsets, targets),
        solution=Solution(prior, prior, RIDGE),
        calibration=Calibration(scale=10.0),
    )
    scores = left_out_scores(state)
    sentence_of = np.repeat(np.arange(4), lengths)
    for word in range(count):
        kept = sentence_of != sentence_of[word]
        expected = prior_scores[word] + features[word] @ regress(H[kept], right[kept])
        np.testing.assert_allclose(scores[word], expected, atol=1e-4)
    result = cross_validate(state)
    assert [len(tags) for tags in result.predictions] == lengths.tolist()
    assert set(result.scores.scores) == {"entity F1"}
    entities = result.confusion.loc["PER"].sum()
    assert entities == next(each.count for each in result.scores.labels if each.label == "PER")


def test_scores_are_those_of_the_left_out_predictions():
    state, *_ = text_state(60)
    result = cross_validate(state)
    predicted = left_out_scores(state).argmax(axis=-1)
    assert result.predictions == [state.labels[slot] for slot in predicted]
    accuracy = result.scores.scores["accuracy"]
    assert accuracy.mean == pytest.approx((predicted == state.support.targets).mean())
    assert accuracy.low < accuracy.mean < accuracy.high
    for gold in range(LABELS):
        for slot in range(LABELS):
            count = int(((state.support.targets == gold) & (predicted == slot)).sum())
            assert result.confusion.iloc[gold, slot] == count
    assert "60 examples" in repr(result)
    assert f"{accuracy}" in repr(result)


def test_with_groups_the_interval_is_over_groups():
    state, *_ = text_state(60)
    alone = cross_validate(state, groups=range(60)).scores.scores["accuracy"]
    assert alone == cross_validate(state).scores.scores["accuracy"]
    grouped = cross_validate(state, groups=[i // 20 for i in range(60)])
    outcomes = np.asarray(grouped.predictions) == np.asarray(state.labels)[state.support.targets]
    shares = outcomes.reshape(3, 20).mean(axis=1)
    # With three groups the interval ends at the worst and the best of them.
    assert grouped.scores.scores["accuracy"].low == pytest.approx(shares.min())
    assert grouped.scores.scores["accuracy"].high == pytest.approx(shares.max())


def test_what_cannot_be_left_out_is_refused():
    state, *_ = text_state(9)
    with pytest.raises(ValueError, match="8 groups but 9 examples"):
        left_out_scores(state, groups=[1] * 8)
    with pytest.raises(ValueError, match="one group \\(1\\)"):
        left_out_scores(state, groups=[1] * 9)


def test_copies_of_a_sentence_are_left_out_together(published, tmp_path):
    mapper = MetaMapper.from_pretrained(published)
    sentences = [["anna", "lives", "in", "paris"], ["bob", "works", "in", "rome"], ["june", "was", "lovely"]]
    tags = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O", "O", "B-LOC"], ["O", "O", "O"]]
    mapping = mapper.adapt([*sentences, *sentences], [*tags, *tags], task_type="ner")
    result, grouped = mapping.cross_validate(), mapping.cross_validate(groups=[0, 1, 2] * 2)
    assert result.scores.scores == grouped.scores.scores
    np.testing.assert_array_equal(np.concatenate(result.probabilities), np.concatenate(grouped.probabilities))
    alone = mapping.cross_validate(groups=range(6))
    assert not np.array_equal(np.concatenate(alone.probabilities), np.concatenate(result.probabilities))
    without_texts = Mapping.load(mapping.save(tmp_path / "task", keep_texts=False), mapper)
    assert without_texts.cross_validate().scores.scores == result.scores.scores
