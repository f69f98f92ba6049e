"""What several tests share: a small published encoder. No test has a deadline: machines are shared."""

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The folder of an untrained little BERT, published as any other."""
    from tests.toy_published import publish_toy

    folder = tmp_path_factory.mktemp("published")
    publish_toy(folder, folder / "published")
    return folder / "published"
