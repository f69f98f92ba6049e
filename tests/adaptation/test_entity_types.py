"""The regression of types: against brute force, and the same wherever a task's entities are typed."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation import state as state_module
from metamapping.adaptation.algebra import runtime_solution
from metamapping.adaptation.algebra.calibration import Calibration
from metamapping.adaptation.algebra.entity_types import entity_support, fit_types
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.algebra.word_weights import word_roots
from metamapping.adaptation.cross_validation import cross_validate
from metamapping.adaptation.entities import find_entities
from metamapping.adaptation.entity_scores import entity_spans
from metamapping.adaptation.left_out import left_out_scores, left_out_word_scores
from metamapping.adaptation.state import TaskState
from metamapping.models.separate_entities import decode_separately
from metamapping.models.solvers.word_ridge import WORD_RIDGE_FACTORS
from metamapping.runtime.mapping import LearnedMapping, untrained_arrays

DIM, LABELS = 5, ("O", "band", "person", "song")


def random_support(num_sentences, seed=0):
    """Sentences of twelve words, each with three entities of one to three words."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(num_sentences):
        row = np.zeros(12, np.int32)
        for start, kind in zip((0, 4, 8), rng.integers(1, 4, size=3), strict=True):
            row[start : start + rng.integers(1, 4)] = kind
        rows.append(row)
    targets = np.concatenate(rows)
    features = rng.normal(size=(len(targets), 2 * DIM)).astype(np.float32)
    features[np.arange(len(targets)), targets] += 1.5
    words = tuple([f"w{i}" for i in range(12)] for _ in rows)
    return Support(words, None, features, targets, np.arange(0, len(targets) + 1, 12), 2)


def mapping_of(solver="ridge"):
    return LearnedMapping.from_arrays(untrained_arrays(DIM), solver=solver)


NAMES = np.random.default_rng(5).normal(size=(4, DIM)).astype(np.float32)


def solved_state(support, solver="ridge"):
    mapping = mapping_of(solver)
    return TaskState(
        task_type="ner",
        labels=LABELS,
        names=LABELS,
        name_features=NAMES,
        support=support,
        solution=runtime_solution.solve(mapping, NAMES, np.arange(4) == 0, support),
        calibration=Calibration(mapping.inverse_temperature),
        types=fit_types(mapping, NAMES, support),
    )


def entities_by_hand(support):
    """Mean features, type, and sentence of every entity, by a loop over words."""
    found = []
    for sentence in range(support.num_examples):
        words = range(support.offsets[sentence], support.offsets[sentence + 1])
        for word in words:
            kind = support.targets[word]
            if kind and (word == words[0] or support.targets[word - 1] != kind):
                found.append(([], kind - 1, sentence))
            if kind:
                found[-1][0].append(support.features[word])
    return np.array([np.mean(f, axis=0) for f, _, _ in found]), *np.array([x[1:] for x in found]).T


def weights_by_hand(features, targets, prior, ridge, roots):
    """The minimum of ``Σ m² ‖h V − y‖² + λ ‖V − αP‖²``, whose constant is that of the prior."""
    centred = np.eye(3)[targets] - 1 / 3
    H, right = roots[:, None] * features, roots[:, None] * (centred - features @ prior[:-1] - prior[-1])
    change = np.linalg.solve(H.T @ H + ridge * np.eye(H.shape[1]), H.T @ right)
    return np.concatenate([prior[:-1] + change, prior[-1:]])


@pytest.mark.parametrize("num_sentences", [2, 20])  # fewer entities than features, and more
def test_the_weights_are_those_of_a_regression_over_the_means_of_entities(num_sentences):
    support = random_support(num_sentences)
    features, targets, sentences = entities_by_hand(support)
    entities = entity_support(support)
    np.testing.assert_allclose(entities.features, features, atol=1e-6)
    np.testing.assert_array_equal(entities.targets, targets)
    np.testing.assert_array_equal(np.repeat(np.arange(num_sentences), np.diff(entities.offsets)), sentences)
    types = fit_types(mapping_of(), NAMES, support)
    # Of the names without "outside", at the width of one view.
    names = NAMES[1:] - NAMES[1:].mean(axis=0)
    names /= np.linalg.norm(names, axis=1, keepdims=True)
    np.testing.assert_allclose(types.prior[:DIM] / names.T, types.prior[0, 0] / names[0, 0], rtol=1e-4)
    assert not types.prior[DIM:].any()
    expected = weights_by_hand(features, targets, types.prior, types.ridge, word_roots(targets))
    np.testing.assert_allclose(types.weights, expected, atol=1e-4)


def test_alpha_and_ridge_are_fitted_unless_the_solver_is_plain():
    learned = mapping_of().hyperparameters
    plain = fit_types(mapping_of("plain-ridge"), NAMES, random_support(20))
    assert plain.ridge == learned.word_ridge
    fitted = fit_types(mapping_of(), NAMES, random_support(20))
    low, high = (factor * learned.word_ridge for factor in (WORD_RIDGE_FACTORS[0], WORD_RIDGE_FACTORS[-1]))
    assert low < fitted.ridge < high
    assert fitted.ridge != plain.ridge


