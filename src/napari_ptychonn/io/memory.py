"""How much may be read into memory at once, so that a wrong size in a file cannot stop napari."""

from __future__ import annotations

import math
import os

import numpy as np
from numpy.typing import DTypeLike

from napari_ptychonn.core.errors import InputError

_WITHOUT_SYSCONF = 8 * 2**30


def limit() -> int:
    """Half of the machine's memory in bytes; 8 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return _WITHOUT_SYSCONF


def must_fit(what: str, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Refuse an array that this machine cannot hold, before anything of it is decoded."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > limit():
        raise InputError(
            f"{what} declares shape {shape}, {in_words(size)}, more than the "
            f"{in_words(limit())} that may be read at once."
        )


def in_words(size: int) -> str:
    """Bytes as a person reads them: '3.2 GiB'."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} PiB"
