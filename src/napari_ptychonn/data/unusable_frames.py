"""Frames that hold no diffraction: lost, constant, saturated, not finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import Stopped

_AT_ONCE = 32 * 2**20
"""Bytes of frames that are examined together."""

_DARK = 0.01
"""Counts, relative to the median frame, below which the beam was off."""

_MOST_NOT_FINITE = 0.01
_MOST_SATURATED = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class UnusableFrames:
    """Which of some frames hold no diffraction.

    Attributes
    ----------
    reasons : dict of str to ndarray of int64
        Scan points, by what is wrong with their frames.
    examined : int
        Number of frames examined.
    """

    reasons: dict[str, NDArray[np.int64]]
    examined: int

    @property
    def indices(self) -> NDArray[np.int64]:
        """(m,) scan points, sorted."""
        return np.unique(np.concatenate([*self.reasons.values(), np.empty(0, np.int64)]))

    @property
    def sentence(self) -> str | None:
        """How many are left out, and why; None where all are usable."""
        listed = [f"{len(rows)} {why}" for why, rows in self.reasons.items() if len(rows)]
        if not listed:
            return None
        return (
            f"{len(self.indices)} of {format_count(self.examined, 'frame')} are left out: "
            f"{', '.join(listed)} (the first is frame {self.indices[0]})"
        )

    def drop_from(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the usable ones of some scan points, in their order."""
        return indices[~np.isin(indices, self.indices)]


def find_unusable_frames(
    scan: Scan,
    indices: NDArray[np.int64],
    should_stop: Callable[[], bool] | None = None,
) -> UnusableFrames:
    """Examine all of some frames.

    A frame is unusable when its good pixels have no counts, one and the same count, less
    than 1 % of the counts of the median frame, or more than 1 % of values that are not
    finite or at the largest value of their type.

    Parameters
    ----------
    scan : Scan
        Frames and bad pixels.
    indices : ndarray of int64
        (m,) scan points.
    should_stop : callable, optional
        Called before each block.

    Raises
    ------
    Stopped
        When it returned True.
    """
    good = np.ones(scan.frame_shape, bool) if scan.valid is None else scan.valid
    size = max(1, _AT_ONCE // (scan.frames.dtype.itemsize * good.size))
    parts: list[NDArray[np.float64]] = []
    for start in range(0, len(indices), size):
        if should_stop is not None and should_stop():
            raise Stopped
        parts.append(_measure(scan.read(indices[start : start + size])[:, good]))
    rows = np.concatenate(parts) if parts else np.empty((0, 4))
    total, spread, broken, full = rows.T
    wrong = {
        "with values that are not finite": broken > _MOST_NOT_FINITE,
        "saturated": full > _MOST_SATURATED,
        "without counts": total <= 0,
        "with the same count in every pixel": spread == 0,
        "next to dark": total < _DARK * (np.median(total[total > 0]) if (total > 0).any() else 0),
    }
    reasons, known = {}, np.zeros(len(rows), bool)
    for why, found in wrong.items():
        reasons[why] = np.asarray(indices[found & ~known], np.int64)
        known |= found
    return UnusableFrames(reasons=reasons, examined=len(indices))


def _measure(values: NDArray[Any]) -> NDArray[np.float64]:
    """Total, range, and shares not finite and at the largest value, of frames (m, pixels)."""
    kind = values.dtype.kind
    finite = np.isfinite(values) if kind == "f" else np.ones(values.shape, bool)
    counts = np.where(finite & (values > 0), values, 0)
    full = np.zeros(len(values))
    if kind in "iu":
        full = (values == np.iinfo(values.dtype).max).mean(axis=1)
    return np.stack(
        [
            counts.sum(axis=1, dtype=np.float64),
            counts.max(axis=1).astype(np.float64) - counts.min(axis=1),
            1 - finite.mean(axis=1),
            full,
        ],
        axis=1,
    )
