"""Memory of the machine, and sizes as text."""

from __future__ import annotations

import psutil


def physical_memory() -> int:
    """Bytes of the machine's memory."""
    return int(psutil.virtual_memory().total)


def format_bytes(size: int) -> str:
    """Format a number of bytes as '3.2 GiB'."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} PiB"
