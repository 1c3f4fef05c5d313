"""Signal connections that are made in one place and released together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Connections:
    """Connected (signal, slot) pairs, of psygnal, napari or Qt."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Any, Callable[..., Any]]] = []

    def add(self, signal: Any, *slots: Callable[..., Any]) -> None:
        """Connect slots to a signal."""
        for slot in slots:
            signal.connect(slot)
            self._pairs.append((signal, slot))

    def release(self) -> None:
        """Disconnect all pairs; does nothing the second time."""
        for signal, slot in self._pairs:
            signal.disconnect(slot)
        self._pairs.clear()
