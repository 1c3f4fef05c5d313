"""Iterative reconstruction of a scan, by pty-chi in a process of its own.

`reconstruct` yields an `Iteration` for each pass over the frames.  pty-chi is
an extra (``pip install "napari-ptychonn[epie]"``); `why_not` says when it is
missing.  It never runs in the process of its caller: it changes torch's global
state, and when it crashes or runs out of memory, only its own process ends.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ptychonn.engines.availability import why_not
    from napari_ptychonn.engines.iteration import Iteration, reconstruct
    from napari_ptychonn.engines.options import EngineOptions

__all__ = ["EngineOptions", "Iteration", "reconstruct", "why_not"]

_MODULES = {
    "EngineOptions": "options",
    "Iteration": "iteration",
    "reconstruct": "iteration",
    "why_not": "availability",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
