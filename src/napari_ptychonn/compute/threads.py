"""A pool of threads that each keep torch to one core.

Two threads that share each small operation wait for each other after every one of
them, and lose most of their time as soon as another process wants a core.  Threads
that work on different frames do not wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


class _OpenPools:
    """Number of open pools, and torch's number of threads before the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count, self._threads = 0, 1

    def enter(self) -> int:
        """Count one more pool; return the number of threads before the first open one."""
        with self._lock:
            if not self._count:
                self._threads = torch.get_num_threads()
            self._count += 1
            return self._threads

    def leave(self) -> None:
        """Count one pool less."""
        with self._lock:
            self._count -= 1


_open_pools = _OpenPools()
_thread = threading.local()


@contextmanager
def single_threaded_pool() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Start as many threads as torch may use cores, each of which keeps torch to one core.

    The calling thread is kept to one core as well: what it does meanwhile, such as
    stitching, would otherwise wait for cores that are busy.  A pool inside another one
    in the same thread has a single thread.  When the last pool ends, torch's number of
    threads is what it was before the first one, whatever the order in which they end.

    Yields
    ------
    pool : ThreadPoolExecutor
        Ends with the context, once all submitted work is done.
    count : int
        Its threads.
    """
    nested = getattr(_thread, "in_pool", False)
    before = _open_pools.enter()
    count = 1 if nested else before
    _thread.in_pool = True
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(
            count, "ptychonn-core", initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield pool, count
    finally:
        _open_pools.leave()
        if not nested:
            _thread.in_pool = False
            # torch keeps this number for the process and for the calling thread.
            torch.set_num_threads(before)
