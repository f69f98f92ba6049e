"""The registry: which run is in production, and how that came about, whoever else writes at the same time."""

from __future__ import annotations

import multiprocessing

import pytest

from metamapping.errors import ConfigError, StoreError
from metamapping.runs.folder import RunFolder
from metamapping.runs.registry import Registry
from metamapping.storage.manifest import MANIFEST
from metamapping.storage.remote import write_file

RUNS = ("shop-1", "shop-2", "shop-3")


def make_published(home, *names: str) -> Registry:
    """Runs with nothing but the manifest of a published folder, which is what the registry looks at."""
    for name in names:
        write_file(RunFolder(home, name).published / MANIFEST, b"{}")
    return Registry(home)


@pytest.fixture
def registry(tmp_path) -> Registry:
    return make_published(tmp_path, *RUNS)


def promote(registry: Registry, *names: str) -> None:
    for name in names:
        registry.promote(name, why="better", by="ann")


def test_a_new_home_has_no_aliases(registry):
    assert registry.aliases == {}
    assert registry.history() == []


def test_a_promoted_run_is_in_production_and_the_history_says_who_and_why(registry):
    promote(registry, "shop-1")
    registry.promote("shop-2", why="two points better", by="bob")
    assert registry.production == "shop-2"
    last = registry.history()[-1]
    assert (last.number, last.action, last.run, last.by, last.why) == (
        2, "promote", "shop-2", "bob", "two points better"
    )  # fmt: skip
    assert last.at.tzinfo is not None


def test_promoting_the_run_in_production_changes_nothing(registry):
    promote(registry, "shop-1", "shop-1")
    assert len(registry.history()) == 1


def test_a_rollback_leads_back_step_by_step(registry):
    promote(registry, *RUNS)
    assert registry.rollback(why="complaints", by="bob").run == "shop-2"
    assert registry.rollback(why="more complaints", by="bob").run == "shop-1"
    assert registry.production == "shop-1"
    with pytest.raises(ConfigError, match="shop-1 is the first run in production"):
        registry.rollback(why="still", by="bob")


def test_after_a_rollback_and_a_promotion_the_next_rollback_skips_what_was_left(registry):
    promote(registry, "shop-1", "shop-2")
    registry.rollback(why="complaints", by="bob")
    promote(registry, "shop-3")
    assert registry.rollback(why="worse", by="bob").run == "shop-1"


def test_a_candidate_is_one_until_it_is_promoted_or_refused(registry):
    registry.propose("shop-1", why="published", by="night")
    assert registry.aliases == {"candidate": "shop-1"}
    assert registry.decision("shop-1") is None
    promote(registry, "shop-1")
    registry.propose("shop-2", why="published", by="night")
    registry.refuse("shop-2", why="hotel falls", by="gate")
    assert registry.aliases == {"production": "shop-1"}
    assert registry.decision("shop-2").why == "hotel falls"
    assert registry.decision("shop-1").action == "promote"


def test_a_run_that_has_not_published_cannot_be_promoted(registry):
    with pytest.raises(ConfigError, match="'shop-9' has no published encoder"):
        promote(registry, "shop-9")
    with pytest.raises(ConfigError, match="not a valid run id"):
        promote(registry, "../shop-1")


def test_a_comparison_with_a_run_that_left_production_does_not_count(registry):
    promote(registry, "shop-1", "shop-2")
    with pytest.raises(ConfigError, match="compared with shop-1, but meanwhile shop-2 is in production"):
        registry.promote("shop-3", why="better", by="gate", instead_of="shop-1")
    registry.promote("shop-3", why="better", by="gate", instead_of="shop-2")


def test_a_damaged_entry_is_named(registry, tmp_path):
    promote(registry, "shop-1")
    entry = tmp_path / "registry" / "00000001.json"
    entry.write_text(entry.read_text().replace("better", "bitter"))
    with pytest.raises(StoreError, match=r"00000001\.json is damaged .*checksum"):
        _ = registry.production


def test_files_that_are_no_entries_are_ignored(registry, tmp_path):
    promote(registry, "shop-1")
    (tmp_path / "registry" / "notes.json").write_text("mine")
    (tmp_path / "registry" / ".00000002.json.a1b2").write_text("half")
    promote(registry, "shop-2")
    assert registry.production == "shop-2"


def promote_all(home: str, name: str) -> None:
    for _ in range(3):
        Registry(home).promote(f"{name}-a", why="first", by=name)
        Registry(home).promote(f"{name}-b", why="second", by=name)


def check_no_promotion_is_lost(home, run) -> None:
    """Several promote at the same time: each promotion is in the history, one after another."""
    names = ["ann", "bob"]
    registry = make_published(home, *(f"{name}-{letter}" for name in names for letter in "ab"))
    run(home, names)
    history = registry.history()
    assert [entry.number for entry in history] == list(range(1, len(history) + 1))
    for entry, before in zip(history[1:], history, strict=False):
        assert entry.former[:-1] == before.former[-19:]
    assert {entry.by for entry in history} == set(names)
    assert registry.production == history[-1].run


def test_two_processes_promote_at_once_in_a_folder(tmp_path):
    def run(home, names):
        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=promote_all, args=(str(home), name)) for name in names]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0, 0]

    check_no_promotion_is_lost(tmp_path, run)


@pytest.mark.parametrize("name", ["", ".", "..", "../shop-1", "/etc", "a/b", "a\\b", "a\0b", "*", "shop"])
def test_what_is_no_id_of_a_run_is_not_promoted(registry, name):
    with pytest.raises(ConfigError):
        registry.promote(name, why="better", by="ann")
    assert registry.history() == []
