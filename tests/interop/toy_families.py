"""Tiny encoders of every family: a backbone, a tokenizer of its kind, trained and published."""

import keras
import numpy as np
import tensorflow as tf
from tokenizers import (
    BertWordPieceTokenizer,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BertTokenizerFast,
    DistilBertTokenizerFast,
    GPT2TokenizerFast,
    RobertaTokenizerFast,
    XLMRobertaTokenizerFast,
)

from metamapping.config.corpus import CleaningSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.config.training import TrainingSpec
from metamapping.episodes.batches import build_batch
from metamapping.episodes.sampler import sample_batch
from metamapping.interop import hugging_face
from metamapping.interop.families import FAMILIES
from metamapping.publishing.published_model import Provenance, PublishedModel, write_published
from metamapping.storage.artifacts import Stage
from metamapping.training.learner import build_learner
from metamapping.training.meta_step import update_weights
from tests.toys import EPISODES, text_space

TEXTS = [
    "where is my parcel it has not arrived",
    "i want my money back",
    "the parcel is late again",
    "Refund my money, please!",
]
OTHER_LANGUAGES = [
    "我的包裹在哪里",
    "请退款给我",
    "荷物はどこですか",
    "返金してください",
    "พัสดุของฉันอยู่ที่ไหน",
    "ขอเงินคืน",
    "wo ist mein Paket geblieben",
]
LENGTH = 16
VOCABULARY_SIZE = 400  # more than any of the tokenizers needs
ROBERTA_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def random_backbone(family):
    """A backbone of the family whose every weight is random, biases and norms too."""
    keras.utils.set_random_seed(0)
    backbone = FAMILIES[family].backbone(
        vocabulary_size=VOCABULARY_SIZE,
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=128,
        max_sequence_length=32,
    )
    rng = np.random.default_rng(0)
    for variable in backbone.weights:
        variable.assign(np.asarray(variable) + rng.normal(0, 0.1, variable.shape))
    return backbone


def publish_trained(family, folder):
    """Write a random encoder for Hugging Face, meta-train it two steps, publish it."""
    (folder / "encoder").mkdir()
    hugging_face.write_backbone(random_backbone(family), folder / "encoder")
    spec = EncoderSpec(preset=str(folder / "encoder"), max_length_tokens=LENGTH)
    # A fitted ridge would find that the features of an untrained encoder deserve little weight.
    training = TrainingSpec(solver="plain-ridge")
    learner = build_learner(spec, training, vocabulary_size=VOCABULARY_SIZE, seed=0)
    learner.encoder_optimizer.learning_rate = learner.mapping_optimizer.learning_rate = 1e-3
    train(learner)
    return publish(learner, write_tokenizer(family, folder / "tokenizer"), folder / "published")


def train(learner, num_steps=2):
    """Take meta-steps on toy texts, and check that each loss is finite."""
    space = text_space()
    for step in range(num_steps):
        draw = sample_batch(np.random.default_rng(step), [space], {}, EPISODES)
        batch = build_batch(space, draw, EPISODES)
        loss, _ = update_weights(
            learner, {key: tf.constant(value) for key, value in batch.items()}, max_norm=1.0
        )
        assert np.isfinite(loss)


def publish(learner, tokenizer_folder, folder):
    model = PublishedModel(learner.encoder, learner.mapping, tokenizer_folder, LENGTH, CleaningSpec())
    write_published(folder, model, Provenance(Stage("published", "toy", 1, {}, []), [], "# toy\n"))
    return folder


def write_tokenizer(family, folder):
    """A tokenizer of the family's kind, trained on TEXTS, as transformers saves it."""
    if family in ("bert", "distilbert"):
        wordpiece = BertWordPieceTokenizer(lowercase=True)
        wordpiece.train_from_iterator(TEXTS * 5, vocab_size=200, show_progress=False)
        kind = BertTokenizerFast if family == "bert" else DistilBertTokenizerFast
        kind(tokenizer_object=wordpiece._tokenizer).save_pretrained(folder)
    elif family == "roberta":
        byte_level = _byte_level_bpe(ROBERTA_TOKENS)
        byte_level.post_processor = processors.RobertaProcessing(
            ("</s>", 2), ("<s>", 0), add_prefix_space=False
        )
        RobertaTokenizerFast(tokenizer_object=byte_level).save_pretrained(folder)
    elif family == "xlm-roberta":
        XLMRobertaTokenizerFast(tokenizer_object=_unigram()).save_pretrained(folder)
    else:
        end = "<|endoftext|>"
        byte_level = _byte_level_bpe([end])
        GPT2TokenizerFast(
            tokenizer_object=byte_level, bos_token=end, eos_token=end, unk_token=end
        ).save_pretrained(folder)
    return folder


def _unigram():
    """A tokenizer as XLM-R's: pieces of raw text with its spaces, for languages with and without them."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=ROBERTA_TOKENS, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator([*TEXTS, *OTHER_LANGUAGES] * 5, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _byte_level_bpe(special_tokens):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    return tokenizer
