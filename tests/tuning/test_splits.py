import numpy as np

from metamapping.tuning.splits import sample_pairs, sample_rows, sample_supports


def test_every_split_has_support_and_queries_of_each_label_with_several_examples():
    targets = np.array([0, 0, 0, 0, 1, 1, 2])
    supports = sample_supports(np.random.default_rng(0), targets, num_splits=50)
    for label in (0, 1):
        counts = supports[:, targets == label].sum(axis=1)
        assert (counts >= 1).all()
        assert (counts < (targets == label).sum()).all()
    assert not supports[:, targets == 2].any()  # a label's only example is a query


def test_splits_have_various_shots():
    targets = np.repeat([0, 1], 10)
    supports = sample_supports(np.random.default_rng(0), targets, num_splits=50)
    assert set(supports.sum(axis=1).tolist()) >= {4, 8, 12, 16}


def test_a_step_takes_all_examples_of_a_small_task_and_as_many_of_each_label_of_a_large_one():
    rng = np.random.default_rng(0)
    assert sample_rows(rng, np.zeros(10, int), max_texts=64).tolist() == list(range(10))
    targets = np.concatenate([np.zeros(100, int), np.ones(20, int), [2]])
    rows = sample_rows(rng, targets, max_texts=30)
    assert np.bincount(targets[rows]).tolist() == [10, 10, 1]
    many = np.repeat(np.arange(50), 8)
    assert np.bincount(many[sample_rows(rng, many, max_texts=64)]).tolist() == [2] * 50


def test_pairs_are_of_as_many_labels_as_there_is_room_for():
    targets = np.concatenate([np.repeat(np.arange(50), 8), [50]])
    rng = np.random.default_rng(0)
    counts = np.bincount(targets[sample_pairs(rng, targets, max_texts=40)], minlength=51)
    assert set(counts[:50].tolist()) == {0, 2}
    assert (counts > 0).sum() == 20
    everything = np.bincount(targets[sample_pairs(rng, targets, max_texts=1_000)])
    assert everything.tolist() == [2] * 50 + [1]
