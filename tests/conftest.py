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


@pytest.fixture(scope="session")
def mapper(published):
    """The small untrained BERT, which no task changes."""
    from metamapping import MetaMapper

    return MetaMapper.from_pretrained(published)


# Files of end-to-end tests that share something expensive: one process runs them.
TOGETHER = {
    **dict.fromkeys(
        (f"tests/e2e/test_{name}.py" for name in ("nights", "orchestration", "outage", "security")), "server"
    ),
    **dict.fromkeys(
        (f"tests/e2e/test_{name}.py" for name in ("addresses", "demo", "kill", "secrets")), "command"
    ),
}


# The end-to-end tests that take minutes come first, so that at the end no process computes alone. Before all
# others are those of the Prefect server: they wait most, while the other process computes.
LONGEST = (
    "server",
    "tests/e2e/test_tutorial.py",
    "tests/e2e/test_faults.py",
    "command",
    "tests/benchmarks/test_gpu_check.py",
    "tests/serving/test_contract.py",
)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: rank_of(scope_of(item.nodeid)))


def rank_of(scope):
    return LONGEST.index(scope) if scope in LONGEST else len(LONGEST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """For ``--dist loadfile``: files of ``TOGETHER`` count as one.

    Not by ``--dist loadgroup``, which pytest-xdist 3.8 does not do with pytest 9.2: it spreads all tests.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return scope_of(nodeid)

    return Scheduling(config, log)


def scope_of(nodeid):
    """The file of a test, or the name of the files that it is together with."""
    file = nodeid.partition("::")[0]
    return TOGETHER.get(file, file)
