"""How much memory this machine has."""

from __future__ import annotations

import os

_WITHOUT_SYSCONF = 16 * 2**30


def physical_memory() -> int:
    """Bytes of the machine's memory; 16 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _WITHOUT_SYSCONF


def format_bytes(size: int) -> str:
    """Bytes as a person reads them: '3.2 GiB'."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} PiB"
