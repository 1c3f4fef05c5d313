"""Work spread over the processor's cores: one thread for each, and torch alone in every one.

Two threads that share each small operation wait for each other after every
single one, and lose most of their time as soon as anything else wants a core.
Threads that work on different frames wait for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded_pool() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Start as many threads as torch may use cores, each of which keeps torch to one core.

    The calling thread is kept to one as well: what it does meanwhile, such as
    stitching, would otherwise wait for cores that are busy.

    Yields
    ------
    pool : ThreadPoolExecutor
        Ends with the context, once all that was given to it is done.
    count : int
        Its threads.
    """
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(
            count, "ptychonn-core", initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield pool, count
    finally:
        torch.set_num_threads(count)
