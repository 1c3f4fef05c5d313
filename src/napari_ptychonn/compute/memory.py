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
