"""How far out of focus the beam was, from how features wander over the frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

FRAMES = 100
"""Frames that are looked at: those around one in the middle of the scan."""

NEIGHBOURS = 30
PAIRS = 500
"""Each frame is compared with so many around it; so many pairs in all, at most."""

CLEAR = 0.1
"""Correlation at the best rate from which on it is believed; noise gives less than 0.05."""

MIRRORED = 0.3
"""And how much of it the opposite rate may reach: near the focus both look alike."""

SMALLEST, LARGEST, RATES = 1.5, 0.6, 60
"""Beam radii that are tried: from so many object pixels to such a part of the window."""


def shadow_rate(frames: NDArray[Any], positions: NDArray[np.float64]) -> float | None:
    """Detector pixels that features move when the sample moves by one object pixel.

    Out of focus, a frame is also a shadow image of the sample: when the beam
    moves on, what it shows moves over the detector, the faster the nearer the
    focus is, and the other way round behind it.

    Parameters
    ----------
    frames : ndarray
        (m, ky, kx) counts, zero frequency at element N // 2.
    positions : ndarray of float64
        (m, 2) where the beam was, object pixels.

    Returns
    -------
    float or None
        None where nothing moves clearly: in focus, or too few frames.
    """
    if len(frames) < 3:
        return None
    contrast, radius = _contrast(frames)
    if not radius:
        return None
    spectra = scipy.fft.fft2(contrast)
    power = np.sqrt((contrast**2).sum(axis=(1, 2)))
    reach = radius / np.geomspace(SMALLEST, LARGEST * min(frames.shape[1:]), RATES)
    rates = np.concatenate([-reach, reach])
    pairs = _pairs(positions)
    score = np.zeros(len(rates))
    for one, other in pairs:
        common = scipy.fft.ifft2(spectra[other] * spectra[one].conj()).real
        common /= max(power[one] * power[other], 1e-30)
        moved = np.outer(rates, positions[other] - positions[one])
        score += np.where((np.abs(moved) < 2 * radius).all(axis=1), _at(common, moved), 0.0)
    score /= len(pairs)
    best = int(score.argmax())
    opposite = score[(best + RATES) % len(rates)]
    if score[best] < CLEAR or opposite > MIRRORED * score[best]:
        return None
    return float(rates[best])


def middle_of(positions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of the `FRAMES` positions around the one nearest to the middle, increasing."""
    from scipy.spatial import cKDTree

    count = min(FRAMES, len(positions))
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
    _, nearest = cKDTree(positions).query(middle, k=count)
    return np.sort(np.atleast_1d(nearest)).astype(np.int64)


def _contrast(frames: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """Frames against their mean in units of its noise, and the radius of the lit detector."""
    counts = np.maximum(np.nan_to_num(np.asarray(frames, np.float64)), 0.0)
    mean = counts.mean(axis=0)
    total = mean.sum()
    if total <= 0:
        return counts, 0.0
    rows, columns = (np.arange(n) - n // 2 for n in mean.shape)
    radius = np.sqrt(2 * (mean * (rows[:, None] ** 2 + columns[None] ** 2)).sum() / total)
    return (counts - mean) / np.sqrt(mean + 0.01 * mean.mean()), float(radius)


def _pairs(positions: NDArray[np.float64]) -> NDArray[np.int64]:
    """(p, 2) rows of frames that are near each other, each pair once."""
    from scipy.spatial import cKDTree

    count = min(NEIGHBOURS + 1, len(positions))
    _, near = cKDTree(positions).query(positions, k=count)
    pairs = np.asarray(
        [(i, j) for i, row in enumerate(np.asarray(near)) for j in row if i < j], np.int64
    )
    return pairs[:: -(-len(pairs) // PAIRS)]


def _at(image: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(image, places.T, order=1, mode="grid-wrap"))
