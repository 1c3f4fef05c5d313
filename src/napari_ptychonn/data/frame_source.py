"""Where lazy frames come from: arrays that are read in rectangular blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike, NDArray

Key = tuple[int | slice, ...]
"""One block: an integer or a slice of step 1 for each axis."""


class FrameSource(Protocol):
    """An array of frames that can be read in rectangular blocks."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Scan axes first, detector axes (ky, kx) last."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one value of a block."""
        ...

    def block(self, key: Key) -> NDArray[Any]:
        """Read one block; every slice has step 1."""
        ...

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        ...


@runtime_checkable
class BatchedFrameSource(FrameSource, Protocol):
    """A source that reads several blocks faster together than one by one."""

    def blocks(self, keys: Sequence[Key]) -> Iterator[NDArray[Any]]:
        """Read several blocks, in the order of `keys`."""
        ...


def read_blocks(source: FrameSource, keys: Sequence[Key]) -> Iterator[NDArray[Any]]:
    """Read several blocks, together where the source supports that."""
    if isinstance(source, BatchedFrameSource):
        yield from source.blocks(keys)
    else:
        yield from map(source.block, keys)


class ArraySource:
    """Frames of an array in memory, or of any stack that is indexed like one.

    Parameters
    ----------
    array : array-like
        Scan axes first, detector axes last.
    mapped : bool
        The array is a memory map: blocks are read from its file.
    dtype : dtype, optional
        Type of the blocks; that of the array by default.
    """

    def __init__(self, array: Any, *, mapped: bool = False, dtype: DTypeLike | None = None) -> None:
        self._array, self.mapped = array, mapped
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype if dtype is None else dtype)

    def block(self, key: Key) -> NDArray[Any]:
        """Copy one block out of the array."""
        return np.array(self._array[key], dtype=self.dtype)

    def close(self) -> None:
        """Nothing to close."""
