"""The machine's memory, and byte counts as text."""

import os

import pytest

from napari_ptychonn.compute.memory import format_bytes, physical_memory


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="POSIX only")
def test_physical_memory_is_that_of_the_system():
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert physical_memory() == pytest.approx(total, rel=0.01)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1.02e+03 bytes"), (2**20, "1 MiB"), (3 * 2**50, "3 PiB")],
)
def test_bytes_are_written_with_a_binary_unit(size, text):
    assert format_bytes(size) == text
