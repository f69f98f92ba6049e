"""Items are computed in a thread, one ahead of their use."""

import threading
from contextlib import closing

import pytest

from metamapping.episodes.ahead import one_ahead


def test_all_items_come_in_order():
    assert list(one_ahead(iter(range(100)))) == list(range(100))
    assert list(one_ahead(iter([]))) == []
    assert list(one_ahead(iter([None, None]))) == [None, None]


def test_the_next_item_is_computed_while_the_last_one_is_used():
    begun = [threading.Event() for _ in range(3)]

    def items():
        for number, event in enumerate(begun):
            event.set()
            yield number

    with closing(one_ahead(items())) as ahead:
        assert next(ahead) == 0
        assert begun[1].wait(10)
        assert not begun[2].wait(0.05)


def test_an_error_is_raised_where_its_item_would_be():
    def items():
        yield 1
        raise ValueError("no second item")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="no second item"):
        next(ahead)


def test_a_caller_that_stops_early_leaves_no_thread():
    ahead = one_ahead(iter(range(10)))
    assert next(ahead) == 0
    ahead.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("one-ahead")]
