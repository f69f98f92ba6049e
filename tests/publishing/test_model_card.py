"""Model card: the hub can read its metadata, and its text states what the run measured."""

import pytest
from huggingface_hub import ModelCard

from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.config.rounds import ConvergenceSpec
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Columns, Hub, Source
from metamapping.corpus.prepared import Corpus
from metamapping.publishing.model_card import model_card
from metamapping.rounds.records import Round
from metamapping.rounds.verdict import judge
from metamapping.storage.artifacts import Reference
from tests.toy_rounds import toy_history, toy_report


def _source(name, role, **options):
    options = {"files": [f"/home/somebody/{name}.csv"], "licence": "CC BY 4.0", **options}
    return Source(name=name, task_type="text-classification", role=role, columns=Columns(), **options)


def _card(sources=(), family="bert", accuracies=(0.7, 0.9), test=None, encoder=None, **settings):
    trained = [_source("coffee", "train"), _source("books", "train")]
    held_out = [_source("hotel", "validation"), _source("bank", "test")]
    config = RunConfig(
        name="toy",
        sources=[*(sources or trained), *held_out],
        encoder=encoder or EncoderSpec(scratch=ScratchEncoder(), max_length_tokens=32),
        **settings,
    )
    reports = toy_history(accuracies, noise=0.01)
    history = [
        Round(report=reports[i], verdict=judge(reports[: i + 1], ConvergenceSpec(max_rounds=len(reports))))
        for i in range(len(reports))
    ]
    corpus = Corpus(
        tokens=[_reference(source.name, rows_out=1_234) for source in config.sources],
        tokenizer=_reference("encoder", vocabulary_size=4_000),
    )
    cells = (test or toy_report(1, {"bank": 0.8}, noise=0.01)).cells
    return ModelCard(model_card(config, corpus, history, cells, family=family))


def _reference(name, **counts):
    return Reference(stage="tokens", name=name, fingerprint=f"fp-{name}", path="/somewhere", counts=counts)


def test_the_hub_client_can_read_the_metadata():
    report = toy_report(1, {"bank": 0.8}, noise=0.01)
    zero_shot = report.cells[0].model_copy(update={"shots": 0})
    data = _card(test=report.model_copy(update={"cells": [zero_shot, *report.cells]})).data
    assert data.library_name == "metamapping"
    assert data.pipeline_tag == "feature-extraction"
    assert {"few-shot", "sentence-transformers", "keras-hub"} <= set(data.tags)
    assert [(r.dataset_name, r.metric_type, r.metric_value) for r in data.eval_results] == [
        (f"bank, {shots} shots", "accuracy", pytest.approx(0.8, abs=1e-3)) for shots in (0, 4)
    ]


@pytest.mark.parametrize(
    ("licenses", "expected"),
    [
        (("CC BY 4.0", "CC BY 4.0"), ("cc-by-4.0", None)),
        (("our own", "our own"), ("other", "our-own")),
        (("MIT", "CC BY 4.0"), (None, None)),
        (("", ""), (None, None)),
    ],
)
def test_a_license_is_stated_if_all_sources_share_it(licenses, expected):
    names = ("coffee", "books")
    sources = [
        _source(name, "train", licence=license_) for name, license_ in zip(names, licenses, strict=True)
    ]
    data = _card(sources).data
    assert (data.license, data.get("license_name")) == expected


def test_base_model_and_data_sets_on_the_hub_are_linked():
    encoder = EncoderSpec(preset="hf://google-bert/bert-base-uncased")
    sources = [_source("coffee", "train", files=None, hub=Hub(path="team/coffee"))]
    data = _card(sources, encoder=encoder).data
    assert data.base_model == "google-bert/bert-base-uncased"
    assert data.datasets == ["team/coffee"]


def test_sources_are_listed_with_rows_license_and_fingerprint():
    assert "| coffee | text-classification | 1,234 | CC BY 4.0 | `fp-coffee` |" in _card().text


def test_a_source_that_was_never_drawn_is_listed_as_not_trained_on():
    sources = [_source(name, "train") for name in ("coffee", "books", "spare")]
    text = _card(sources).text
    assert "| spare |" not in text
    assert "Prepared, but not trained on: spare." in text


def test_scores_are_compared_with_those_before_meta_training_with_intervals():
    assert "| bank | 4 | 0.500 | 0.800 [" in _card().text


def test_test_sources_without_a_clear_gain_are_named():
    text = _card(test=toy_report(1, {"bank": 0.3, "hotel": 0.5}, noise=0.01)).text
    assert "Worse than before meta-training on bank at 4 shots." in text
    assert "Not clearly better than before meta-training on hotel at 4 shots." in text


def test_the_card_reveals_no_local_path():
    encoder = EncoderSpec(preset="/home/somebody/encoder")
    content = str(_card(encoder=encoder))
    assert "`encoder`" in content
    assert "/home" not in content


def test_a_family_without_export_formats_says_which_libraries_cannot_read_it():
    card = _card(family=None)
    assert "cannot read this folder" in card.text
    assert "SentenceTransformer(" not in card.text
    assert "transformers" not in card.data.tags


def test_an_encoder_that_gained_nothing_is_published_unchanged():
    assert "so that one is published here, unchanged." in _card(accuracies=(0.5, 0.5)).text
