import os

import pytest

from napari_ptychonn.compute.memory import format_bytes, physical_memory


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="needs a POSIX system")
def test_the_memory_is_that_of_the_machine():
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert physical_memory() == pytest.approx(pages, rel=0.01)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1000, "1e+03 bytes"), (1536, "1.5 KiB"), (3 * 2**30, "3 GiB")],
)
def test_sizes_have_three_digits_and_a_binary_unit(size, text):
    assert format_bytes(size) == text
