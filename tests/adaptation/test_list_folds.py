"""Which texts with any number of labels are left out together."""

import numpy as np

from metamapping.adaptation.multi_label.list_folds import list_folds


def test_folds_have_their_share_of_every_label_in_any_order_of_the_texts():
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(40, 3)), np.zeros((40, 5), int)
    for label, count in enumerate((3, 6, 9, 12, 20)):
        targets[rng.permutation(40)[:count], label] = 1
    folds = list_folds(features, targets, num_folds=3)
    assert targets[folds == 0].sum(axis=0).tolist()[:1] == [1]
    counts = np.array([targets[folds == fold].sum(axis=0) for fold in range(3)])
    assert (np.ptp(counts, axis=0) <= 3).all()
    assert np.ptp(np.bincount(folds)) <= 3
    order = rng.permutation(40)
    np.testing.assert_array_equal(list_folds(features[order], targets[order], num_folds=3), folds[order])


def test_copies_of_a_text_are_in_one_fold():
    features = np.repeat(np.arange(6.0)[:, None], 2, axis=0)
    targets = np.tile([[1, 0], [0, 1]], (6, 1))
    folds = list_folds(features, targets, num_folds=3)
    np.testing.assert_array_equal(folds[::2], folds[1::2])
    assert np.bincount(folds).tolist() == [4, 4, 4]
