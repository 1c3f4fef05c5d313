"""How much may be read into memory at once, so that a wrong size in a file cannot stop napari."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from napari_ptychonn.compute.memory import format_bytes, physical_memory
from napari_ptychonn.errors import InputError

_HARMLESS = 256 * 2**20
_MOST_SWELLING = 800
"""Nothing but zeros makes deflate save more, and it cannot save more than 1032 times."""


def limit() -> int:
    """Half of the machine's memory in bytes."""
    return physical_memory() // 2


def must_fit(what: str, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Refuse an array that this machine cannot hold, before anything of it is decoded."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > limit():
        raise InputError(
            f"{what} declares shape {shape}, {format_bytes(size)}, more than the "
            f"{format_bytes(limit())} that may be read at once."
        )


def check_compression_ratio(
    what: str, shape: tuple[int, ...], dtype: DTypeLike, stored: int | None
) -> None:
    """Refuse a large array that a few bytes of a file unpack to, before they are unpacked.

    Parameters
    ----------
    what : str
        File and array, for the message.
    shape, dtype
        What it unpacks to.
    stored : int or None
        Bytes that it has in the file; None where that says nothing.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if stored is not None and swells(size, stored):
        raise InputError(
            f"{what} would unpack {format_bytes(stored)} to {format_bytes(size)}, more than "
            f"{_MOST_SWELLING} times as much; it was not read."
        )


def swells(size: int, stored: int) -> bool:
    """Whether so many unpacked bytes are a bomb; no measured array compresses as well."""
    return size > _HARMLESS and size > _MOST_SWELLING * stored
