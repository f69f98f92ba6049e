"""One ahead: the next item of an iterator is computed in a thread while its caller uses the last one.

Input: an iterator, such as one that builds batches. Output: the same items in the same order.

    for batch in one_ahead(build_batch(space, draw, spec) for draw in draws):
        update(batch)                        # meanwhile the next batch is built
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def one_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield the items of an iterator, of which one at most is computed in advance.

    Args:
        items: Only one thread at a time uses it. What it raises is raised here, in place of the item.

    Yields:
        Each item. A caller that stops early closes this generator, which waits for the item in progress.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="one-ahead") as thread:
        upcoming = thread.submit(next, items, end)
        while (item := upcoming.result()) is not end:
            upcoming = thread.submit(next, items, end)
            yield item  # type: ignore[misc]
