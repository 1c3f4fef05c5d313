"""Refuse arrays that a few bytes of a file decompress to (decompression bombs)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from napari_ptychonn.compute.memory import format_bytes
from napari_ptychonn.errors import InputError

_SMALL = 256 * 2**20
_HIGHEST_RATIO = 800
"""Deflate exceeds this for zeros alone, and reaches 1032 at most."""


def check_compression_ratio(
    name: str, shape: tuple[int, ...], dtype: DTypeLike, stored: int | None
) -> None:
    """Refuse a large array with an implausible compression ratio, before it is decompressed.

    Parameters
    ----------
    name : str
        File and array, for the message.
    shape, dtype
        Of the decompressed array.
    stored : int or None
        Bytes in the file; None where they are unknown.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if stored is not None and is_decompression_bomb(size, stored):
        raise InputError(
            f"{name} would unpack {format_bytes(stored)} to {format_bytes(size)}, more than "
            f"{_HIGHEST_RATIO} times as much; it was not read.",
            expected=_HIGHEST_RATIO * stored,
            got=size,
        )


def is_decompression_bomb(size: int, stored: int) -> bool:
    """True if `size` bytes from `stored` ones are more than any measured array gives."""
    return size > _SMALL and size > _HIGHEST_RATIO * stored
