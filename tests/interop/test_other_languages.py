"""Texts in any language: a Unigram tokenizer, texts without spaces, names in another language."""

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.corpus.wordwise import WordwiseTokenizer
from metamapping.publishing.runtime_model import RuntimeModel
from tests.interop.toy_families import OTHER_LANGUAGES, publish_trained

CHINESE, JAPANESE, THAI = OTHER_LANGUAGES[:2], OTHER_LANGUAGES[2:4], OTHER_LANGUAGES[4:6]
SENTENCES = [["我", "的", "包裹", "在", "哪里"], ["荷物", "は", "どこ", "です", "か"], ["ขอ", "เงิน", "คืน"]]
TAGS = [["O", "O", "B-物品", "O", "O"], ["B-物品", "O", "O", "O", "O"], ["O", "B-物品", "O"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return publish_trained("xlm-roberta", tmp_path_factory.mktemp("xlm"))


@pytest.fixture(scope="module")
def mapper(folder):
    return MetaMapper.from_pretrained(folder)


def test_it_runs_without_tensorflow(mapper):
    assert isinstance(mapper.featurizer.model, RuntimeModel)


@pytest.mark.parametrize("texts", [CHINESE, JAPANESE, THAI], ids=["Chinese", "Japanese", "Thai"])
def test_texts_without_spaces_are_classified(mapper, texts, tmp_path):
    mapping = mapper.adapt(texts * 50, ["包裹", "退款"] * 50, label_names={"包裹": "parcel"})
    assert mapping.predict(texts) == ["包裹", "退款"]
    mapping.save(tmp_path / "task")
    assert Mapping.load(tmp_path / "task", mapper).predict(texts) == ["包裹", "退款"]


def test_names_in_another_language_have_features_of_their_own(mapper):
    names = mapper.featurizer.names(["包裹", "parcel", "返金", "เงิน"])
    np.testing.assert_allclose((names**2).sum(axis=1), 1, atol=1e-4)
    assert len({row.tobytes() for row in names}) == 4
    mapping = mapper.zero_shot(["包裹", "退款"])
    assert set(mapping.predict(["where is my parcel", *THAI])) <= {"包裹", "退款"}


def test_entities_are_found_where_words_are_given(mapper):
    mapping = mapper.adapt(SENTENCES * 30, TAGS * 30, task_type="ner")
    assert mapping.labels == ("O", "物品")
    assert mapping.predict(SENTENCES) == TAGS


def test_long_texts_without_spaces_are_read_to_their_end(mapper):
    long = "".join(CHINESE) * 10
    first, second = mapper.featurizer.texts([long + JAPANESE[0], long + THAI[0]])
    assert np.abs(first - second).max() > 1e-4


def test_the_pieces_of_a_word_depend_on_its_neighbours_so_that_texts_are_not_read_word_by_word(folder):
    assert WordwiseTokenizer.of(load_tokenizer(folder, max_length_tokens=16), max_length_tokens=16) is None
