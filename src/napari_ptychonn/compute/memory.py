"""The machine's memory, and byte counts as text."""

from __future__ import annotations

import psutil


def physical_memory() -> int:
    """Bytes of memory of this machine."""
    return int(psutil.virtual_memory().total)


def format_bytes(size: int) -> str:
    """Write a byte count with a binary unit: '3.2 GiB'."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} PiB"
