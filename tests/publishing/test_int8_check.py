"""8 bits are used where they cost little, and refused with the figures where they cost too much."""

import json
import shutil

import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation.saved.task_folder import TASK, PrecisionWarning
from metamapping.publishing.int8_check import Int8Check, int8_markdown
from metamapping.publishing.layout import SETTINGS
from metamapping.storage.manifest import MANIFEST, write_json, write_manifest
from tests.processor import needs_int8

TEXTS, LABELS = ["where is my parcel", "i want my money back"], ["delivery", "refund"]


@pytest.fixture
def measured(published, tmp_path):
    """A function that copies the published folder with what 8 bits were found to cost."""

    def copy(loss):
        folder = tmp_path / f"lost-{loss}"
        shutil.copytree(published, folder, ignore=shutil.ignore_patterns(MANIFEST))
        settings = json.loads((folder / SETTINGS).read_text())
        check = {"float32": 0.7, "int8": 0.7 - loss, "num_sources": 3}
        write_json(folder / SETTINGS, settings | {"int8": check})
        write_manifest(folder, {"stage": "published"})
        return folder

    return copy


@pytest.mark.parametrize(
    ("int8", "is_accepted"), [(0.71, True), (0.6971, True), (0.697, False), (0.2, False)]
)
def test_less_than_three_tenths_of_a_point_may_be_lost(int8, is_accepted):
    check = Int8Check(float32=0.7, int8=int8, num_sources=3)
    assert check.is_accepted == is_accepted
    card = int8_markdown(check)
    assert f"{100 * int8:.1f} instead of 70.0 on the 3 validation sources" in card
    assert ("is refused for this encoder" in card) == (not is_accepted)
    assert "was not measured" in int8_markdown(None)


@needs_int8
def test_an_encoder_that_refuses_8_bits_says_why_and_how_to_use_them_anyway(measured):
    folder = measured(0.01)
    with pytest.raises(
        ValueError, match=r"lost-0\.01 should not be .*69\.0 instead of 70\.0.*-1\.00.*`int8-anyway`"
    ):
        MetaMapper.from_pretrained(folder, backend="int8")
    assert MetaMapper.from_pretrained(folder, backend="int8-anyway").featurizer.precision == "int8"
    assert MetaMapper.from_pretrained(folder).featurizer.precision == "float32"
    assert MetaMapper.from_pretrained(measured(0.0), backend="int8").featurizer.precision == "int8"


@needs_int8
def test_a_task_adapted_in_8_bits_is_used_in_8_bits(measured, tmp_path, recwarn):
    folder = measured(0.01)
    mapping = MetaMapper.from_pretrained(folder, backend="int8-anyway").adapt(TEXTS, LABELS)
    task = mapping.save(tmp_path / "task")
    assert json.loads((task / TASK).read_text())["precision"] == "int8"
    loaded = Mapping.load(task)
    assert loaded._featurizer.precision == "int8"
    assert (loaded.predict_proba(TEXTS) == mapping.predict_proba(TEXTS)).all()
    assert not [each for each in recwarn if each.category is PrecisionWarning]
    with pytest.warns(PrecisionWarning, match=r"adapted in 8 bits and is used in float32.*backend `int8`"):
        Mapping.load(task, backend="runtime")
    with pytest.warns(PrecisionWarning):
        Mapping.load(task, MetaMapper.from_pretrained(folder))


def test_a_task_adapted_in_float32_is_saved_as_before(published, tmp_path):
    task = MetaMapper.from_pretrained(published).adapt(TEXTS, LABELS).save(tmp_path / "task")
    assert "precision" not in json.loads((task / TASK).read_text())
