"""Fixtures that several tests share. Property tests have no deadline, because machines may be busy."""

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The published folder of a small untrained BERT."""
    from tests.toy_published import publish_toy

    folder = tmp_path_factory.mktemp("published")
    publish_toy(folder, folder / "published")
    return folder / "published"
