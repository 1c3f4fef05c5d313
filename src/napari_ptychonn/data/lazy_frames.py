"""A stack of frames that is read, and transformed, when it is indexed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory
from napari_ptychonn.data.frame_source import ArraySource, FrameSource, Key, read_blocks
from napari_ptychonn.data.frame_transforms import FrameTransform, Window
from napari_ptychonn.errors import InputError


class LazyFrames:
    """A stack of frames (n, ky, kx) read on access: indexed like a NumPy array.

    Along the first axis an integer, a slice, or a one-dimensional array of
    integers or booleans; along rows and columns integers and slices.

    Parameters
    ----------
    source : FrameSource
        Frames as stored; more than one scan axis is flattened, row by row.
    transforms : tuple of FrameTransform
        Applied to each frame, the first one first.
    select : ndarray of int64, optional
        Numbers of the stored frames that make up the stack, in their order; all by default.
    """

    def __init__(
        self,
        source: FrameSource,
        transforms: tuple[FrameTransform, ...] = (),
        *,
        select: NDArray[np.int64] | None = None,
    ) -> None:
        if len(source.shape) < 3:
            raise InputError(
                f"expected frames (n, ky, kx), got shape {source.shape}.",
                expected="(n, ky, kx)",
                got=source.shape,
            )
        self._source, self._select, self.transforms = source, select, transforms
        *lead, ky, kx = source.shape
        shapes: list[tuple[int, int]] = [(ky, kx)]
        types = [_working_type(source.dtype)]
        for transform in transforms:
            shapes.append(transform.frame_shape(shapes[-1]))
            types.append(transform.dtype(types[-1]))
        self._shapes, self._types = shapes, types
        n = int(np.prod(lead)) if select is None else len(select)
        self.shape: tuple[int, int, int] = (n, *shapes[-1])
        self.dtype: np.dtype[Any] = types[-1]

    @classmethod
    def from_stack(cls, frames: Any) -> LazyFrames:
        """Return `frames` themselves where they are lazy, else a lazy view of them."""
        return frames if isinstance(frames, LazyFrames) else cls(ArraySource(frames))

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
        """Bytes of the whole stack in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Number of frames."""
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read everything; only for stacks that fit in memory."""
        check_fits_memory("the stack of frames", self.shape, self.dtype)
        return np.asarray(self[:], dtype=dtype)

    def select(self, numbers: NDArray[np.int64]) -> LazyFrames:
        """Make a stack of the frames with these numbers; nothing is read."""
        stored = numbers if self._select is None else self._select[numbers]
        return LazyFrames(self._source, self.transforms, select=np.asarray(stored, dtype=np.int64))

    def transform(self, *transforms: FrameTransform) -> LazyFrames:
        """Make the same stack with more transforms behind its own; nothing is read."""
        return LazyFrames(self._source, (*self.transforms, *transforms), select=self._select)

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        self._source.close()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the selected frames, and nothing else."""
        first, rows, columns = _three(key)
        n, ky, kx = self.shape
        numbers, is_single = _frame_numbers(first, n)
        row_span, row_pick = _span(rows, ky)
        column_span, column_pick = _span(columns, kx)
        stored = numbers if self._select is None else self._select[numbers]
        block = self._read_window(stored, (row_span, column_span))
        block = block[:, row_pick][..., column_pick]
        return np.asarray(block[0] if is_single else block)

    def _read_window(self, stored: NDArray[np.int64], window: Window) -> NDArray[Any]:
        """Read a window of transformed frames, and no pixel that it does not depend on."""
        windows = [window]
        for transform, shape in zip(self.transforms[::-1], self._shapes[-2::-1], strict=True):
            windows.append(transform.input_window(windows[-1], shape))
        block = self._read(stored, *windows.pop())
        for transform, dtype in zip(self.transforms, self._types[1:], strict=True):
            block = transform.apply(block, windows.pop(), dtype)
        return block

    def _read(self, stored: NDArray[np.int64], rows: slice, columns: slice) -> NDArray[Any]:
        shape = (len(stored), rows.stop - rows.start, columns.stop - columns.start)
        out = np.empty(shape, dtype=self._types[0])
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


def _working_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Type in which frames are worked on, from that in which they are stored.

    Torch takes native byte order only; sums of half-precision numbers overflow above 65,504.
    """
    half = dtype.kind == "f" and dtype.itemsize < np.dtype(np.float32).itemsize
    return np.dtype(np.float32) if half else dtype.newbyteorder("=")


def _runs(order: NDArray[np.int64], line: int) -> list[tuple[int, int]]:
    """Split sorted frame numbers into runs of neighbours on one scan line."""
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
    """Frame numbers of an index, and whether it is one integer (which drops the axis)."""
    if isinstance(key, slice):
        return np.arange(*key.indices(n), dtype=np.int64), False
    index = np.asarray(key)
    if index.dtype == np.bool_ and index.shape == (n,):
        return np.flatnonzero(index).astype(np.int64), False
    if index.size == 0 and index.ndim == 1:
        return np.empty(0, np.int64), False
    if index.dtype.kind not in "iu" or index.ndim > 1:
        raise IndexError(f"expected integers, a slice or a mask as frame index, got {key!r}")
    numbers = np.atleast_1d(index).astype(np.int64)
    if numbers.min() < -n or numbers.max() >= n:
        raise IndexError(f"frame {key!r} is out of range for {n} frames")
    return np.where(numbers < 0, numbers + n, numbers), index.ndim == 0


def _span(key: Any, length: int) -> tuple[slice, Any]:
    """Split a row or column index into the contiguous span to read and the index into it."""
    if not isinstance(key, slice):
        number = int(key.__index__())
        if not -length <= number < length:
            raise IndexError(f"pixel {number} is out of range for {length}")
        number %= length
        return slice(number, number + 1), 0
    pixels = range(*key.indices(length))
    if not pixels:
        return slice(0, 0), slice(None)
    low, high = min(pixels[0], pixels[-1]), max(pixels[0], pixels[-1])
    return slice(low, high + 1), slice(None, None, pixels.step)
