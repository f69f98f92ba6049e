"""Label spaces: examples grouped by label, and sources that no episode could be drawn from."""

import numpy as np
import pytest

from metamapping.config.sources import Source
from metamapping.corpus.ragged import Ragged
from metamapping.episodes.label_space import build_label_space, check_enough_examples
from metamapping.errors import ConfigError
from tests.toys import ner_space, text_space, token_table, tokenize_names


def test_rows_are_grouped_by_label():
    space = text_space(labels=("b", "a"), per_label=3)
    assert space.labels == ("a", "b")
    assert [rows.tolist() for rows in space.rows_of] == [[3, 4, 5], [0, 1, 2]]
    assert space.label_of.tolist() == [1, 1, 1, 0, 0, 0]


def test_ner_types_are_numbered_from_one_and_outside_is_zero():
    space = ner_space(per_type=2)
    assert space.labels == ("person", "place")
    assert space.word_labels[0].tolist() == [0, 0, 1, 1, 0]
    assert space.word_labels[3].tolist() == [0, 0, 2, 2, 0]
    assert space.rows_of[1].tolist() == [2, 3]


def test_label_roles_keep_the_labels_of_one_role():
    rows = [(label, None, [1, 2], None) for label in "aabbcc"]
    source = Source(
        name="s",
        task_type="text-classification",
        files=["x"],
        label_roles={"train": ["a", "b"], "test": ["c", "a"]},
    )
    train = build_label_space(source, token_table(rows, "s"), role="train", tokenize_names=tokenize_names)
    assert train.labels == ("a", "b")
    assert train.num_rows == 4


def rows_of_roles(rows, roles):
    """The rows of each role; a row is known by its only token."""
    source = Source(name="s", task_type="text-classification", files=["x"], label_roles=roles)
    table = token_table([(label, None, [token], None) for token, label in rows], "s")
    spaces = {
        role: build_label_space(source, table, role=role, tokenize_names=tokenize_names) for role in roles
    }
    return {role: set(space.token_ids.values.tolist()) for role, space in spaces.items()}


@pytest.mark.parametrize("seed", range(5))
def test_growth_in_any_order_moves_no_row_to_another_role(seed):
    roles = {"train": ["a", "b"], "validation": ["c", "d"], "test": ["e", "f"]}
    rng = np.random.default_rng(seed)
    rows = list(enumerate("aabbccddeeff"))
    before = rows_of_roles(rows, roles)
    grown = [
        *rows,
        *((100 + number, str(label)) for number, label in enumerate(rng.choice(list("abcdefg"), 30))),
    ]
    after = rows_of_roles([grown[i] for i in rng.permutation(len(grown))], roles)
    for role, texts in before.items():
        assert len(texts) == 4
        assert texts <= after[role]
        assert not texts & {token for other in roles if other != role for token in after[other]}


def test_a_label_of_a_role_without_any_example_is_an_error():
    source = Source(
        name="s", task_type="text-classification", files=["x"], label_roles={"train": ["a", "zebra"]}
    )
    with pytest.raises(
        ConfigError, match="'zebra', but no example has that label; the labels of the source: a, b"
    ):
        build_label_space(
            source,
            token_table([("a", None, [1], None), ("b", None, [1], None)], "s"),
            role="train",
            tokenize_names=tokenize_names,
        )


def test_a_source_with_one_label_is_an_error():
    with pytest.raises(ConfigError, match="has 1 label "):
        text_space(labels=("a",))


def test_a_label_with_too_few_examples_is_an_error_with_the_numbers():
    space = text_space(per_label=3)
    with pytest.raises(ConfigError, match=r"'toys': label 'a' has 3 examples but episodes need 5 \(4 \+ 1\)"):
        check_enough_examples(space.source, space.counts, needed=5, why="4 + 1")


def test_several_labels_in_one_text_are_named_where_a_label_has_too_few_examples():
    counts = {"login": 9, "refund": 9, "login|urgent": 1, "refund|urgent": 9}
    with pytest.raises(
        ConfigError, match=r"has 1 example but .*set `multi_label: true` and `label_separator"
    ):
        check_enough_examples("toys", counts, needed=2, why="1 + 1")


def test_ragged_rows_are_slices_of_their_values():
    ragged = Ragged.from_lists([[1, 2], [], [3]], np.int32)
    assert [row.tolist() for row in map(ragged.__getitem__, range(3))] == [[1, 2], [], [3]]
    assert ragged.lengths.tolist() == [2, 0, 1]
