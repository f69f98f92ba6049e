"""Encoders of three layers, of which one lies above the lower view, and a gate that always tunes."""

from dataclasses import replace

import pytest

from metamapping import MetaMapper
from metamapping.adaptation.tuning import tuning, tuning_steps
from metamapping.adaptation.tuning.tuning_gate import choose
from tests.adaptation.tuning.toy_tuning import change_of


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    from tests.toy_published import publish_toy

    making = tmp_path_factory.mktemp("deep")
    publish_toy(making, making / "published", num_layers=3)
    return making / "published"


@pytest.fixture(scope="session")
def mapper(folder):
    return MetaMapper.from_pretrained(folder, progress=False)


@pytest.fixture(scope="session")
def on_tensorflow(mapper):
    """The encoder that tuning computes with, so that its step is compiled once."""
    featurizer = mapper.featurizer
    model = tuning_steps._tensorflow_model(featurizer.model.tokenizer_folder, featurizer.fingerprint)
    return MetaMapper(model, progress=False)


@pytest.fixture(scope="session")
def delta(on_tensorflow):
    """A change of all layers."""
    return change_of(on_tensorflow, 3)


@pytest.fixture
def always_tuned(monkeypatch):
    """The gate chooses all of the change."""
    monkeypatch.setattr(tuning, "choose", all_of_it)


@pytest.fixture(scope="module")
def always_tuned_in_module():
    """The gate chooses all of the change in all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "choose", all_of_it)
        yield


def all_of_it(evidence):
    return replace(choose(evidence), weight=1.0, best_weight=1.0)
