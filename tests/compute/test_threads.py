import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from napari_ptychonn.compute.threads import single_threaded_pool


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_every_thread_keeps_to_one_core(three_threads):
    with single_threaded_pool() as (pool, count):
        assert count == 3
        assert torch.get_num_threads() == 1
        assert {pool.submit(torch.get_num_threads).result() for _ in range(9)} == {1}
    assert torch.get_num_threads() == 3


def test_a_failure_gives_the_cores_back(three_threads):
    with pytest.raises(ZeroDivisionError), single_threaded_pool() as (pool, _):
        pool.submit(lambda: 1 / 0).result()
    assert torch.get_num_threads() == 3


def test_inside_another_there_is_one_thread(three_threads):
    with single_threaded_pool(), single_threaded_pool() as (_, count):
        assert count == 1
    assert torch.get_num_threads() == 3


def test_pools_that_overlap_leave_the_number_of_threads_as_it_was(three_threads):
    """Of two threads with pools, the one that began second ends last."""
    first_is_open, second_is_open, first_is_closed = (threading.Event() for _ in range(3))
    counts = {}

    def first():
        with single_threaded_pool() as (_, counts["first"]):
            first_is_open.set()
            second_is_open.wait(60)
        first_is_closed.set()

    def second():
        first_is_open.wait(60)
        with single_threaded_pool() as (_, counts["second"]):
            second_is_open.set()
            first_is_closed.wait(60)

    with ThreadPoolExecutor(2) as both:
        for future in [both.submit(first), both.submit(second)]:
            future.result(120)
    with ThreadPoolExecutor(1) as fresh:
        assert fresh.submit(torch.get_num_threads).result() == 3
    assert counts == {"first": 3, "second": 3}
