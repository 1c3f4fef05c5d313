"""Arrays that a detector wrote in parts, in one file or in many, as one array."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.frame_source import FrameSource, Key
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array


class SeriesArray:
    """Arrays concatenated along their first axis; a frame (ky, kx) counts as (1, ky, kx)."""

    def __init__(self, parts: Sequence[Array], name: str) -> None:
        self._parts, self._name = list(parts), name
        self.path = parts[0].path
        self.dtype: np.dtype[Any] = np.result_type(*(part.dtype for part in parts))
        inner = _common_shape(name, [part.shape[_scan_axes(part) :] for part in parts])
        count = sum(math.prod(part.shape[: _scan_axes(part)]) for part in parts)
        self.shape = (count, *inner)

    def read(self) -> NDArray[Any]:
        """Read all parts."""
        check_fits_memory(self._name, self.shape, self.dtype)
        inner = self.shape[1:]
        return np.concatenate([part.read().reshape(-1, *inner) for part in self._parts])

    def source(self) -> FrameSource:
        """Open all parts for reading block by block."""
        return ConcatenatedSource([part.source() for part in self._parts], self._name)


def _scan_axes(part: Array) -> int:
    """Count the scan axes: all but two of frames, the first of other arrays."""
    is_frames = len(part.shape) >= 2 and min(part.shape[-2:]) > 3
    return len(part.shape) - 2 if is_frames else 1


def _common_shape(name: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    different = set(shapes)
    if len(different) != 1:
        found = sorted(different)
        raise InputError(f"{name}: expected parts of one shape, got {found}.", got=found)
    return shapes[0]


class ConcatenatedSource:
    """Several stacks of frames, or single frames, as one stack (n, ky, kx)."""

    def __init__(self, parts: Sequence[FrameSource], name: str = "frames") -> None:
        self._parts = list(parts)
        frame = _common_shape(name, [part.shape[-2:] for part in parts])
        self._ends = np.cumsum([math.prod(part.shape[:-2]) for part in parts])
        self.shape = (int(self._ends[-1]), *frame)
        self.dtype: np.dtype[Any] = np.result_type(*(part.dtype for part in parts))

    def block(self, key: Key) -> NDArray[Any]:
        """Read one block; it may extend over several parts."""
        first, *rest = key
        if not isinstance(first, slice):
            return np.asarray(self.block((slice(first, first + 1), *rest))[0])
        start, stop, _ = first.indices(self.shape[0])
        pieces = []
        while start < stop:
            number = int(np.searchsorted(self._ends, start, side="right"))
            begin = int(self._ends[number - 1]) if number else 0
            end = min(stop, int(self._ends[number]))
            pieces.append(_read_frames(self._parts[number], start - begin, end - begin, rest))
            start = end
        if not pieces:
            return np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]
        return np.concatenate(pieces).astype(self.dtype, copy=False)

    def close(self) -> None:
        """Close every part."""
        for part in self._parts:
            part.close()


def _read_frames(
    part: FrameSource, start: int, stop: int, rest: Sequence[int | slice]
) -> NDArray[Any]:
    """Read frames by their number in a part, whatever its scan axes are."""
    if len(part.shape) == 2:
        return part.block(tuple(rest))[np.newaxis]
    if len(part.shape) == 3:
        return part.block((slice(start, stop), *rest))
    index = np.unravel_index(np.arange(start, stop), part.shape[:-2])
    return np.stack([part.block((*map(int, at), *rest)) for at in zip(*index, strict=True)])


def without_gap(arrays: Sequence[Array]) -> tuple[list[Array], str | None]:
    """Take the parts up to the first missing number, with a note on the parts left out.

    Behind a gap the numbers of frames, and so their positions, are unknown.
    """
    taken: list[Array] = []
    for array in arrays:
        number = _number(array.path)
        before = _number(taken[-1].path) if taken else None
        if number is not None and before is not None and number != before + 1:
            left = len(arrays) - len(taken)
            return taken, (
                f"Part {before + 1} of the frames is missing; "
                f"{format_count(left, 'part', 'were')} left out behind it."
            )
        taken.append(array)
    return taken, None


def _number(path: str) -> int | None:
    numbers = re.findall(r"\d+", path)
    return int(numbers[-1]) if numbers else None
