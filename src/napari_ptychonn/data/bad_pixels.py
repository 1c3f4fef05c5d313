"""Bad detector pixels: hot, dead, saturated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count

CONTRAST = 5.0
"""Excess or lack of a bad pixel; real peaks have at most 2.5 times their surroundings."""

LEAST_CONTRAST = 1.5
"""Below this, noise alone flags pixels."""

_REACH = 2
_OFFSETS = tuple(
    (y, x)
    for y in range(-_REACH, _REACH + 1)
    for x in range(-_REACH, _REACH + 1)
    if (y, x) != (0, 0)
)
_HIGH = len(_OFFSETS) - 2
"""Second largest neighbour: two are bright at the end of a streak, one beside a hot pixel."""

_LOW = 6
"""Seventh smallest neighbour: beside a gap or behind a beam stop it is dark as well."""

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
    """Bad pixels of a scan, and the threshold above which they are masked.

    Attributes
    ----------
    excess : ndarray of float32
        (ky, kx), counts over those of the neighbours and their noise, in the part
        of the scan where the pixel counts least.
    lack : ndarray of float32
        (ky, kx), counts of the neighbours of a pixel without any count, in standard
        deviations; 0 for other pixels.
    saturated : ndarray of bool
        (ky, kx), True where a frame reaches the largest count.
    usable : ndarray of bool
        (ky, kx), the mask of the file.
    looked_at, frames : int
        Number of frames examined, and of all.
    contrast : float or None
        Threshold of excess and lack above which pixels are masked; None masks none.
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
        """Find bad pixels in some frames of a scan.

        Parameters
        ----------
        frames : ndarray
            (m, ky, kx) counts, zero frequency at element (ky // 2, kx // 2),
            spread over the scan.
        usable : ndarray of bool, optional
            (ky, kx), False for pixels known to be bad.
        total : int, optional
            Frames of the scan; m by default.
        ceiling : float, optional
            Largest count of the detector, where the file has it.

        Notes
        -----
        A hot pixel counts far more than its neighbours *in every quarter of the scan*,
        unlike stray light or a speckle.  In a far field sampled for ptychography, no
        single pixel is far above all of its neighbours, except in the direct beam: pixels
        next to the zero frequency are never flagged.
        """
        m, ky, kx = frames.shape
        good = np.ones((ky, kx), bool) if usable is None else usable
        counts = frames if frames.dtype.kind in "biu" else np.nan_to_num(frames, posinf=0, neginf=0)
        excess, lack = np.zeros((2, ky, kx), np.float32)
        if m >= _FEWEST_FRAMES:
            with np.errstate(over="ignore", invalid="ignore"):  # any number in a damaged file
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
        """Return it with another threshold; None masks no pixels."""
        return replace(self, contrast=contrast)

    def transformed(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> BadPixels:
        """Return it with every image of the detector changed: cropped, flipped."""
        return replace(
            self,
            excess=change(self.excess),
            lack=change(self.lack),
            saturated=change(self.saturated),
            usable=change(self.usable),
        )

    @property
    def hot(self) -> NDArray[np.bool_]:
        """(ky, kx), True for hot pixels."""
        return self._beyond(self.excess) & ~self._saturated

    @property
    def dead(self) -> NDArray[np.bool_]:
        """(ky, kx), True for dead pixels."""
        return self._beyond(self.lack)

    @property
    def bad(self) -> NDArray[np.bool_]:
        """(ky, kx), True for hot, dead and saturated pixels."""
        return self.hot | self.dead | self._saturated

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """(ky, kx), False for masked pixels, as `Scan.valid`; None without a mask.

        A mask of all pixels is not used.
        """
        left = self.usable & ~self.bad
        left = left if left.any() else self.usable
        return None if left.all() else left

    @property
    def sentence(self) -> str:
        """Summary for the user; '' without bad pixels."""
        kinds = (("hot", self.hot), ("dead", self.dead), ("saturated", self._saturated))
        counts = [(name, int(pixels.sum())) for name, pixels in kinds]
        listed = ", ".join(f"{count} {name}" for name, count in counts if count)
        if not listed:
            return ""
        total = int(self.bad.sum())
        pixels = "1 bad detector pixel" if total == 1 else f"{total} bad detector pixels"
        return (
            f"{pixels} in {self.looked_at} of {format_count(self.frames, 'frame')} "
            f"examined, masked: {listed}."
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
    # Treat masked pixels as infinitely bright so that their neighbours are never flagged as hot.
    known = np.where(good, mean, np.inf)
    excess, lack = np.zeros((2, *mean.shape), np.float32)

    hot = np.argwhere(good & (least * frames_in_part > 1) & ~_near_beam(mean.shape))
    for y, x, ranked in _neighbours(np.pad(known, _REACH), hot):
        expected = ranked[_HIGH] * frames_in_part
        excess[y, x] = least[y, x] * frames_in_part / (expected + np.sqrt(expected + 1))

    never = good & (counts == 0).all(axis=0)
    nearby = ndimage.uniform_filter(np.where(good, mean, 0.0), 2 * _REACH + 1) * frames
    # Infinitely bright outside of the detector: dark would hide dead pixels at its edge.
    around = np.pad(known, _REACH, constant_values=np.inf)
    for y, x, ranked in _neighbours(around, np.argwhere(never & (nearby > 0))):
        expected = np.where(np.isfinite(ranked[_LOW]), ranked[_LOW], 0.0) * frames
        lack[y, x] = np.sqrt(expected)
    return excess, lack


def _one_count(counts: NDArray[Any]) -> float:
    """Value of one count: frames may be scaled."""
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
    """(ky, kx), True for pixels that reach the largest count, given or estimated.

    Noise spreads the counts of bright pixels; saturated pixels share one value, with
    hardly any just below.
    """
    if ceiling is not None:
        return np.asarray((counts >= ceiling).any(axis=0) & good)
    nowhere = np.zeros(good.shape, bool)
    usable = counts[:, good]
    if usable.size == 0 or (usable == usable[:1]).all():
        return nowhere
    top = float(usable.max())
    if top < _LEAST_CEILING * _one_count(counts):
        return nowhere
    at_top = int((usable == top).sum())
    below = int((usable > _CLOSE_TO_CEILING * top).sum()) - at_top
    reaching = np.asarray((counts == top).any(axis=0) & good)
    # One or two pixels that always have the largest value are hot, not saturated.
    if at_top < _LEAST_AT_CEILING or at_top <= below or reaching.sum() < _FEWEST_AT_CEILING:
        return nowhere
    return reaching
