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
