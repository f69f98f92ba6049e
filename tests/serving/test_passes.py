"""Concurrent callers share the encoder's passes, and each gets its own."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from metamapping.adaptation.featurizer import Featurizer
from metamapping.publishing.published_model import read_published
from metamapping.serving.passes import SharedPasses


@pytest.fixture(scope="module")
def model(published):
    return read_published(published)


@pytest.fixture
def sizes():
    return []


@pytest.fixture
def passes(model, sizes):
    return SharedPasses(model, on_pass=sizes.append)


def test_each_caller_gets_its_own_features(model, passes):
    alone = Featurizer(model)

    def ask(number):
        texts = [f"parcel {number} is late", "refund " * (number % 5)][: 1 + number % 2]
        if number % 3 == 0:
            pairs = ["where is it"] * len(texts)
            return passes.texts(texts, pairs), alone.texts(texts, pairs)
        if number % 3 == 1:
            words = [text.split() for text in texts]
            (got, bounds), (want, expected) = passes.words(words), alone.words(words)
            np.testing.assert_array_equal(bounds, expected)
            return got, want
        return passes.texts(texts), alone.texts(texts)

    with ThreadPoolExecutor(20) as threads:
        for got, want in threads.map(ask, range(120)):
            np.testing.assert_allclose(got, want, atol=1e-5)


def test_callers_that_come_together_share_a_pass(passes, sizes):
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda number: passes.texts([f"parcel {number}"]), range(200)))
    assert sum(sizes) == 200
    assert len(sizes) < 100


def test_a_text_that_breaks_the_encoder_breaks_for_its_caller_alone(passes):
    def ask(text):
        try:
            return passes.texts([text]).shape
        except Exception as error:
            return type(error)

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(ask, [*["fine"] * 60, 7, *["fine"] * 60]))
    assert answers.count((1, passes.text_dim)) == 120
    assert issubclass(answers[60], Exception)


def test_no_texts_have_no_features(passes):
    assert passes.texts([]).shape == (0, passes.text_dim) == (0, 96)
    assert passes.words([])[0].shape == (0, passes.word_dim) == (0, 64)
    assert passes.words([[]])[1].tolist() == [0, 0]


def test_many_texts_are_encoded_as_they_are(model, passes, sizes):
    texts = [f"parcel {number}" for number in range(150)]
    np.testing.assert_allclose(passes.texts(texts), Featurizer(model).texts(texts), atol=1e-5)
    assert sizes == [150]


def test_the_same_texts_are_remembered_within_and_forgotten_after(passes, sizes):
    with passes.remembering():
        np.testing.assert_array_equal(passes.texts(["a"]), passes.texts(["a"]))
        passes.texts(["a"], ["b"])
    passes.texts(["a"])
    assert len(sizes) == 3
