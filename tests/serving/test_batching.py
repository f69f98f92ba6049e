"""Concurrent callers share the batches of the encoder, and each receives its own features."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from metamapping.adaptation.featurizer import Featurizer
from metamapping.publishing.published_model import read_published
from metamapping.serving.batching import BatchingFeaturizer


@pytest.fixture(scope="module")
def model(published):
    return read_published(published)


@pytest.fixture
def sizes():
    return []


@pytest.fixture
def featurizer(model, sizes):
    return BatchingFeaturizer(model, on_batch=sizes.append)


def test_each_caller_receives_its_own_features(model, featurizer):
    alone = Featurizer(model)

    def ask(number):
        texts = [f"parcel {number} is late", "refund " * (number % 5)][: 1 + number % 2]
        if number % 3 == 0:
            pairs = ["where is it"] * len(texts)
            return featurizer.texts(texts, pairs), alone.texts(texts, pairs)
        if number % 3 == 1:
            words = [text.split() for text in texts]
            (got, bounds), (want, expected) = featurizer.words(words), alone.words(words)
            np.testing.assert_array_equal(bounds, expected)
            return got, want
        return featurizer.texts(texts), alone.texts(texts)

    with ThreadPoolExecutor(20) as threads:
        for got, want in threads.map(ask, range(120)):
            np.testing.assert_allclose(got, want, atol=1e-5)


def test_concurrent_callers_share_a_batch(featurizer, sizes):
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda number: featurizer.texts([f"parcel {number}"]), range(200)))
    assert sum(sizes) == 200
    assert len(sizes) < 100


def test_a_text_that_the_encoder_fails_on_fails_only_for_its_caller(featurizer):
    def ask(text):
        try:
            return featurizer.texts([text]).shape
        except Exception as error:
            return type(error)

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(ask, [*["fine"] * 60, 7, *["fine"] * 60]))
    assert answers.count((1, featurizer.text_dim)) == 120
    assert issubclass(answers[60], Exception)


def test_an_empty_list_has_no_features(featurizer):
    assert featurizer.texts([]).shape == (0, featurizer.text_dim) == (0, 96)
    assert featurizer.words([])[0].shape == (0, featurizer.word_dim) == (0, 64)
    assert featurizer.words([[]])[1].tolist() == [0, 0]


def test_many_texts_are_encoded_as_one_batch(model, featurizer, sizes):
    texts = [f"parcel {number}" for number in range(150)]
    np.testing.assert_allclose(featurizer.texts(texts), Featurizer(model).texts(texts), atol=1e-5)
    assert sizes == [150]


def test_the_same_texts_are_cached_within_the_block_only(featurizer, sizes):
    with featurizer.caching():
        np.testing.assert_array_equal(featurizer.texts(["a"]), featurizer.texts(["a"]))
        featurizer.texts(["a"], ["b"])
    featurizer.texts(["a"])
    assert len(sizes) == 3


def test_requests_of_an_event_loop_share_batches_and_find_their_features_cached(model, featurizer, sizes):
    alone = Featurizer(model)

    async def ask(number):
        texts = [f"parcel {number}"] * (70 if number == 50 else 1 + number % 3)
        pairs = ["is late"] * len(texts) if number % 4 == 0 else None
        return await featurizer.answer(texts, pairs, lambda: (texts, pairs, featurizer.texts(texts, pairs)))

    async def ask_all():
        return await asyncio.gather(*map(ask, range(100)))

    answers = asyncio.run(ask_all())
    assert sum(sizes) == sum(len(texts) for texts, _, _ in answers)
    assert len(sizes) < 50
    for texts, pairs, features in answers:
        np.testing.assert_allclose(features, alone.texts(texts, pairs), atol=1e-5)


def test_an_answer_that_fails_fails_only_for_its_request(featurizer):
    def answer(text):
        if text == "wrong":
            raise LookupError(text)
        return featurizer.texts([text]).shape

    async def ask_all():
        texts = [*["fine"] * 10, "wrong", 7, *["fine"] * 10]
        waiting = [
            asyncio.ensure_future(featurizer.answer([text], None, lambda text=text: answer(text)))
            for text in texts
        ]
        await asyncio.sleep(0)
        waiting[0].cancel()
        return await asyncio.gather(*waiting, return_exceptions=True)

    answers = asyncio.run(ask_all())
    assert isinstance(answers[0], asyncio.CancelledError)
    assert isinstance(answers[10], LookupError)
    assert isinstance(answers[11], Exception)
    assert answers[1:10] + answers[12:] == [(1, featurizer.text_dim)] * 19
