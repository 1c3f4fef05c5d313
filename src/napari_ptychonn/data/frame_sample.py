"""Sample of frames, to find the zero frequency and invalid pixels of the detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.scan import FrameStack

_MOST_FRAMES = 32
_MOST_BYTES = 64 * 2**20
_NEGATIVE_MARKERS = (-1, -2)
_LARGE_MARKERS = (2**31 - 1, 2**32 - 1)
"""Largest values of 32-bit types; in float32 they are rounded to powers of two."""

_BRIGHT = 0.02
_CORNER_RATIO = 4.0
_CORNER_EXCESS = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameSample:
    """Some frames, spread evenly over the scan.

    Attributes
    ----------
    frames : ndarray
        (m, ky, kx) counts.
    indices : ndarray of int64
        (m,) scan points.
    total : int
        Frames of the scan.
    """

    frames: NDArray[Any]
    indices: NDArray[np.int64]
    total: int

    @classmethod
    def from_stack(cls, stack: FrameStack) -> FrameSample:
        """Read at most 32 frames or 64 MiB, whichever is less, and at least one frame."""
        n, ky, kx = stack.shape
        affordable = max(1, _MOST_BYTES // max(1, ky * kx * stack.dtype.itemsize))
        m = min(n, _MOST_FRAMES, affordable)
        indices = np.unique(np.linspace(0, n - 1, m).astype(np.int64))
        return cls(frames=np.asarray(stack[indices]), indices=indices, total=n)

    def mean(self) -> NDArray[np.float64]:
        """Average frame; values that are not finite count as 0."""
        values = np.nan_to_num(self.frames, nan=0.0, posinf=0.0, neginf=0.0)
        return np.asarray(values.mean(axis=0, dtype=np.float64))

    def mean_without_spikes(self) -> NDArray[np.float64]:
        """Average frame without single pixels that are far above all around them.

        A stuck pixel or one cosmic ray can hold more than the rest of the detector.
        """
        from scipy import ndimage

        usable = np.where(self.invalid_pixels(), 0.0, np.maximum(self.mean(), 0.0))
        # At the corner the beam goes on at the opposite edges.
        third = ndimage.rank_filter(usable, -3, size=3, mode="wrap")
        return np.asarray(np.minimum(usable, third))

    def centre_of_counts(self) -> tuple[float, float] | None:
        """Centre of mass (row, column) of the bright part of the mean frame; None if empty."""
        mean = self.mean_without_spikes()
        bright = np.where(mean >= _BRIGHT * mean.max(), mean, 0.0)
        if not (total := bright.sum()):
            return None
        y, x = (
            float((bright.sum(axis=1 - axis) * np.arange(n)).sum() / total)
            for axis, n in enumerate(bright.shape)
        )
        return y, x

    def has_zero_frequency_at_corner(self) -> bool:
        """Compare the corners of the mean frame with its middle.

        Blocks, not the brightest pixel: the first order of a zone plate is a ring
        off the centre.
        """
        usable = self.mean_without_spikes()
        ky, kx = usable.shape
        by, bx = max(1, ky // 8), max(1, kx // 8)
        ends = ((slice(0, by), slice(-by, None)), (slice(0, bx), slice(-bx, None)))
        corner = float(np.mean([usable[r, c].mean() for r in ends[0] for c in ends[1]]))
        middle = float(
            usable[(ky - by) // 2 : (ky + by) // 2, (kx - bx) // 2 : (kx + bx) // 2].mean()
        )
        return corner > _CORNER_RATIO * middle and corner > _CORNER_EXCESS * float(usable.mean())

    def invalid_pixels(self) -> NDArray[np.bool_]:
        """Find pixels (ky, kx) that hold a marker instead of a count.

        EIGER and others store the largest value of the type for gaps, dead and saturated
        pixels, PILATUS −1 and −2 for gaps and dead ones, which are masked in every frame;
        converted to another type, they keep these values.  Negative values that change
        from frame to frame are what subtracting a dark frame leaves.
        """
        frames, kind = self.frames, self.frames.dtype.kind
        if kind not in "iuf":
            return np.zeros(frames.shape[1:], dtype=bool)
        fixed = (frames == frames[:1]).all(axis=0) & (frames[0] < 0)
        if kind == "f":
            fixed |= ~np.isfinite(frames).any(axis=0)
        elif len(frames) == 1:
            fixed &= np.isin(frames[0], _NEGATIVE_MARKERS)
        largest = [np.iinfo(frames.dtype).max] if kind != "f" else []
        # Only a type with more than 32 bits can hold them and be another one than they mark.
        wider = frames.dtype.itemsize > 4 or kind == "f"
        for value in (*largest, *(_LARGE_MARKERS if wider else ())):
            fixed |= (frames == frames.dtype.type(value)).any(axis=0)
        return np.asarray(fixed)
