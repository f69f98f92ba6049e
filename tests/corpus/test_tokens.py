"""Tokens: the wordwise tokenizer is exact, words keep their tags, truncation is that of the tokenizer."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.corpus.shards import read_shards
from metamapping.corpus.tokenization import encode_texts, encode_words, load_tokenizer
from metamapping.corpus.tokenizer import write_tokenizer
from metamapping.corpus.tokens import NO_LIMITS, TokenLimits, write_tokens
from metamapping.corpus.wordwise import WordwiseTokenizer
from tests.corpus.toys import labelled, prepare, toy_source, write_jsonl

LENGTH = 12
SENTENCES = ["where is my new parcel", "Ada Lovelace wrote to Bob in Paris", "the café is closed", "don't!"]
WORDS = st.one_of(st.sampled_from(" ".join(SENTENCES).split()), st.text(max_size=6))
TEXTS = st.lists(st.lists(WORDS, max_size=14).map(" ".join), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    spec = EncoderSpec(scratch=ScratchEncoder(vocabulary_size=150), max_length_tokens=LENGTH)
    write_tokenizer(spec, SENTENCES * 3, folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder):
    return load_tokenizer(folder, max_length_tokens=LENGTH)


@pytest.fixture(scope="module")
def wordwise(tokenizer):
    return WordwiseTokenizer.of(tokenizer, max_length_tokens=LENGTH)


def lists(ragged):
    return ragged.to_arrow(np.int32).to_pylist()


@given(TEXTS)
def test_wordwise_texts_equal_those_of_the_tokenizer(tokenizer, wordwise, texts):
    tokens, expected = wordwise.encode_texts(pa.array(texts)), encode_texts(tokenizer, texts)
    assert lists(tokens.token_ids) == expected.token_ids
    assert tokens.num_tokens.tolist() == expected.num_tokens
    assert not tokens.segment_ids.values.any()


@given(TEXTS, st.randoms())
def test_wordwise_pairs_equal_those_of_the_tokenizer(tokenizer, wordwise, texts, random):
    pairs = random.sample(texts, len(texts))
    tokens, expected = (
        wordwise.encode_texts(pa.array(texts), pa.array(pairs)),
        encode_texts(tokenizer, texts, pairs),
    )
    assert lists(tokens.token_ids) == expected.token_ids
    assert lists(tokens.segment_ids) == expected.segment_ids


@given(st.lists(st.lists(WORDS, max_size=14), min_size=1, max_size=5))
def test_wordwise_words_equal_those_of_the_tokenizer(tokenizer, wordwise, rows):
    tokens, expected = (
        wordwise.encode_words(pa.array(rows, pa.list_(pa.string()))),
        encode_words(tokenizer, rows),
    )
    assert lists(tokens.token_ids) == expected.token_ids
    assert lists(tokens.word_starts) == expected.word_starts
    assert lists(tokens.words) == expected.words


def test_a_tokenizer_that_depends_on_spaces_has_no_wordwise_form():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert WordwiseTokenizer.of(tokenizer, max_length_tokens=8) is None


def test_a_byte_level_tokenizer_sees_the_space_before_a_word():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, "Ġb"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[("Ġ", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    encoded = encode_words(tokenizer, [["a", "b"]])
    assert encoded.token_ids == [[vocabulary["a"], vocabulary["Ġb"]]]
    assert encoded.word_starts == [[0, 1]]


def test_the_second_text_has_segment_1_even_if_all_type_ids_are_0(tokenizer):
    from tokenizers.processors import RobertaProcessing

    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.post_processor = RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    encoded = encode_texts(plain, ["is"], ["my"])
    assert 0 < sum(encoded.segment_ids[0]) < len(encoded.segment_ids[0])


def tokens_of(source, tmp_path, tokenizer, limits=NO_LIMITS):
    prepare(source, tmp_path / "out")
    (tmp_path / "tokens").mkdir()
    counts = write_tokens(tmp_path / "out" / "examples", tokenizer, tmp_path / "tokens", limits=limits)
    return read_shards(tmp_path / "tokens").to_pylist(), counts


def test_every_word_that_is_not_truncated_has_its_tag_and_first_piece(tmp_path, tokenizer):
    path = tmp_path / "a.conll"
    words = ["Ada", "Lovelace", "wrote", "to", "Bob", "in", "Paris", "and", "to", "Ada"]
    tags = ["B-PER", "I-PER", "O", "O", "B-PER", "O", "B-LOC", "O", "O", "B-PER"]
    path.write_text("".join(f"{word} {tag}\n" for word, tag in zip(words, tags, strict=True)))
    (row,), counts = tokens_of(toy_source(path, task_type="ner"), tmp_path, tokenizer)
    assert len(row["token_ids"]) == LENGTH
    assert counts["rows_truncated"] == 1
    assert row["tags"] == tags[: len(row["tags"])]
    assert len(row["tags"]) == len(row["word_starts"]) < len(words)
    pieces = [tokenizer.id_to_token(row["token_ids"][start]) for start in row["word_starts"]]
    assert [word.lower().startswith(piece) for word, piece in zip(words, pieces, strict=False)] == [
        True
    ] * len(pieces)


def test_a_word_without_a_piece_keeps_the_others_aligned(tmp_path, tokenizer):
    path = tmp_path / "a.conll"
    path.write_text("\u200b\tB-PER\nAda\tI-PER\nis\tO\n")
    (row,), _ = tokens_of(toy_source(path, task_type="ner"), tmp_path, tokenizer)
    assert row["tags"] == ["B-PER", "O"]
    assert row["word_starts"][0] == 1


def test_texts_beyond_the_limits_are_rejected_with_their_reason(tmp_path, tokenizer):
    path = write_jsonl(
        tmp_path / "a.jsonl", labelled(("is", "x"), ("where is my", "x"), ("parcel " * 20, "x"))
    )
    limits = TokenLimits(min_tokens=4, max_tokens=20)
    rows, counts = tokens_of(toy_source(path), tmp_path, tokenizer, limits)
    assert [row["row"] for row in rows] == [1]
    assert (counts["rows_in"], counts["rows_out"], counts["rejects"]) == (3, 1, 2)
    rejects = pq.read_table(tmp_path / "tokens" / "rejects.parquet")
    assert rejects["reason"].to_pylist() == ["too_few_tokens", "too_many_tokens"]


def test_transformers_loads_the_learned_tokenizer_which_is_reproducible(folder, tmp_path):
    from transformers import AutoTokenizer

    spec = EncoderSpec(scratch=ScratchEncoder(vocabulary_size=150), max_length_tokens=LENGTH)
    write_tokenizer(spec, SENTENCES * 3, tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    assert AutoTokenizer.from_pretrained(folder)("where is")["input_ids"][0] == 2  # [CLS]


@pytest.mark.parametrize("kind", ["texts", "pairs", "words"])
def test_both_ways_to_tokenize_write_the_same_shards(tmp_path, tokenizer, monkeypatch, kind):
    settings = {}
    if kind == "words":
        path = tmp_path / "a.conll"
        path.write_text("Ada B-PER\nLovelace I-PER\nwrote O\n\nBob B-PER\n" + "is O\n" * 20)
        settings["task_type"] = "ner"
    else:
        rows = [{"text": text, "pair": f"{text} is {text}", "label": "x"} for text in SENTENCES]
        path = write_jsonl(tmp_path / "a.jsonl", rows)
        settings["columns"] = {"text_pair": "pair"} if kind == "pairs" else {}
    source = toy_source(path, **settings)
    written = []
    for name, way in (("wordwise", WordwiseTokenizer.of), ("own", lambda *_, **__: None)):
        monkeypatch.setattr(WordwiseTokenizer, "of", way)
        (tmp_path / name).mkdir()
        tokens_of(source, tmp_path / name, tokenizer)
        written.append((tmp_path / name / "tokens" / "part-00000.parquet").read_bytes())
    assert written[0] == written[1]
