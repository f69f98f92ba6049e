"""Source groups: which sources share a task."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metamapping.corpus.source_groups import MAX_UNGROUPED_SOURCES, MIN_GROUP_BYTES, group_sources
from tests.corpus.toys import toy_source

RUNNERS = list(MIN_GROUP_BYTES)


def sources_of(folder, sizes):
    sources = []
    for number, size in enumerate(sizes):
        path = folder / f"{number}.csv"
        with path.open("wb") as file:
            file.truncate(size)  # a sparse file, which takes no space
        sources.append(toy_source(path, name=f"source-{number}"))
    return sources


@pytest.mark.parametrize("runner", RUNNERS)
def test_few_sources_have_tasks_of_their_own(tmp_path, runner):
    sources = sources_of(tmp_path, [10] * MAX_UNGROUPED_SOURCES)
    assert [group.name for group in group_sources(sources, runner)] == [source.name for source in sources]


@pytest.mark.parametrize("runner", RUNNERS)
@settings(max_examples=25)  # of up to 60 files each
@given(shares=st.lists(st.floats(0, 1.5), min_size=MAX_UNGROUPED_SOURCES + 1, max_size=60))
def test_every_source_is_in_one_group_and_each_but_the_last_is_large_enough(tmp_path_factory, runner, shares):
    min_bytes = MIN_GROUP_BYTES[runner]
    sizes = [int(share * min_bytes) for share in shares]
    sources = sources_of(tmp_path_factory.mktemp("sources"), sizes)
    size_of = dict(zip([source.name for source in sources], sizes, strict=True))
    groups = group_sources(sources, runner)
    assert [source for group in groups for source in group.sources] == sources
    for group in groups:
        *others, last = [max(1, size_of[source.name]) for source in group.sources]
        assert sum(others) < min_bytes  # no more sources than necessary
        if group is not groups[-1]:
            assert sum(others) + last >= min_bytes


def test_a_group_is_named_after_its_first_source(tmp_path):
    (group,) = group_sources(sources_of(tmp_path, [10] * 42), "threads")
    assert group.name == "source-0 and 41 more"


def test_a_missing_file_counts_as_large_enough(tmp_path):
    sources = sources_of(tmp_path, [10] * (MAX_UNGROUPED_SOURCES + 4))
    sources[3] = toy_source(tmp_path / "gone.csv", name="gone")
    assert [len(group.sources) for group in group_sources(sources, "threads")] == [4, MAX_UNGROUPED_SOURCES]
