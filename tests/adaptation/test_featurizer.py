"""Featurizer: features do not depend on the chunk size, and the progress bar is shown when it should be."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from metamapping import MetaMapper
from metamapping.adaptation import featurizer
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.inputs.length_counts import LongPairWarning
from metamapping.config.corpus import CleaningSpec
from metamapping.publishing.published_model import read_published

TEXTS = ["where is my parcel", "the delivery is late", "refund", "anna lives in paris", "june"]
WORDS = [text.split() for text in TEXTS]


@pytest.fixture(scope="module")
def model(published):
    return read_published(published)


def test_features_do_not_depend_on_the_chunk_size(model, monkeypatch):
    texts, (words, offsets) = Featurizer(model).texts(TEXTS), Featurizer(model).words(WORDS)
    monkeypatch.setattr(featurizer, "TEXTS_PER_CHUNK", 2)
    np.testing.assert_allclose(Featurizer(model).texts(TEXTS), texts, atol=1e-6)
    np.testing.assert_allclose(Featurizer(model).words(WORDS)[0], words, atol=1e-6)
    np.testing.assert_array_equal(Featurizer(model).words(WORDS)[1], offsets)


def test_a_name_has_the_first_view_of_the_same_text(model):
    featurizer = Featurizer(model)
    names, texts = featurizer.names(["refund"]), featurizer.texts(["refund"])
    np.testing.assert_allclose(names, texts[:, : featurizer.dim], atol=1e-6)


def test_the_fingerprint_covers_everything_that_determines_a_feature(model, published, tmp_path):
    same = Featurizer(read_published(shutil.copytree(published, tmp_path / "copy")))
    assert same.fingerprint == Featurizer(model).fingerprint
    shorter = replace(model, max_length_tokens=8)
    uncleaned = replace(model, cleaning=CleaningSpec(cleaners=[]))
    others = {Featurizer(other).fingerprint for other in (model, shorter, uncleaned)}
    assert len(others) == 3


def test_a_progress_bar_is_shown_on_standard_error_on_request(published, capsys):
    mapper = MetaMapper.from_pretrained(published, progress=True)
    mapper.zero_shot(["a", "b"]).predict(TEXTS)
    shown = capsys.readouterr()
    assert "5/5" in shown.err
    assert shown.out == ""


def test_no_progress_bar_is_shown_if_standard_error_is_not_a_terminal(model, capsys, monkeypatch):
    monkeypatch.setattr(featurizer, "_MAX_TEXTS_WITHOUT_PROGRESS", 2)
    Featurizer(model).texts(TEXTS)
    assert capsys.readouterr().err == ""


def test_a_progress_bar_is_shown_for_many_texts_on_a_terminal(model, capsys, monkeypatch):
    monkeypatch.setattr(featurizer, "_MAX_TEXTS_WITHOUT_PROGRESS", 4)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    Featurizer(model).texts(TEXTS)
    Featurizer(model, progress=False).texts(TEXTS)
    Featurizer(model).texts(TEXTS[:4])
    assert capsys.readouterr().err.count("5/5") == 1


def test_the_end_of_a_long_text_is_read(model):
    featurizer = Featurizer(model)
    long = "the delivery is late " * 6
    ends = featurizer.texts([long + "refund refund", long + "paris paris", long + "refund refund"])
    assert np.abs(ends[0] - ends[1]).max() > 1e-4
    np.testing.assert_allclose(ends[0], ends[2], atol=1e-6)
    views = ends.reshape(3, 3, -1)
    np.testing.assert_allclose((views**2).sum(axis=-1), 1, atol=1e-5)


def test_short_texts_have_the_same_features_beside_a_long_one(model):
    featurizer = Featurizer(model)
    beside = featurizer.texts([*TEXTS, "late " * 50])
    np.testing.assert_allclose(beside[: len(TEXTS)], featurizer.texts(TEXTS), atol=1e-6)


def test_both_backends_read_long_texts_alike(model, published):
    runtime = MetaMapper.from_pretrained(published, backend="runtime").featurizer
    texts = ["where is my parcel " * 20, "refund"]
    np.testing.assert_allclose(runtime.texts(texts), Featurizer(model).texts(texts), atol=2e-3)
    words = [text.split() for text in texts]
    np.testing.assert_allclose(runtime.words(words)[0], Featurizer(model).words(words)[0], atol=5e-3)


def test_every_word_of_a_long_text_has_features_and_context_on_both_sides(model):
    featurizer = Featurizer(model)
    words = ("anna lives in paris and bob works in rome " * 6).split()
    features, offsets = featurizer.words([words, ["june"]])
    assert offsets.tolist() == [0, len(words), len(words) + 1]
    assert (np.abs(features).sum(axis=1) > 0).all()
    np.testing.assert_allclose(features[-1], featurizer.words([["june"]])[0][0], atol=1e-6)


def test_a_word_longer_than_the_encoder_reads_is_counted_as_cut(model):
    featurizer = Featurizer(model)
    features, _ = featurizer.words([["a" * 80, "refund"]])
    assert (np.abs(features).sum(axis=1) > 0).all()
    counts = featurizer.length_counts
    assert (counts.num_texts, counts.num_long, counts.num_cut) == (1, 1, 1)


def test_long_texts_are_counted(model):
    featurizer = Featurizer(model)
    assert featurizer.length_counts.sentence() is None
    featurizer.texts(["refund", "late " * 50])
    featurizer.words([["late"] * 50])
    assert featurizer.length_counts.sentence() == (
        "2 of 3 texts are longer than the 16 tokens that the encoder reads at once, and were read in "
        "overlapping windows"
    )


def test_a_long_pair_is_cut_with_a_warning(model):
    featurizer = Featurizer(model)
    featurizer.texts(["refund"], ["late"])
    with pytest.warns(
        LongPairWarning, match="1 of 2 pairs are longer than 16 tokens, and their ends are not"
    ):
        featurizer.texts(["refund", "late " * 50], ["late", "refund"])
    assert featurizer.length_counts.num_cut == 1
