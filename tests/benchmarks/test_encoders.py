"""Kept features: each text and each name is encoded once."""

import numpy as np
import pytest

from benchmarks.encoders import KeptFeatures


class CountingFeaturizer:
    """A featurizer whose features say what was encoded, and that remembers all that was."""

    dim = 2

    def __init__(self):
        self.encoded = []

    def texts(self, texts, text_pairs=None):
        seconds = text_pairs or [""] * len(texts)
        self.encoded += [*zip(texts, seconds, strict=True)]
        return np.array([[len(a), len(b)] for a, b in zip(texts, seconds, strict=True)], float).reshape(-1, 2)

    def names(self, names):
        self.encoded += names
        return np.array([[len(name), 0] for name in names], float)


@pytest.fixture
def featurizer():
    return CountingFeaturizer()


def test_texts_are_encoded_once_and_come_back_in_order(featurizer):
    kept = KeptFeatures(featurizer)
    kept.texts(["a", "bb"])
    np.testing.assert_array_equal(kept.texts(["bb", "ccc", "a", "bb"])[:, 0], [2, 3, 1, 2])
    assert featurizer.encoded == [("a", ""), ("bb", ""), ("ccc", "")]


def test_a_pair_is_not_the_text_alone(featurizer):
    kept = KeptFeatures(featurizer)
    kept.texts(["a"])
    np.testing.assert_array_equal(kept.texts(["a", "a"], ["b", "cc"]), [[1, 1], [1, 2]])


def test_names_are_encoded_once(featurizer):
    kept = KeptFeatures(featurizer)
    np.testing.assert_array_equal(kept.names(["x", "yy"])[:, 0], [1, 2])
    kept.names(["yy", "x"])
    assert featurizer.encoded == ["x", "yy"]


def test_no_texts_have_no_features(featurizer):
    assert KeptFeatures(featurizer).texts([]).shape == (0, 2)


def test_everything_else_is_the_featurizers_own(featurizer):
    assert KeptFeatures(featurizer).dim == 2
