"""Check of positions against the overlaps of predicted patches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial import cKDTree

from napari_ptychonn.consistency.correction import ScanCorrection, orientation_matrix
from napari_ptychonn.data.patch_store import PatchSet

POINTS = 24
"""Points that are compared with up to three others each."""

FEWEST = 16
"""Pairs that must overlap as measured for positions to be judged."""

BETTER = 0.8
"""Ratio of what does not correlate, after and before a correction, below which it is offered."""

_AT_ONCE = 4
_LEAST_OVERLAP = 0.3
_FLAT = 1e-5
_CORRELATED = 0.5
_NEIGHBOURS = 24
_FAR = 0.4
"""Distance, relative to the width of the weight, up to which a third neighbour is chosen.

The farther it is, the more a wrong scale shows.
"""

_NO_SCALE = 0.1
_AGREED = 0.8
"""Share of the pairs that a correction must make agree better."""


@dataclass(frozen=True, kw_only=True)
class OverlapCheck:
    """How well overlapping predictions agree at the positions of a scan.

    Attributes
    ----------
    pairs : int
        Overlapping patches compared.
    correlation : float
        Median correlation of their overlaps.
    correction : ScanCorrection or None
        What makes them agree far better, if anything does.
    corrected : float or None
        Median correlation after it.
    """

    pairs: int
    correlation: float
    correction: ScanCorrection | None = None
    corrected: float | None = None

    @property
    def warning(self) -> str | None:
        """One sentence if the predictions contradict the positions."""
        if self.correction is None:
            return None
        return (
            f"Neighbouring predictions agree badly where they overlap (correlation "
            f"{self.correlation:.2f} in {self.pairs} pairs), and well ({self.corrected:.2f}) if "
            f"{self.correction.description} (--correct {self.correction})."
        )


def check_overlap(
    predictions: PatchSet,
    positions: NDArray[np.float64],
    pixel_size: tuple[float, float],
    weight: NDArray[np.float32],
) -> OverlapCheck | None:
    """Compare the displacements of neighbouring patches with those that their images show.

    Parameters
    ----------
    predictions : Patches or LazyPatches
        m patches (py, px).
    positions : ndarray of float64
        (m, 2) of their centres.
    pixel_size : tuple of float
        (y, x), in the unit of the positions.
    weight : ndarray of float32
        (py, px), where patches are known well.

    Returns
    -------
    OverlapCheck or None
        None for fewer than `FEWEST` pairs that show a displacement.

    Notes
    -----
    The displacement of a pair is where the masked normalised cross-correlation is largest
    (Padfield 2012, doi:10.1109/TIP.2011.2181402, eq. 3, with weights for the masks).
    """
    pixels = positions / np.asarray(pixel_size)
    width = float(weight.sum() / np.sqrt((weight**2).sum() * np.pi)) * 2
    pairs = _choose_pairs(pixels, _FAR * width)
    if len(pairs) < FEWEST:
        return None
    rows, inverse = np.unique(pairs, return_inverse=True)
    patches = predictions[rows]
    images = patches.amplitude * np.exp(1j * patches.phase)
    first, second = inverse.reshape(-1, 2).T
    apart = pixels[pairs[:, 1]] - pixels[pairs[:, 0]]
    maps = _Correlations.of_pairs(images[first], images[second], weight)
    found, peak = maps.peaks()
    clear = peak >= _CORRELATED
    if clear.sum() < FEWEST:
        return None
    maps, apart, found = maps[clear], apart[clear], found[clear]
    now = maps.at(apart)
    check = OverlapCheck(pairs=int(clear.sum()), correlation=float(np.median(now)))
    best, after = max(
        ((each, maps.at(_displaced(each, apart))) for each in _candidates(apart, found)),
        key=lambda tried: float(np.median(tried[1])),
    )
    corrected = float(np.median(after))
    if (
        best
        and corrected >= _CORRELATED
        and 1 - corrected < BETTER * (1 - check.correlation)
        and (after > now).mean() >= _AGREED
    ):
        return replace(check, correction=best, corrected=corrected)
    return check


def _choose_pairs(positions: NDArray[np.float64], far: float) -> NDArray[np.int64]:
    """Pairs (k, 2) of neighbours in different directions, and up to a distance `far`."""
    count = min(_NEIGHBOURS + 1, len(positions))
    if count < 3:
        return np.empty((0, 2), np.int64)
    chosen = np.unique(np.linspace(0, len(positions) - 1, POINTS).astype(np.int64))
    _, near = cKDTree(positions).query(positions[chosen], k=count)
    pairs = []
    for point, found in zip(chosen, np.asarray(near), strict=True):
        others = found[(positions[found] != positions[point]).any(axis=1)]
        away = positions[others] - positions[point]
        if len(others) < 2:
            continue
        across = np.abs(away[0, 0] * away[:, 1] - away[0, 1] * away[:, 0]) / np.hypot(*away.T)
        # The nearest, and the nearest of those about at right angles to it.
        aside = np.flatnonzero(across >= 0.7 * across.max())[0]
        farther = np.flatnonzero(np.hypot(*away.T) <= far)[-1:]
        pairs += [(point, others[k]) for k in {0, int(aside), *farther.tolist()}]
    return np.asarray(pairs, np.int64).reshape(-1, 2)


def _candidates(apart: NDArray[np.float64], found: NDArray[np.float64]) -> list[ScanCorrection]:
    """Orientations of the positions, each with the scale that the images show."""
    candidates = []
    for orientation in range(8):
        turned = apart @ orientation_matrix(orientation).T
        scales = (turned * found).sum(1) / (turned**2).sum(1)
        scale = float(np.median(scales))
        candidates.append(ScanCorrection(positions=orientation))
        if scale > 0 and abs(scale - 1) > _NO_SCALE:
            candidates.append(ScanCorrection(positions=orientation, scale=float(f"{scale:.2g}")))
    return candidates


def _displaced(correction: ScanCorrection, apart: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(apart @ orientation_matrix(correction.positions).T * correction.scale)


@dataclass(frozen=True, eq=False)
class _Correlations:
    """Correlation (k, 2 py, 2 px) of pairs of patches at every displacement, 0 off their overlap.

    Displacements wrap around: element (0, 0) is none, the last row is −1.
    """

    values: NDArray[np.float32]

    @classmethod
    def of_pairs(
        cls,
        first: NDArray[np.complexfloating],
        second: NDArray[np.complexfloating],
        weight: NDArray[np.float32],
    ) -> _Correlations:
        w = (weight / weight.max()).astype(np.float32)
        parts = [
            _correlate(first[start : start + _AT_ONCE], second[start : start + _AT_ONCE], w)
            for start in range(0, len(first), _AT_ONCE)
        ]
        return cls(np.concatenate(parts))

    def __getitem__(self, rows: NDArray[np.bool_]) -> _Correlations:
        return _Correlations(self.values[rows])

    def peaks(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Displacement (k, 2) of the largest correlation, and that correlation (k,)."""
        height, width = self.values.shape[1:]
        flat = self.values.reshape(len(self.values), -1)
        place = flat.argmax(axis=1)
        index = np.stack(np.unravel_index(place, (height, width)), axis=1)
        size = np.asarray((height, width))
        wrapped = (index + size // 2) % size - size // 2
        return wrapped.astype(np.float64), flat[np.arange(len(flat)), place]

    def at(self, displacements: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correlation (k,) at displacements (k, 2), at whole pixels; 0 beyond the patches."""
        size = np.asarray(self.values.shape[1:])
        whole = np.round(displacements).astype(np.int64)
        inside = (np.abs(whole) < size // 2).all(axis=1)
        rows, columns = (whole % size).T
        return np.where(inside, self.values[np.arange(len(self.values)), rows, columns], 0.0)


def _correlate(
    first: NDArray[np.complex64], second: NDArray[np.complex64], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Normalised cross-correlation of pairs, 0 where they hardly overlap."""
    shape = (2 * weight.shape[0], 2 * weight.shape[1])

    def spectrum(image: NDArray[Any]) -> NDArray[np.complex64]:
        return np.asarray(fft.fft2(image.astype(np.complex64), shape, axes=(-2, -1)))

    def correlate(
        one: NDArray[np.complex64], other: NDArray[np.complex64]
    ) -> NDArray[np.complex64]:
        return np.asarray(fft.ifft2(one * other.conj(), axes=(-2, -1)))

    mask = spectrum(weight)
    one, other = spectrum(weight * first), spectrum(weight * second)
    overlap = np.maximum(correlate(mask, mask).real, 1e-6 * weight.sum())
    mean_one = correlate(one, mask) / overlap
    mean_other = correlate(mask, other) / overlap
    both = correlate(one, other) / overlap - mean_one * mean_other
    square_one = correlate(spectrum(weight * np.abs(first) ** 2), mask).real / overlap
    square_other = correlate(mask, spectrum(weight * np.abs(second) ** 2)).real / overlap
    spread = (square_one - np.abs(mean_one) ** 2, square_other - np.abs(mean_other) ** 2)
    # Rounding errors of flat patches are no structure.
    known = np.minimum(*spread) > _FLAT * np.maximum(square_one, square_other)
    known &= overlap >= _LEAST_OVERLAP * overlap[:1, :1]
    correlation = np.abs(both) / np.sqrt(np.where(known, spread[0] * spread[1], 1.0))
    return np.where(known, np.minimum(correlation, 1.0), 0.0).astype(np.float32)
