"""What a lazy stack does to its frames when they are read: crop, flip, bin, shift, square, divide.

A transform maps a window of its output to the window of its input that has to be read
for it, so that a chain of them reads no more pixels than it needs.
"""

# ruff: noqa: D102 -- what overriding methods return is documented in FrameTransform

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLIP_COLUMNS, FLIP_ROWS, TRANSPOSE = 1, 2, 4
"""Bits of an orientation; frames are transposed first, then flipped."""

Window = tuple[slice, slice]
"""Rows and columns, as slices with integer start and stop, and step 1."""


@dataclass(frozen=True)
class FrameTransform:
    """Leaves frames as they are; each transform overrides what it changes."""

    def frame_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Shape (ky, kx) of a frame after the transform, from that before it."""
        return shape

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Type of a count after the transform, from that before it."""
        return dtype

    def input_window(self, window: Window, shape: tuple[int, int]) -> Window:
        """Pixels to read for a window of the output; `shape` is that of the input frames."""
        return window

    def apply(self, block: NDArray[Any], window: Window, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Make the window (n, rows, columns) of the output from its `input_window`."""
        return block


@dataclass(frozen=True)
class Crop(FrameTransform):
    """Keep the window (top, left, height, width) of every frame, pixels."""

    top: int
    left: int
    height: int
    width: int

    def frame_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return self.height, self.width

    def input_window(self, window: Window, shape: tuple[int, int]) -> Window:
        rows, columns = window
        return (
            slice(rows.start + self.top, rows.stop + self.top),
            slice(columns.start + self.left, columns.stop + self.left),
        )


@dataclass(frozen=True)
class Reorient(FrameTransform):
    """Transpose and flip frames by the bits `FLIP_COLUMNS`, `FLIP_ROWS` and `TRANSPOSE`."""

    orientation: int

    def frame_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape[::-1] if self.orientation & TRANSPOSE else shape

    def input_window(self, window: Window, shape: tuple[int, int]) -> Window:
        (rows, columns), (height, width) = window, self.frame_shape(shape)
        if self.orientation & FLIP_ROWS:
            rows = slice(height - rows.stop, height - rows.start)
        if self.orientation & FLIP_COLUMNS:
            columns = slice(width - columns.stop, width - columns.start)
        return (columns, rows) if self.orientation & TRANSPOSE else (rows, columns)

    def apply(self, block: NDArray[Any], window: Window, dtype: np.dtype[Any]) -> NDArray[Any]:
        # PyTorch takes no arrays with negative strides.
        return np.ascontiguousarray(reorient(block, self.orientation))


@dataclass(frozen=True)
class Bin(FrameTransform):
    """Sum squares of `factor` x `factor` pixels; rows and columns that are left over go."""

    factor: int

    def frame_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape[0] // self.factor, shape[1] // self.factor

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Type that holds the sum of a square of pixels."""
        if self.factor == 1 or dtype.kind not in "biu":
            return dtype
        small = dtype.itemsize <= 2 and self.factor <= 256
        if dtype.kind == "i":
            return np.dtype(np.int32 if small and self.factor <= 128 else np.int64)
        return np.dtype(np.uint32 if small else np.uint64)

    def input_window(self, window: Window, shape: tuple[int, int]) -> Window:
        rows, columns = (slice(s.start * self.factor, s.stop * self.factor) for s in window)
        return rows, columns

    def apply(self, block: NDArray[Any], window: Window, dtype: np.dtype[Any]) -> NDArray[Any]:
        return block if self.factor == 1 else sum_squares(block, self.factor, dtype)


@dataclass(frozen=True)
class ShiftZeroFrequency(FrameTransform):
    """Move the zero frequency from element (0, 0) to the centre."""

    def input_window(self, window: Window, shape: tuple[int, int]) -> Window:
        return slice(0, shape[0]), slice(0, shape[1])

    def apply(self, block: NDArray[Any], window: Window, dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.asarray(np.fft.fftshift(block, axes=(-2, -1))[:, window[0], window[1]])


@dataclass(frozen=True)
class Roll(FrameTransform):
    """Shift every frame cyclically, pixels down and right."""

    down: int
    right: int

    def input_window(self, window: Window, shape: tuple[int, int]) -> Window:
        return slice(0, shape[0]), slice(0, shape[1])

    def apply(self, block: NDArray[Any], window: Window, dtype: np.dtype[Any]) -> NDArray[Any]:
        rolled = np.roll(block, (self.down, self.right), axis=(-2, -1))
        return np.ascontiguousarray(rolled[:, window[0], window[1]])


@dataclass(frozen=True)
class Square(FrameTransform):
    """Square amplitudes, the square roots of counts."""

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        return np.result_type(dtype, np.float32)

    def apply(self, block: NDArray[Any], window: Window, dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.asarray(np.square(block, dtype=dtype))


@dataclass(frozen=True)
class Divide(FrameTransform):
    """Divide values by the value of one photon; whole numbers by a whole number stay whole."""

    by: float

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        return dtype if self._stays_whole(dtype) else np.result_type(dtype, np.float32)

    def apply(self, block: NDArray[Any], window: Window, dtype: np.dtype[Any]) -> NDArray[Any]:
        if self._stays_whole(block.dtype):
            return np.asarray(block // block.dtype.type(self.by))
        return np.asarray(np.divide(block, self.by, dtype=dtype))

    def _stays_whole(self, dtype: np.dtype[Any]) -> bool:
        return dtype.kind in "iu" and float(self.by).is_integer()


def reorient(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Transpose and flip the last two axes, as `Reorient` does; a view."""
    if orientation & TRANSPOSE:
        image = np.swapaxes(image, -2, -1)
    if orientation & FLIP_ROWS:
        image = image[..., ::-1, :]
    if orientation & FLIP_COLUMNS:
        image = image[..., ::-1]
    return image


def sum_squares(image: NDArray[Any], factor: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Sum squares of `factor` x `factor` pixels over the last two axes."""
    *lead, ky, kx = image.shape
    blocks = image.reshape(*lead, ky // factor, factor, kx // factor, factor)
    return np.asarray(blocks.sum(axis=(-3, -1), dtype=dtype))
