"""Parcels: which sources share a task."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metamapping.corpus.source_groups import SHOWN_ALONE, WORTH_TASKS, pack
from tests.corpus.toys import toy_source

RUNNERS = list(WORTH_TASKS)


def sources_of(folder, sizes):
    made = []
    for number, size in enumerate(sizes):
        path = folder / f"{number}.csv"
        with path.open("wb") as file:
            file.truncate(size)  # a hole in the file, however large
        made.append(toy_source(path, name=f"source-{number}"))
    return made


@pytest.mark.parametrize("runner", RUNNERS)
def test_few_sources_have_tasks_of_their_own(tmp_path, runner):
    sources = sources_of(tmp_path, [10] * SHOWN_ALONE)
    assert [parcel.name for parcel in pack(sources, runner)] == [source.name for source in sources]


@pytest.mark.parametrize("runner", RUNNERS)
@given(shares=st.lists(st.floats(0, 1.5), min_size=SHOWN_ALONE + 1, max_size=60))
def test_every_source_is_in_one_parcel_and_each_but_the_last_is_worth_its_tasks(
    tmp_path_factory, runner, shares
):
    worth = WORTH_TASKS[runner]
    sizes = [int(share * worth) for share in shares]
    sources = sources_of(tmp_path_factory.mktemp("sources"), sizes)
    size_of = dict(zip([source.name for source in sources], sizes, strict=True))
    parcels = pack(sources, runner)
    assert [source for parcel in parcels for source in parcel.sources] == sources
    for parcel in parcels:
        *others, last = [max(1, size_of[source.name]) for source in parcel.sources]
        assert sum(others) < worth  # no source more than it takes
        if parcel is not parcels[-1]:
            assert sum(others) + last >= worth


def test_a_parcel_is_named_after_its_first_source(tmp_path):
    (parcel,) = pack(sources_of(tmp_path, [10] * 42), "threads")
    assert parcel.name == "source-0 and 41 more"


def test_what_is_not_here_is_a_parcel_alone(tmp_path):
    sources = sources_of(tmp_path, [10] * (SHOWN_ALONE + 4))
    sources[3] = toy_source(tmp_path / "gone.csv", name="gone")
    assert [len(parcel.sources) for parcel in pack(sources, "threads")] == [4, SHOWN_ALONE]
