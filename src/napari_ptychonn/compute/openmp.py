"""How torch's idle CPU threads wait for each other."""

from __future__ import annotations

import os


def wait_passively() -> None:
    """Let idle OpenMP threads sleep instead of spin, unless the environment says otherwise.

    OpenMP reads the setting once, when torch is loaded: programs call this before they import
    torch.  Child processes inherit it.

    Notes
    -----
    Spinning threads take the processor from the thread they wait for as soon as
    anything else runs: beside one other busy process, on two cores, a training step
    takes 0.36 s when they sleep and 3.1 s when they spin.  A window that draws while
    it trains is such a process.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
