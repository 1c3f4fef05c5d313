"""How torch's threads wait for each other on the CPU; to be settled before torch is imported."""

from __future__ import annotations

import os


def wait_passively() -> None:
    """Let idle OpenMP threads sleep instead of spin, unless the user has said otherwise.

    Spinning threads take the processor from whoever they wait for as soon as
    anything else runs: a training step beside one other busy process takes
    0.36 s on two cores when they sleep, and 3.1 s when they spin.  A window
    that draws while it trains is such a process.

    OpenMP reads this once, while torch is loaded: calling it later does nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
