"""Leakage: no text that is trained on is held out too."""

import pytest

from metamapping.config.corpus import DuplicateSpec, LeakageSpec
from metamapping.corpus.leakage import leaks_stage, read_leaks, write_leaks
from metamapping.errors import ConfigError
from tests.corpus.toys import RULES, labelled, prepare, toy_source, write_jsonl

LONG = "please tell me as soon as you can when the new card that i ordered will be delivered to me"
CHECK = LeakageSpec()
OWN = ("quite another text", "x")


@pytest.fixture
def leaks_of(tmp_path):
    """A function that finds the leaks of sources (name, role, rows): name → [(row, against, kind)]."""

    def find(*given, spec=CHECK, duplicates=RULES.duplicates):
        sources, folders = [], []
        for name, role, rows in given:
            roles = {"label_roles": role} if isinstance(role, dict) else {"role": role}
            path = write_jsonl(tmp_path / f"{name}.jsonl", rows)
            sources.append(toy_source(path, name=name, **roles))
            prepare(sources[-1], tmp_path / name, RULES._replace(duplicates=duplicates))
            folders.append(str(tmp_path / name / "examples"))
        write_leaks(sources, folders, spec, duplicates, tmp_path)
        assert not (tmp_path / "held-out").exists()  # the index is in files while it is used
        return {
            source.name: [
                (leak["row"], leak["against"], leak["kind"])
                for leak in read_leaks(tmp_path, source.name).to_pylist()
            ]
            for source in sources
        }

    return find


def test_a_training_text_that_is_held_out_leaks_exactly_or_nearly(leaks_of):
    found = leaks_of(
        ("a", "train", labelled(OWN, ("Where is it?", "x"), (f"{LONG} please", "y"))),
        ("b", "validation", labelled(("where is it?", "other"), ("b's own", "z"))),
        ("c", "test", labelled((LONG, "z"), ("c's own", "z"))),
    )
    assert found == {"a": [(1, "b", "exact"), (2, "c", "near")], "b": [], "c": []}


def test_a_validation_text_leaks_into_a_test_source_but_never_the_other_way(leaks_of):
    found = leaks_of(
        ("t", "test", labelled(("same", "x"), OWN)),
        ("v", "validation", labelled(("own", "x"), ("same", "y"))),
    )
    assert found == {"t": [], "v": [(1, "t", "exact")]}


def test_sources_of_one_role_do_not_leak_into_each_other(leaks_of):
    found = leaks_of(("a", "train", labelled(("same", "x"))), ("b", "train", labelled(("same", "x"))))
    assert found == {"a": [], "b": []}


def test_a_source_split_by_labels_can_leak_into_itself(leaks_of):
    roles = {"train": ["x"], "test": ["y"]}
    found = leaks_of(("a", roles, labelled((LONG, "x"), (f"{LONG} please", "y"), OWN)))
    assert found == {"a": [(0, "a", "near")]}


def test_without_near_duplicates_only_equal_texts_leak(leaks_of):
    found = leaks_of(
        ("a", "train", labelled(OWN, (f"{LONG} please", "x"), ("same", "x"))),
        ("b", "test", labelled((LONG, "x"), ("same", "y"))),
        duplicates=DuplicateSpec(near=False),
    )
    assert found["a"] == [(2, "b", "exact")]


def test_the_check_can_be_switched_off(leaks_of):
    same = labelled(("same", "x"), OWN)
    assert leaks_of(("a", "train", same), ("b", "test", same[:1]), spec=LeakageSpec(check=False))["a"] == []


def test_a_source_whose_texts_all_leak_is_refused_by_name(leaks_of):
    same = labelled(("same", "x"), OWN)
    with pytest.raises(ConfigError, match=r"all examples of 'a' \(into b\) also occur in held-out sources"):
        leaks_of(("a", "train", same), ("b", "test", same))


def test_a_changed_role_changes_the_leaks_and_no_earlier_stage(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", labelled(OWN))
    stages = [
        leaks_stage([toy_source(path, role=role)], ["examples"], LeakageSpec(), DuplicateSpec())
        for role in ("train", "test")
    ]
    assert stages[0].fingerprint != stages[1].fingerprint
