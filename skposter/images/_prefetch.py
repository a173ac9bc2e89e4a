"""Work ahead in the background: the next results are made while the current one is used."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor

__all__ = ["prefetched"]


def prefetched(function, items, depth=2):
    """Yield ``function(item)`` for each of `items`, in order, computed up to `depth` ahead.

    One background thread calls `function`, so calls never overlap each other, only the consumer. An
    exception is raised where its result would have been yielded. Closing the generator, or leaving
    its loop, waits for the call in progress and starts no other.

    Parameters
    ----------
    function : callable
    items : iterable
        What to call it with, consumed `depth` items ahead.
    depth : int, default=2
        How many results may wait, which bounds the memory.

    Yields
    ------
    result : object

    Examples
    --------
    >>> from skposter.images._prefetch import prefetched
    >>> list(prefetched(str.upper, ["a", "b", "c"]))
    ['A', 'B', 'C']
    """
    if hasattr(items, "__len__") and len(items) == 1:
        # Nothing to overlap with, and a thread costs a millisecond.
        yield function(items[0])
        return
    executor = ThreadPoolExecutor(1, thread_name_prefix="skposter-prefetch")
    waiting: deque = deque()
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
