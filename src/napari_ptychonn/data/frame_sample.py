"""Sample of frames, to find the zero frequency and invalid pixels of the detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.scan import FrameStack

_MOST_FRAMES = 32
_MOST_BYTES = 64 * 2**20
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

    def has_zero_frequency_at_corner(self) -> bool:
        """Compare the corners of the mean frame with its middle.

        Blocks, not the brightest pixel: the first order of a zone plate is a ring
        off the centre.
        """
        usable = np.where(self.invalid_pixels(), 0.0, self.mean())
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

        EIGER and others store −1 or the largest value of the type for gaps, dead and
        saturated pixels, which are masked in every frame.
        """
        kind = self.frames.dtype.kind
        if kind in "iu":
            top = self.frames == np.iinfo(self.frames.dtype).max
            return np.asarray((top | (self.frames < 0)).any(axis=0))
        if kind == "f":
            # Dark-subtracted frames have negative values; a marker never changes.
            fixed = (self.frames == self.frames[:1]).all(axis=0) & (self.frames[0] < 0)
            return np.asarray(fixed | ~np.isfinite(self.frames).any(axis=0))
        return np.zeros(self.frames.shape[1:], dtype=bool)
