"""Diffraction frames that stay in their file until somebody looks at them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.frames.source import Key, Source, read_blocks
from napari_ptychonn.io.memory_limits import must_fit


class LazyFrames:
    """A stack of frames (n, ky, kx) read on demand: indexed like a NumPy array.

    Along the first axis an integer, a slice, or a one-dimensional array of
    integers or booleans; along rows and columns integers and slices.

    Parameters
    ----------
    source : Source
        Frames as stored; more than one scan axis is flattened, row by row.
    select : ndarray of int64, optional
        Which stored frames make up the stack, in which order; all by default.
    corner : bool
        The zero frequency is stored at element (0, 0) and is moved to the centre.
    amplitude : bool
        Square roots of counts are stored and are squared.
    """

    def __init__(
        self,
        source: Source,
        *,
        select: NDArray[np.int64] | None = None,
        corner: bool = False,
        amplitude: bool = False,
    ) -> None:
        if len(source.shape) < 3:
            raise InputError(f"expected frames (n, ky, kx), got shape {source.shape}.")
        self._source = source
        self._select = select
        self.corner = corner
        self.amplitude = amplitude

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, ky, kx)."""
        *lead, ky, kx = self._source.shape
        n = int(np.prod(lead)) if self._select is None else len(self._select)
        return n, ky, kx

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one count."""
        if self.amplitude:
            return np.result_type(self._source.dtype, np.float32)
        return self._source.dtype

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    @property
    def size(self) -> int:
        """Number of counts in the whole stack."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes of the whole stack, were it read."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Number of frames."""
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read everything; only for stacks that fit in memory."""
        must_fit("the stack of frames", self.shape, self.dtype)
        return np.asarray(self[:], dtype=dtype)

    def chosen(self, select: NDArray[np.int64]) -> LazyFrames:
        """Make a stack of some of these frames; nothing is read."""
        inner = select if self._select is None else self._select[select]
        return LazyFrames(
            self._source,
            select=np.asarray(inner, dtype=np.int64),
            corner=self.corner,
            amplitude=self.amplitude,
        )

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        self._source.close()

    def with_corner(self, corner: bool) -> LazyFrames:
        """Make the same stack, with the zero frequency taken to be stored at the corner or not."""
        return LazyFrames(
            self._source, select=self._select, corner=corner, amplitude=self.amplitude
        )

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the selected frames, and nothing else."""
        first, rows, columns = _three(key)
        n, ky, kx = self.shape
        wanted, single = _frame_numbers(first, n)
        row_span, row_pick = _span(rows, ky)
        column_span, column_pick = _span(columns, kx)
        stored = wanted if self._select is None else self._select[wanted]
        if self.corner:
            whole = self._read(stored, slice(0, ky), slice(0, kx))
            block = np.fft.fftshift(whole, axes=(-2, -1))[:, row_span, column_span]
        else:
            block = self._read(stored, row_span, column_span)
        block = block[:, row_pick][..., column_pick]
        if self.amplitude:
            block = np.square(block, dtype=self.dtype)
        return np.asarray(block[0] if single else block)

    def _read(self, stored: NDArray[np.int64], rows: slice, columns: slice) -> NDArray[Any]:
        shape = (len(stored), rows.stop - rows.start, columns.stop - columns.start)
        out = np.empty(shape, dtype=self._source.dtype)
        if out.size == 0:
            return out
        order, place = np.unique(stored, return_inverse=True)
        lead = self._source.shape[:-2]
        unique = out if len(order) == len(stored) else np.empty((len(order), *shape[1:]), out.dtype)
        runs = _runs(order, lead[-1])
        keys: list[Key] = []
        for start, stop in runs:
            *outer, inner = (int(i) for i in np.unravel_index(int(order[start]), lead))
            keys.append((*outer, slice(inner, inner + stop - start), rows, columns))
        for (start, stop), block in zip(runs, read_blocks(self._source, keys), strict=True):
            unique[start:stop] = block
        in_order = len(order) == len(stored) and np.array_equal(place, np.arange(len(order)))
        return unique if in_order else unique[place]


def _runs(order: NDArray[np.int64], line: int) -> list[tuple[int, int]]:
    """Split sorted frame numbers into stretches that lie side by side on one scan line."""
    breaks = np.flatnonzero((np.diff(order) != 1) | (np.diff(order // line) != 0)) + 1
    edges = [0, *breaks.tolist(), len(order)]
    return list(pairwise(edges))


def _three(key: Any) -> tuple[Any, Any, Any]:
    parts = key if isinstance(key, tuple) else (key,)
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        gap = (slice(None),) * (4 - len(parts))
        parts = (*parts[:at], *gap, *parts[at + 1 :])
    if len(parts) > 3:
        raise IndexError(f"frames have 3 axes, {len(parts)} indices were given")
    rest: list[Any] = [slice(None)] * (3 - len(parts))
    first, rows, columns = [*parts, *rest]
    return first, rows, columns


def _frame_numbers(key: Any, n: int) -> tuple[NDArray[np.int64], bool]:
    """Which frames are meant, and whether one integer was given (so that the axis goes)."""
    if isinstance(key, slice):
        return np.arange(*key.indices(n), dtype=np.int64), False
    index = np.asarray(key)
    if index.dtype == np.bool_ and index.shape == (n,):
        return np.flatnonzero(index).astype(np.int64), False
    if index.size == 0 and index.ndim == 1:
        return np.empty(0, np.int64), False
    if index.dtype.kind not in "iu" or index.ndim > 1:
        raise IndexError(f"frames are chosen by integers, slices or masks, not by {key!r}")
    numbers = np.atleast_1d(index).astype(np.int64)
    if numbers.min() < -n or numbers.max() >= n:
        raise IndexError(f"frame {key!r} is out of range for {n} frames")
    return np.where(numbers < 0, numbers + n, numbers), index.ndim == 0


def _span(key: Any, length: int) -> tuple[slice, Any]:
    """Cut a row or column index into the contiguous part to read and what to pick from it."""
    if not isinstance(key, slice):
        number = int(key.__index__())
        if not -length <= number < length:
            raise IndexError(f"pixel {number} is out of range for {length}")
        number %= length
        return slice(number, number + 1), 0
    wanted = range(*key.indices(length))
    if not wanted:
        return slice(0, 0), slice(None)
    low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
    pick = slice(None, None, wanted.step)
    return slice(low, high + 1), pick
