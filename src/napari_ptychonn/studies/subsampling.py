"""Subsample a scan: the points that a scan with a larger step would have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError

SKEW = 4.0
"""Largest ratio of the spacings along and between the lines of a raster, or its inverse."""


def subsample_scan(scan: Scan, every: int) -> NDArray[np.int64]:
    """Choose the scan points of a scan whose step is `every` times larger.

    A raster (also serpentine, jittered or with missing points) keeps every k-th
    point of every k-th line.  Any other path (spiral, irregular) keeps n / k²
    points by farthest-point sampling (Gonzalez 1985,
    doi:10.1016/0304-3975(85)90224-5) from the point nearest the centre.

    Parameters
    ----------
    scan : Scan
        n points.
    every : int
        k ≥ 1; 1 keeps all points.

    Returns
    -------
    ndarray of int64
        Sorted scan points.

    Raises
    ------
    InputError
        When `every` is less than 1.
    """
    if every < 1:
        raise InputError(
            f"{scan.name}: the subsampling factor must be 1 or more, got {every}.",
            expected="1 or more",
            got=every,
        )
    if every == 1:
        return np.arange(len(scan), dtype=np.int64)
    if is_raster(scan):
        return _every_line_and_point(scan, every)
    return _farthest_points(scan.positions, max(1, round(len(scan) / every**2)))


def spacing(positions: NDArray[np.float64]) -> float:
    """Median distance of points (m, 2) to their nearest neighbour; 0 for fewer than two."""
    if len(positions) < 2:
        return 0.0
    distance, _ = cKDTree(positions).query(positions, k=2)
    return float(np.median(np.asarray(distance)[:, 1]))


def is_raster(scan: Scan) -> bool:
    """Whether the spacing along the lines of a scan is similar to that between them."""
    if scan.line is None:
        return False
    along, between = _spacings(scan, _fast_axis(scan))
    return bool(along > 0 and between > 0 and 1 / SKEW <= along / between <= SKEW)


def _every_line_and_point(scan: Scan, every: int) -> NDArray[np.int64]:
    assert scan.line is not None
    axis = _fast_axis(scan)
    spacing, _ = _spacings(scan, axis)
    kept = []
    for line in np.unique(scan.line)[::every]:
        points = np.flatnonzero(scan.line == line)
        along = scan.positions[points, axis]
        # By position, not by count: lines may run in either direction and lack points.
        column = np.rint((along - along.min()) / spacing).astype(np.int64)
        kept.append(points[column % every == 0])
    return np.sort(np.concatenate(kept))


def _fast_axis(scan: Scan) -> int:
    """The axis along which positions change within a line: 0 is y, 1 is x."""
    extents = [np.ptp(scan.positions[points], axis=0) for points in _lines(scan)]
    return int(np.argmax(np.sum(extents, axis=0))) if extents else 1


def _spacings(scan: Scan, axis: int) -> tuple[float, float]:
    """Median spacing along the lines and between them; 0 for a single point or line."""
    lines = _lines(scan)
    gaps = [np.diff(np.sort(scan.positions[points, axis])) for points in lines]
    along = np.concatenate(gaps) if gaps else np.empty(0)
    middles = np.asarray([np.median(scan.positions[points], axis=0) for points in lines])
    between = np.abs(np.diff(middles[:, 1 - axis])) if len(middles) > 1 else np.empty(0)
    return (
        float(np.median(along)) if len(along) else 0.0,
        float(np.median(between)) if len(between) else 0.0,
    )


def _lines(scan: Scan) -> list[NDArray[np.int64]]:
    assert scan.line is not None
    return [np.flatnonzero(scan.line == line) for line in np.unique(scan.line)]


def _farthest_points(positions: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """`count` points (at most n), each the farthest from those chosen before it."""
    _, first = cKDTree(positions).query(positions.mean(axis=0))
    chosen = [int(first)]
    distance = np.full(len(positions), np.inf)
    while len(chosen) < min(count, len(positions)):
        distance = np.minimum(distance, np.sum((positions - positions[chosen[-1]]) ** 2, axis=1))
        distance[chosen[-1]] = -np.inf  # also where several points lie at one place
        chosen.append(int(np.argmax(distance)))
    return np.sort(np.asarray(chosen, np.int64))