def test_the_mean_over_an_entitys_words_is_the_score_of_its_mean_features():
    support = random_support(6)
    state = solved_state(support)
    first, end = 3, 6
    mean = support.features[first:end].mean(axis=0, keepdims=True)
    expected = (state.types.scores(mean) + state.solution.scores(mean)[:, 1:]) / 2
    of_words = state.word_scores(support.features).types[first:end]
    np.testing.assert_allclose(of_words.mean(axis=0), expected[0], atol=1e-5)


def test_the_order_of_the_examples_does_not_matter():
    support = random_support(8)
    order = np.random.default_rng(0).permutation(8)
    words = np.concatenate([np.arange(12) + 12 * i for i in order])
    moved = replace(support, features=support.features[words], targets=support.targets[words])
    for name in ("weights", "prior", "ridge"):
        one, other = (getattr(fit_types(mapping_of(), NAMES, each), name) for each in (support, moved))
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("num_sentences", [3, 30])
@pytest.mark.parametrize("num_groups", [None, 3])
def test_words_are_scored_by_the_types_of_other_sentences(num_sentences, num_groups):
    support = random_support(num_sentences)
    state = solved_state(support)
    groups = None if num_groups is None else [i % num_groups for i in range(num_sentences)]
    scores = left_out_word_scores(state, groups=groups)
    np.testing.assert_array_equal(scores.labels, left_out_scores(state, groups=groups))
    features, targets, sentences = entities_by_hand(support)
    roots, group_of = word_roots(targets), np.arange(num_sentences) if groups is None else np.array(groups)
    for group in np.unique(group_of):
        kept = group_of[sentences] != group
        weights = weights_by_hand(
            features[kept], targets[kept], state.types.prior, state.types.ridge, roots[kept]
        )
        words = np.repeat(group_of == group, 12)
        expected = support.features[words] @ weights[:-1] + weights[-1]
        np.testing.assert_allclose(scores.types[words], (expected + scores.labels[words, 1:]) / 2, atol=2e-4)
    predictions = cross_validate(state, groups=groups).predictions
    assert predictions == [state.bio_tags(each, None) for each in scores.split(support.offsets)]


def test_the_predicted_type_is_the_most_probable_and_the_types_share_the_probability_of_the_ends():
    state, texts = solved_state(random_support(6)), random_support(20, seed=1)
    bounds, num_changed = [(2 * i, 2 * i + 1) for i in range(12)], 0
    given = {"scale": state.calibration.scale, "is_separate": True}
    for scores in state.word_scores(texts.features).split(texts.offsets):
        entities = find_entities(state, "a " * 12, bounds, scores, 0.0)
        by_words = decode_separately(scores.labels)
        for entity in entities:
            first, end = entity.start // 2, entity.end // 2 + 1
            same_ends = [(first, end, slot) for slot in (1, 2, 3)]
            each = scores.entity_probabilities(same_ends, **given)
            assert LABELS[1 + each.argmax()] == entity.label
            assert each.max() == pytest.approx(entity.probability)
            ends = replace(scores, types=np.zeros_like(scores.types))
            assert each.sum() == pytest.approx(3 * ends.entity_probabilities(same_ends, **given)[0])
            num_changed += LABELS[by_words[first]] != entity.label
    assert num_changed  # otherwise this test would not see by which scores types are chosen


