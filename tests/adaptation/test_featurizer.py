"""Featurizer: features do not depend on the chunk size, and the progress bar is shown when it should be."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from metamapping import MetaMapper
from metamapping.adaptation import featurizer
from metamapping.adaptation.featurizer import Featurizer
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
