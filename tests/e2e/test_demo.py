"""The whole pipeline, as `make demo` runs it: from sources to a published encoder, twice."""

import re

import numpy as np
import pytest

from metamapping import MetaMapper
from metamapping.runs.folder import RunFolder
from tests.e2e.command import finish, published, start

pytestmark = pytest.mark.slow


@pytest.fixture
def home(finished_run):
    return finished_run[0]


@pytest.fixture
def first(finished_run):
    return finished_run[1]


def test_the_run_ends_with_a_table_a_verdict_and_a_published_folder(home, first):
    assert "Rounds of tiny-" in first
    assert "95 % intervals" in first
    assert "Last round. Round 1 " in first
    assert "online-shop" in first  # the test source, with what it gained
    assert f"Published: {published(home)}\n" in first
    assert f"Next: metamapping adapt {published(home)} " in first


def test_a_log_has_a_line_a_stage_and_none_of_prefect_and_tensorflow(first):
    assert re.search(r"^[\d:]{8} prepared 3 sources, left out \d+ of 1,\d\d\d rows", first, re.MULTILINE)
    assert re.search(r"^[\d:]{8} round 1: accuracy 0\.\d+ ", first, re.MULTILINE)
    assert "hook" not in first
    assert "INFO" not in first
    assert "oneDNN" not in first
    before_summary = first[: first.index("Rounds of ")].splitlines()
    assert len([line for line in before_summary if " … " not in line]) < 10, first


def test_the_history_on_disk_has_a_final_verdict(home, first):
    history = RunFolder.of_published(published(home)).read_history()
    assert [judged.report.round for judged in history] == list(range(1, len(history) + 1))
    assert history[-1].verdict.is_final
    assert not any(judged.verdict.is_final for judged in history[:-1])


def test_the_published_encoder_adapts_to_a_new_task(home, first):
    mapper = MetaMapper.from_pretrained(published(home))
    mapping = mapper.adapt(["where is my parcel", "i want my money back"], ["delivery", "refund"])
    assert mapping.labels == ("delivery", "refund")
    np.testing.assert_allclose(mapping.predict_proba(["my parcel"]).sum(axis=1), 1, rtol=1e-5)
    assert set(mapping.predict(["my parcel", "my money"])) <= {"delivery", "refund"}


def test_the_same_command_again_repeats_no_work(home, first):
    folder = published(home)
    before = {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*") if path.is_file()}
    output = finish(start(home))
    assert "The run was finished already; no work was repeated." in output
    assert {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*") if path.is_file()} == before
    assert "tensorflow" not in output.lower()


def test_an_invalid_configuration_is_rejected_in_one_sentence_before_anything_starts(tmp_path):
    config = tmp_path / "wrong.yaml"
    config.write_text("name: wrong\nsources: []\nencoder: {scratch: {}}\nepisods: {}\n")
    process = start(tmp_path / "home", config=config)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "error: " in output
    assert "did you mean 'episodes'" in output
    assert "Traceback" not in output
    assert not (tmp_path / "home" / "data").exists()
