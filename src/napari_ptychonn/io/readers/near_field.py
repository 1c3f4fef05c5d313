"""Telling near-field frames (magnified shadows) from far-field ones.

A far-field frame is sampled finely enough only if the beam on the sample is
at most half of λ·z/pitch, so neighbouring scan points further apart than
that cannot overlap.  Where they are, and the frames are seen to be shadows
that move across the detector with the sample, they are near-field.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_ptychonn.data.scan import Scan

_PAIRS = 24
_EXPLAINED = 0.9
_LEAST_MOTION = 1.0


def note_on_field(scan: Scan) -> tuple[str, bool] | None:
    """Describe what is wrong with the far-field geometry of a scan.

    Returns
    -------
    tuple of (str, bool) or None
        One sentence, and whether the frames are near-field; None when the
        geometry is unknown or in order.
    """
    pixel = scan.optics.object_pixel(scan.frame_shape)
    if pixel is None or scan.unit != "m" or len(scan) < 2:
        return None
    window = min(n * p for n, p in zip(scan.frame_shape, pixel, strict=True))
    if scan.step <= window / 2:
        return None
    step = f"neighbouring points are {scan.step * 1e6:.3g} µm apart"
    if _shadows_move(scan):
        return (
            f"Near-field: {step}, more than half of the {window * 1e6:.3g} µm that a far-field "
            "frame of this geometry can cover, and the frames are shadows that move with the "
            "sample; PtychoNN does not apply to it.",
            True,
        )
    return (
        f"The {step}, more than half of the {window * 1e6:.3g} µm that a frame covers: the beam "
        "spots do not overlap, or a unit, the distance or the energy is wrong.",
        False,
    )


def _shadows_move(scan: Scan) -> bool:
    """Whether one magnification explains how far the picture moves between neighbours."""
    rng = np.random.default_rng(0)
    first = np.sort(rng.choice(len(scan), min(_PAIRS, len(scan)), replace=False))
    _, near = cKDTree(scan.positions).query(scan.positions[first], k=2)
    second = np.asarray(near, dtype=np.int64)[:, 1]
    a, b = (scan.read(i).astype(np.float64) for i in (first, second))
    mean = np.nan_to_num((a.mean(axis=0) + b.mean(axis=0)) / 2)
    ky, kx = mean.shape
    window = np.outer(np.hanning(ky), np.hanning(kx)) / np.sqrt(np.abs(mean) + 1)
    moved = np.array(
        [_shift(np.nan_to_num(p - mean) * window, np.nan_to_num(q - mean) * window)
         for p, q in zip(a, b, strict=True)]
    )  # fmt: skip
    if np.sqrt((moved**2).sum(axis=1)).mean() < _LEAST_MOTION:
        return False
    travelled = scan.positions[second] - scan.positions[first]
    fit, *_ = np.linalg.lstsq(travelled, moved, rcond=None)
    rest = moved - travelled @ fit
    return bool(1 - (rest**2).sum() / (moved**2).sum() > _EXPLAINED)


def _shift(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[int, int]:
    """Whole pixels (y, x) by which `b` is `a` moved."""
    correlation = np.fft.ifft2(np.conj(np.fft.fft2(a)) * np.fft.fft2(b)).real
    ky, kx = correlation.shape
    y, x = np.unravel_index(int(correlation.argmax()), (ky, kx))
    return (int(y) + ky // 2) % ky - ky // 2, (int(x) + kx // 2) % kx - kx // 2
