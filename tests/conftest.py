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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """For ``--dist loadgroup`` of pytest-xdist: a file stays in one process, unless its marks say more.

    Those of the Prefect server come first: they wait most, while the other process computes.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: item.get_closest_marker("xdist_group").args[0] != "server")
