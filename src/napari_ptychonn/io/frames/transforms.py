"""Frames made of other frames without reading them: one behind the other, turned, cropped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.frames.source import Key, Source, read_blocks

TRANSPOSED = 4
"""Orientations are bits: 1 flips columns, 2 flips rows, 4 transposes, which is done first."""


class Concatenated:
    """Several stacks of frames, or single frames, as one stack (n, ky, kx)."""

    def __init__(self, parts: Sequence[Source], what: str = "frames") -> None:
        frames = {part.shape[-2:] for part in parts}
        if len(frames) != 1:
            raise InputError(f"{what}: expected frames of one shape, got {sorted(frames)}.")
        self._parts = list(parts)
        counts = [math.prod(part.shape[:-2]) for part in parts]
        self._ends = np.cumsum(counts)
        self.shape = (int(self._ends[-1]), *parts[0].shape[-2:])
        self.dtype: np.dtype[Any] = np.result_type(*(part.dtype for part in parts))

    def block(self, key: Key) -> NDArray[Any]:
        """Read one piece; it may reach over several parts."""
        first, *rest = key
        if not isinstance(first, slice):
            return np.asarray(self.block((slice(first, first + 1), *rest))[0])
        start, stop, _ = first.indices(self.shape[0])
        pieces = []
        while start < stop:
            number = int(np.searchsorted(self._ends, start, side="right"))
            begin = int(self._ends[number - 1]) if number else 0
            end = min(stop, int(self._ends[number]))
            pieces.append(self._piece(number, start - begin, end - begin, rest))
            start = end
        if not pieces:
            return np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]
        return np.concatenate(pieces).astype(self.dtype, copy=False)

    def _piece(
        self, number: int, start: int, stop: int, rest: Sequence[int | slice]
    ) -> NDArray[Any]:
        part = self._parts[number]
        if len(part.shape) == 2:
            return part.block(tuple(rest))[np.newaxis]
        if len(part.shape) == 3:
            return part.block((slice(start, stop), *rest))
        index = np.unravel_index(np.arange(start, stop), part.shape[:-2])
        return np.stack([part.block((*map(int, at), *rest)) for at in zip(*index, strict=True)])

    def close(self) -> None:
        """Let go of every part."""
        for part in self._parts:
            part.close()


class Reoriented:
    """Frames transposed, then flipped."""

    def __init__(self, source: Source, orientation: int) -> None:
        self._source, self._orientation = source, orientation
        *lead, ky, kx = source.shape
        last = (kx, ky) if orientation & TRANSPOSED else (ky, kx)
        self.shape = (*lead, *last)
        self.dtype = source.dtype

    def block(self, key: Key) -> NDArray[Any]:
        """Read one piece."""
        return turned_image(self._source.block(self._stored(key)), self._orientation)

    def blocks(self, keys: Sequence[Key]) -> Iterator[NDArray[Any]]:
        """Read several pieces."""
        for block in read_blocks(self._source, [self._stored(key) for key in keys]):
            yield turned_image(block, self._orientation)

    def _stored(self, key: Key) -> Key:
        """Where a piece lies in the frames as stored."""
        *lead, rows, columns = key
        if self._orientation & 2:
            rows = _mirrored(rows, self.shape[-2])
        if self._orientation & 1:
            columns = _mirrored(columns, self.shape[-1])
        if self._orientation & TRANSPOSED:
            rows, columns = columns, rows
        return (*lead, rows, columns)

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()


class Cropped:
    """A window (top, left, height, width) of every frame."""

    def __init__(self, source: Source, window: tuple[int, int, int, int]) -> None:
        self._source, self._window = source, window
        self.shape = (*source.shape[:-2], *window[2:])
        self.dtype = source.dtype

    def block(self, key: Key) -> NDArray[Any]:
        """Read one piece, and nothing outside the window."""
        return self._source.block(self._stored(key))

    def blocks(self, keys: Sequence[Key]) -> Iterator[NDArray[Any]]:
        """Read several pieces."""
        yield from read_blocks(self._source, [self._stored(key) for key in keys])

    def _stored(self, key: Key) -> Key:
        """Where a piece lies in the whole frames."""
        *lead, rows, columns = key
        top, left, height, width = self._window
        return (*lead, _moved(rows, top, height), _moved(columns, left, width))

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()


def turned_image(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn the last two axes; see `TRANSPOSED`."""
    if orientation & TRANSPOSED:
        image = np.swapaxes(image, -2, -1)
    if orientation & 2:
        image = image[..., ::-1, :]
    if orientation & 1:
        image = image[..., ::-1]
    return image


def _mirrored(key: int | slice, length: int) -> int | slice:
    if not isinstance(key, slice):
        return length - 1 - key
    start, stop, _ = key.indices(length)
    return slice(length - stop, length - start)


def _moved(key: int | slice, by: int, length: int) -> int | slice:
    if not isinstance(key, slice):
        return key + by
    start, stop, _ = key.indices(length)
    return slice(start + by, stop + by)
