"""Frames as a file stores them, read in rectangular pieces."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Source(Protocol):
    """An array of frames that can be read in rectangular pieces."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Scan axes first, detector axes (ky, kx) last."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""
        ...

    def block(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        """Read one piece; every slice has step 1."""
        ...

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        ...


class ArraySource:
    """Frames in memory or in a memory map."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Scan axes first, detector axes last."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""
        return self._array.dtype

    def block(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        """Copy one piece out of the array."""
        return np.array(self._array[key])

    def close(self) -> None:
        """Nothing to let go of."""
