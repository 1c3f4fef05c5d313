"""The machine's memory, how much of it one array may take, and byte counts as text."""

from __future__ import annotations

import math

import numpy as np
import psutil
from numpy.typing import DTypeLike

from napari_ptychonn.errors import InputError


def physical_memory() -> int:
    """Bytes of memory of this machine."""
    return int(psutil.virtual_memory().total)


def memory_limit() -> int:
    """Bytes that one array may take: half of the machine's memory."""
    return physical_memory() // 2


def check_fits_memory(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Refuse an array that this machine cannot hold, before any of it is decoded.

    Raises
    ------
    InputError
        When it is larger than `memory_limit`; `name` begins the message.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > memory_limit():
        raise InputError(
            f"{name} declares shape {shape}, {format_bytes(size)}, more than the "
            f"{format_bytes(memory_limit())} that may be read at once.",
            expected=memory_limit(),
            got=size,
        )


def format_bytes(size: int) -> str:
    """Write a byte count with a binary unit: '3.2 GiB'."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} PiB"
