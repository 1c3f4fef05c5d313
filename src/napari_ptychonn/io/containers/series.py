"""Parts of a scan that a detector wrote piece by piece, in one file or in many, as one array."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array
from napari_ptychonn.io.frames.source import Source
from napari_ptychonn.io.frames.transforms import Concatenated
from napari_ptychonn.io.memory_limits import must_fit


class SeriesArray:
    """Arrays one behind the other along their first axis; frames (ky, kx) count as (1, ky, kx)."""

    def __init__(self, parts: Sequence[Array], what: str) -> None:
        self._parts, self._what = list(parts), what
        self.path = parts[0].path
        self.dtype: np.dtype[Any] = np.result_type(*(part.dtype for part in parts))
        inner = {part.shape[self._outer(part) :] for part in parts}
        if len(inner) != 1:
            raise InputError(f"{what}: expected parts of one shape, got {sorted(inner)}.")
        count = sum(math.prod(part.shape[: self._outer(part)]) for part in parts)
        self.shape = (count, *inner.pop())

    @staticmethod
    def _outer(part: Array) -> int:
        """Axes of a part that are scan axes: all but two of frames, the first of other arrays."""
        wide = len(part.shape) >= 2 and min(part.shape[-2:]) > 3
        return len(part.shape) - 2 if wide else 1

    def read(self) -> NDArray[Any]:
        """Read all of them."""
        must_fit(self._what, self.shape, self.dtype)
        inner = self.shape[1:]
        return np.concatenate([part.read().reshape(-1, *inner) for part in self._parts])

    def source(self) -> Source:
        """Open all of them for reading piece by piece."""
        return Concatenated([part.source() for part in self._parts], self._what)


def without_gap(arrays: Sequence[Array]) -> tuple[list[Array], str | None]:
    """Take the parts up to the first missing number, and say which one that is.

    Behind a gap nobody knows which frame has which number.
    """
    taken: list[Array] = []
    for array in arrays:
        number = _number(array.path)
        before = _number(taken[-1].path) if taken else None
        if number is not None and before is not None and number != before + 1:
            left = len(arrays) - len(taken)
            return taken, (
                f"Part {before + 1} of the frames is missing; the {left} parts behind it were "
                "left out."
            )
        taken.append(array)
    return taken, None


def _number(path: str) -> int | None:
    numbers = re.findall(r"\d+", path)
    return int(numbers[-1]) if numbers else None