@pytest.mark.parametrize("is_separate", [True, False])
def test_improbable_entities_are_predicted_only_if_a_threshold_asks_for_them(is_separate):
    state, texts = solved_state(random_support(6)), random_support(40, seed=1)
    if not is_separate:
        targets = state.support.targets.copy()
        targets[targets > 0] = 1 + np.arange((targets > 0).sum()) % 3
        state = replace(state, support=replace(state.support, targets=targets), types=None)
    assert state.has_separate_entities is is_separate
    bounds, all_of_them = [(2 * i, 2 * i + 1) for i in range(12)], []
    for scores in state.word_scores(texts.features).split(texts.offsets):
        entities = find_entities(state, "a " * 12, bounds, scores, 0.0)
        all_of_them += [entity.probability for entity in entities]
        kept = [entity for entity in entities if entity.probability >= 0.25]
        assert find_entities(state, "a " * 12, bounds, scores) == kept
        spans = {(0, each.start // 2, each.end // 2 + 1, each.label) for each in kept}
        assert entity_spans(0, state.bio_tags(scores, None)) == spans
        assert entity_spans(0, state.bio_tags(scores, 0.0)) >= spans
    assert min(all_of_them) < 0.25 < max(all_of_them)


def test_names_alone_predict_improbable_entities_too():
    state, texts = solved_state(random_support(6)), random_support(5, seed=1)
    bare = replace(state, support=state.support.without(range(6)), types=None)
    scores = replace(bare.word_scores(texts.features), labels=np.array([[0.0, 0.1, 0.12, 0.12]] * 2))
    (entity,) = bare.entities(replace(scores, types=scores.labels[:, 1:]))
    assert entity.probability < 0.25


def test_a_type_without_examples_is_known_by_its_name():
    support = random_support(6)
    features = support.features.copy()
    features[:, :DIM] = 0.0  # the examples say nothing about the view that names are read by
    targets = np.where(support.targets == 3, 0, support.targets)
    types = solved_state(replace(support, features=features, targets=targets)).types
    centred = NAMES[1:] - NAMES[1:].mean(axis=0)
    named = np.concatenate([centred, np.zeros((3, DIM))], axis=1).astype(np.float32)
    assert types.scores(named).argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(types.weights[:DIM], types.prior[:DIM])


@pytest.mark.parametrize(
    ("solver", "names", "targets"),
    [
        ("prototypes", NAMES, [1, 0, 2, 0]),
        ("gradient", NAMES, [1, 0, 2, 0]),
        ("ridge", NAMES[:2], [1, 0, 1, 0]),  # one type
        ("ridge", NAMES, [1, 2, 3, 0]),  # entities follow one another
        ("ridge", NAMES, [0, 0, 0, 0]),
    ],
)
def test_other_tasks_have_no_regression_of_types(solver, names, targets):
    features = np.ones((4, 2 * DIM), np.float32)
    support = Support((["w"] * 4,), None, features, np.array(targets, np.int32), np.array([0, 4]), 2)
    assert fit_types(mapping_of(solver), names, support) is None


WORDS = [["Eve", "moved", "to", "London"], ["Bob", "sees", "New", "York"], ["no", "names", "here"]]
TAGS = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O", "B-LOC", "I-LOC"], ["O"] * 3]


def test_a_task_is_solved_saved_and_changed_with_its_types(published, tmp_path):
    mapper = MetaMapper.from_pretrained(published)
    mapping = mapper.adapt(WORDS, TAGS, task_type="ner")
    assert mapping.state.types is not None
    loaded = Mapping.load(mapping.save(tmp_path / "task"), mapper)
    for name in ("weights", "prior", "ridge"):
        np.testing.assert_array_equal(getattr(loaded.state.types, name), getattr(mapping.state.types, name))
    assert loaded.predict(["Eve sees London"]) == mapping.predict(["Eve sees London"])
    loaded.remove([0])
    loaded.add(WORDS[:1], TAGS[:1])
    np.testing.assert_allclose(loaded.state.types.weights, mapping.state.types.weights, atol=1e-4)
    loaded.remove(label="LOC")
    assert loaded.state.types is None


TEXTS = [["Eve", "sees", "London"], ["New", "London", "Bob"], ["Bob", "York", "to", "Eve"]]


@pytest.fixture
def places(published):
    return MetaMapper.from_pretrained(published).adapt(WORDS, TAGS, task_type="ner")


def test_the_label_that_a_word_is_predicted_with_is_explained(places):
    predicted = [[tag[2:] or "O" for tag in tags] for tags in places.predict(TEXTS)]
    explained = [[places.explain(text, word=i) for i in range(len(text))] for text in TEXTS]
    assert [
        ["O" if each.left_out_probability is not None else each.label for each in row] for row in explained
    ] == predicted
    probable = [[places.labels[slot] for slot in p.argmax(axis=1)] for p in places.predict_proba(TEXTS)]
    assert probable != predicted


def test_an_explanation_adds_up_to_the_score_that_decides_about_the_type(places):
    features, offsets = places.featurizer.words(TEXTS)
    scores = places.state.word_scores(features)
    num_words = int(places.state.support.offsets[-1])
    for text, first in zip(TEXTS, offsets, strict=False):
        for word in range(len(text)):
            for slot, label in enumerate(places.labels):
                explained = places.explain(text, word=word, label=label, num_examples=num_words)
                of_both = scores.types[first + word, slot - 1] if slot else scores.labels[first + word, 0]
                assert explained.score == pytest.approx(of_both, abs=1e-4)
                total = explained.prior + sum(each.weight for each in explained)
                assert total == pytest.approx(explained.score, abs=1e-3)


def test_an_entity_that_was_left_out_is_explained_as_such(places, monkeypatch):
    ((entity, *_),) = places.predict(["Eve sees London"])
    words = ["Eve", "sees", "London"]
    assert entity.start == 0
    assert places.explain(words, word=0).left_out_probability is None
    monkeypatch.setattr(state_module, "MIN_ENTITY_PROBABILITY", 1.01)
    assert places.predict([words]) == [["O", "O", "O"]]
    explained = places.explain(words, word=0)
    assert explained.label == entity.label
    assert explained.left_out_probability == pytest.approx(entity.probability, abs=1e-5)
    assert places.explain(words, word=0, label="O").left_out_probability is None
