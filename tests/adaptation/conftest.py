"""A small task of texts that tests of mappings share."""

import pytest

from tests.adaptation.toy_task import LABELS, TEXTS


@pytest.fixture
def mapping(mapper):
    return mapper.adapt(TEXTS, LABELS)
