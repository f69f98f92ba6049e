"""What goes into a batch: what is there, and what arrives soon if others are waiting as well."""

import queue

from metamapping.serving.batching import MAX_BATCH_TEXTS, Part, gather


class Arrivals:
    """A queue in which some parts lie, and others arrive while a reader waits."""

    def __init__(self, there, later):
        self.there, self.later = list(there), list(later)

    def get(self, timeout=None):
        if not self.there and self.later:
            self.there.append(self.later.pop(0))
        return self.get_nowait()

    def get_nowait(self):
        if not self.there:
            raise queue.Empty
        return self.there.pop(0)


def parts(*sizes):
    return [Part(["a"] * size, None, is_words=False) for size in sizes]


def test_a_batch_takes_what_is_there_without_waiting():
    first, second, late = parts(1, 2, 1)
    assert gather(first, Arrivals([second], [late]), 0.0) == [first, second]


def test_a_batch_is_held_while_texts_keep_arriving():
    first, *late = parts(1, 1, 1, 1)
    assert gather(first, Arrivals([], late), 60.0) == [first, *late]


def test_a_full_batch_is_not_held():
    there = parts(*[1] * MAX_BATCH_TEXTS)
    assert gather(there[0], Arrivals(there[1:], parts(1)), 60.0) == there
