"""Detector pixels that cannot be believed: hot, dead, saturated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONTRAST = 5.0
"""Real peaks stay below 2.5 times their surroundings, where the beam is sampled finely enough."""

LEAST_CONTRAST = 1.5
"""Below this, noise alone makes pixels look faulty."""

_REACH = 2
_OFFSETS = tuple(
    (y, x)
    for y in range(-_REACH, _REACH + 1)
    for x in range(-_REACH, _REACH + 1)
    if (y, x) != (0, 0)
)
_HIGH = len(_OFFSETS) - 2
"""Second largest neighbour: where a streak ends there are two like it, beside a hot pixel one."""

_LOW = 6
"""Seventh smallest neighbour: beside a gap or in the shadow of a beam stop it is dark as well."""

_PARTS = 4
_FEWEST_FRAMES = 3
_AT_ONCE = 2**18
_LEAST_CEILING = 100
_LEAST_AT_CEILING = 8
_FEWEST_AT_CEILING = 3
_CLOSE_TO_CEILING = 0.98
_BEAM = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class BadPixels:
    """Which pixels are faulty, and whether they are masked.

    Attributes
    ----------
    excess : ndarray of float32
        (ky, kx), counts over those of the neighbourhood and its noise, in the
        part of the scan where the pixel counts least.
    lack : ndarray of float32
        (ky, kx), 0 for a pixel that has counted; for others how many standard
        deviations of its neighbours' counts that is away from them.
    saturated : ndarray of bool
        (ky, kx), True where a frame reaches the ceiling.
    usable : ndarray of bool
        (ky, kx), what is left without this: the mask of the file.
    looked_at, frames : int
        Frames that were looked at, of so many.
    contrast : float or None
        Pixels whose excess or lack is larger than this are masked; None masks nothing.
    """

    excess: NDArray[np.float32]
    lack: NDArray[np.float32]
    saturated: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    looked_at: int
    frames: int
    contrast: float | None = CONTRAST

    @classmethod
    def find(
        cls,
        frames: NDArray[Any],
        usable: NDArray[np.bool_] | None = None,
        *,
        total: int | None = None,
        ceiling: float | None = None,
    ) -> BadPixels:
        """Look for faulty pixels in some frames of a scan.

        Parameters
        ----------
        frames : ndarray
            (m, ky, kx) counts, zero frequency at element (ky // 2, kx // 2),
            spread over the scan.
        usable : ndarray of bool, optional
            (ky, kx), False for pixels that are known to be bad.
        total : int, optional
            Frames of the scan; m by default.
        ceiling : float, optional
            Largest count that the detector can give, where the file says so.

        Notes
        -----
        A pixel is hot when it counts far more than its neighbours *in every
        quarter of the scan*: a ray of stray light or a speckle does not stay.
        Nor is a single pixel ever far above all of its surroundings in a far
        field that is sampled as ptychography needs it.  The direct beam may
        be: nothing next to the zero frequency is taken for hot.
        """
        m, ky, kx = frames.shape
        good = np.ones((ky, kx), bool) if usable is None else usable
        counts = frames if frames.dtype.kind in "biu" else np.nan_to_num(frames, posinf=0, neginf=0)
        excess, lack = np.zeros((2, ky, kx), np.float32)
        if m >= _FEWEST_FRAMES:
            with np.errstate(over="ignore", invalid="ignore"):  # a damaged file holds any number
                excess, lack = _compared_with_neighbours(counts, good)
        return cls(
            excess=excess,
            lack=lack,
            saturated=_at_ceiling(counts, good, ceiling),
            usable=good,
            looked_at=m,
            frames=m if total is None else total,
        )

    def masked_above(self, contrast: float | None) -> BadPixels:
        """Mask more, fewer or (None) no pixels."""
        return replace(self, contrast=contrast)

    @property
    def hot(self) -> NDArray[np.bool_]:
        """Pixels (ky, kx) that count far too much."""
        return self._beyond(self.excess) & ~self._saturated

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Pixels (ky, kx) that never count."""
        return self._beyond(self.lack)

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Pixels (ky, kx) that are masked for what was found."""
        return self.hot | self.dead | self._saturated

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """Pixels (ky, kx) that are left; None where that is all, as in `Scan.valid`.

        A mask that would leave nothing is not used.
        """
        left = self.usable & ~self.bad
        left = left if left.any() else self.usable
        return None if left.all() else left

    @property
    def sentence(self) -> str:
        """What was found, for a person; '' for nothing."""
        kinds = (("hot", self.hot), ("dead", self.dead), ("saturated", self._saturated))
        counts = [(name, int(pixels.sum())) for name, pixels in kinds]
        told = ", ".join(f"{count} {name}" for name, count in counts if count)
        if not told:
            return ""
        total = int(self.bad.sum())
        pixels = "1 detector pixel is" if total == 1 else f"{total} detector pixels are"
        return (
            f"{pixels} faulty in {self.looked_at} of {self.frames} frames looked at and masked: "
            f"{told}."
        )

    @property
    def _saturated(self) -> NDArray[np.bool_]:
        return self.saturated if self.contrast is not None else np.zeros_like(self.saturated)

    def _beyond(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        if self.contrast is None:
            return np.zeros(values.shape, bool)
        return np.asarray(values > self.contrast)


def _compared_with_neighbours(
    counts: NDArray[Any], good: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Excess and lack of every pixel (ky, kx)."""
    from scipy import ndimage

    parts = np.array_split(counts, min(_PARTS, len(counts)))
    means = np.stack([np.maximum(part.mean(axis=0, dtype=np.float64), 0) for part in parts])
    mean = np.average(means, axis=0, weights=[len(part) for part in parts]) / _one_count(counts)
    least = means.min(axis=0) / _one_count(counts)
    frames, frames_in_part = len(counts), min(map(len, parts))
    # Pixels without a count worth its name are as bright as can be: nobody is hot beside them.
    known = np.where(good, mean, np.inf)
    excess, lack = np.zeros((2, *mean.shape), np.float32)

    hot = np.argwhere(good & (least * frames_in_part > 1) & ~_near_beam(mean.shape))
    for y, x, ranked in _neighbours(np.pad(known, _REACH), hot):
        expected = ranked[_HIGH] * frames_in_part
        excess[y, x] = least[y, x] * frames_in_part / (expected + np.sqrt(expected + 1))

    never = good & (counts == 0).all(axis=0)
    lit = ndimage.uniform_filter(np.where(good, mean, 0.0), 2 * _REACH + 1) * frames
    # Nothing is known outside of the detector: dark there would hide the dead at its edge.
    around = np.pad(known, _REACH, constant_values=np.inf)
    for y, x, ranked in _neighbours(around, np.argwhere(never & (lit > 0))):
        expected = np.where(np.isfinite(ranked[_LOW]), ranked[_LOW], 0.0) * frames
        lack[y, x] = np.sqrt(expected)
    return excess, lack


def _one_count(counts: NDArray[Any]) -> float:
    """What one count looks like in these numbers: frames may have been scaled."""
    if counts.dtype.kind != "f":
        return 1.0
    return float(counts.min(where=counts > 0, initial=np.inf, axis=None)) if counts.any() else 1.0


def _near_beam(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels next to the zero frequency."""
    (y, ky), (x, kx) = zip(np.ogrid[: shape[0], : shape[1]], shape, strict=True)
    reach = max(_REACH, min(shape) // _BEAM)
    return np.asarray(np.maximum(abs(y - ky // 2), abs(x - kx // 2)) <= reach)


def _neighbours(
    padded: NDArray[np.float64], where: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Yield rows, columns, and the values (24, n) around them, partly sorted."""
    for start in range(0, len(where), _AT_ONCE):
        y, x = where[start : start + _AT_ONCE].T
        values = np.stack([padded[y + _REACH + dy, x + _REACH + dx] for dy, dx in _OFFSETS])
        values.partition((_LOW, _HIGH), axis=0)
        yield y, x, values


def _at_ceiling(
    counts: NDArray[Any], good: NDArray[np.bool_], ceiling: float | None
) -> NDArray[np.bool_]:
    """Pixels (ky, kx) that reach the ceiling, which is seen where nobody says it.

    What noise makes of bright pixels is spread out; a ceiling is one value
    that many of them share, with hardly any just below.
    """
    if ceiling is not None:
        return np.asarray((counts >= ceiling).any(axis=0) & good)
    nowhere = np.zeros(good.shape, bool)
    seen = counts[:, good]
    if seen.size == 0 or (seen == seen[:1]).all():
        return nowhere
    top = float(seen.max())
    if top < _LEAST_CEILING * _one_count(counts):
        return nowhere
    at_top = int((seen == top).sum())
    below = int((seen > _CLOSE_TO_CEILING * top).sum()) - at_top
    reaching = np.asarray((counts == top).any(axis=0) & good)
    # One or two pixels that are stuck at a value are hot.
    if at_top < _LEAST_AT_CEILING or at_top <= below or reaching.sum() < _FEWEST_AT_CEILING:
        return nowhere
    return reaching
