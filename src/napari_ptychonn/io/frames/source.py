"""Frames as a file stores them, read in rectangular pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Key = tuple[int | slice, ...]
"""One block: an integer or a slice of step 1 for each axis."""


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

    def block(self, key: Key) -> NDArray[Any]:
        """Read one piece; every slice has step 1."""
        ...

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        ...


@runtime_checkable
class SourceOfMany(Source, Protocol):
    """A source that reads several blocks at once in less time than one after the other."""

    def blocks(self, keys: Sequence[Key]) -> Iterator[NDArray[Any]]:
        """Read several pieces, in the order in which they are asked for."""
        ...


def read_blocks(source: Source, keys: Sequence[Key]) -> Iterator[NDArray[Any]]:
    """Read several pieces in the way that the source does best."""
    if isinstance(source, SourceOfMany):
        yield from source.blocks(keys)
    else:
        yield from map(source.block, keys)


class ArraySource:
    """Frames in memory, or `mapped` into it from a file."""

    def __init__(self, array: NDArray[Any], *, mapped: bool = False) -> None:
        self._array = array
        self.mapped = mapped

    @property
    def shape(self) -> tuple[int, ...]:
        """Scan axes first, detector axes last."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""
        return self._array.dtype

    def block(self, key: Key) -> NDArray[Any]:
        """Copy one piece out of the array."""
        return np.array(self._array[key])

    def close(self) -> None:
        """Nothing to let go of."""
