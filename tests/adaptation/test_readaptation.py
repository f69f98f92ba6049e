"""Tasks of every kind on another encoder: the same as if they had been adapted to it."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping import MetaMapper
from metamapping.adaptation.readaptation import left_out_accuracy, readapt
from metamapping.adaptation.task_mapping import Mapping
from metamapping.adaptation.tuning.tuning_record import Tuning
from tests.toy_published import publish_toy

TEXTS = [
    "where is my parcel",
    "my parcel is late",
    "give me my money back",
    "refund the order",
    "hello there",
]
LABELS = ["delivery", "delivery", "refund", "refund", "other"]
ADAPTED = {
    "plain": {"labels": LABELS, "label_names": {"refund": "money back"}},
    "pairs": {"labels": LABELS, "text_pairs": TEXTS[::-1]},
    "grades": {"labels": LABELS, "ordinal": ["other", "refund", "delivery"]},
    "out of scope": {"labels": LABELS, "out_of_scope": "other"},
    "several labels": {"labels": [["delivery"], ["delivery", "refund"], ["refund"], [], ["refund"]]},
}


@pytest.fixture(scope="module")
def mappers(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    publish_toy(folder, folder / "published", seed=1)
    return [MetaMapper.from_pretrained(each, progress=False) for each in (published, folder / "published")]


@pytest.mark.parametrize("kind", ADAPTED)
def test_a_task_of_every_kind_is_the_same_as_if_it_had_been_adapted_there(kind, mappers, tmp_path):
    before, other = mappers
    pairs = ADAPTED[kind].get("text_pairs")
    saved = before.adapt(TEXTS, **ADAPTED[kind]).save(tmp_path / "task")
    moved = readapt(Mapping.load(saved, before), other)
    direct = other.adapt(TEXTS, **ADAPTED[kind])
    assert type(moved) is type(direct)
    assert set(moved.labels) == set(direct.labels)
    assert (moved.is_ordinal, moved.out_of_scope) == (direct.is_ordinal, direct.out_of_scope)
    assert moved.num_out_of_scope == direct.num_out_of_scope
    assert moved.encoder_fingerprint == direct.encoder_fingerprint
    order = [direct.labels.index(label) for label in moved.labels]
    np.testing.assert_allclose(
        moved.predict_proba(TEXTS, text_pairs=pairs),
        direct.predict_proba(TEXTS, text_pairs=pairs)[:, order],
        atol=1e-4,
    )


def test_the_accuracy_of_several_labels_is_estimated_too(mappers):
    mapping = mappers[0].adapt(TEXTS, **ADAPTED["several labels"])
    assert 0 <= left_out_accuracy(mapping) <= 1


def test_a_tuned_task_stays_on_its_encoder(mappers):
    mapping = mappers[0].adapt(TEXTS, LABELS)
    tuned = Tuning(1.0, 16, 1.0, 5, -1.0, -0.5, 0.1, "more probable")
    with pytest.raises(ValueError, match="the task is tuned, on the encoder that it has: adapt it again"):
        readapt(Mapping(mappers[0].featurizer, replace(mapping.state, tuning=tuned)), mappers[1])


def test_a_task_without_texts_cannot_be_moved(mappers, tmp_path):
    mappers[0].adapt(TEXTS, LABELS).save(tmp_path / "task", keep_texts=False)
    with pytest.raises(ValueError, match="saved without the texts"):
        readapt(Mapping.load(tmp_path / "task", mappers[0]), mappers[1])
