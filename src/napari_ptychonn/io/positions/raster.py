"""Scan lines: which points were taken in one sweep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEWEST = 3
"""Points of the shortest line and lines of the smallest raster that is called one."""

_UNEVEN = 0.25
_REACH = 0.5


def lines_of_raster(lead: tuple[int, ...]) -> NDArray[np.int64]:
    """Number the lines of frames stored as a raster (rows, columns) and flattened."""
    per_line = lead[-1]
    return np.repeat(np.arange(int(np.prod(lead[:-1])), dtype=np.int64), per_line)


def find_lines(positions: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Recognise a raster by its fast axis turning round, or flying back, at the end of each line.

    Parameters
    ----------
    positions : ndarray of float64
        (n, 2) in the order in which they were taken.

    Returns
    -------
    ndarray of int64 or None
        (n,) line of each point; None for spirals, random and other patterns.
    """
    if len(positions) < _FEWEST**2:
        return None
    found = (_along(positions[:, fast], positions[:, 1 - fast]) for fast in (1, 0))
    return next((line for line in found if line is not None), None)


def _along(fast: NDArray[np.float64], slow: NDArray[np.float64]) -> NDArray[np.int64] | None:
    step = np.diff(fast)
    pace = float(np.median(np.abs(step)))
    if pace <= 0:
        return None
    moving = np.sign(step) * (np.abs(step) > 0.25 * pace)
    line = _cut(moving, step, pace)
    return line if _is_raster(line, fast, slow) else None


def _cut(moving: NDArray[np.float64], step: NDArray[np.float64], pace: float) -> NDArray[np.int64]:
    """Start a line wherever the sweep stops, turns or jumps back."""
    ends = np.zeros(len(moving) + 1, dtype=bool)
    direction = 0.0
    for i, sign in enumerate(moving):
        if direction and (sign != direction or abs(step[i]) > 3 * pace):
            ends[i + 1] = True
            direction = 0.0
        else:
            direction = sign
    return np.cumsum(ends).astype(np.int64)


def _is_raster(
    line: NDArray[np.int64], fast: NDArray[np.float64], slow: NDArray[np.float64]
) -> bool:
    counts = np.bincount(line)
    if len(counts) < _FEWEST:
        return False
    inner = counts[1:-1]
    usual = np.median(inner)
    if usual < _FEWEST or (np.abs(inner - usual) > max(1.0, _UNEVEN * usual)).any():
        return False
    if counts[[0, -1]].max() > usual * (1 + _UNEVEN) + 1:
        return False
    # Short first and last lines are told to be lines by where they lie, not by their length.
    starts = np.searchsorted(line, np.arange(len(counts)))
    reach = (np.maximum.reduceat(fast, starts) - np.minimum.reduceat(fast, starts))[1:-1]
    if (reach < _REACH * np.ptp(fast)).any():
        return False
    mean = np.add.reduceat(slow, starts) / counts
    advance = np.diff(mean)
    return bool((advance > 0).all() or (advance < 0).all())


def unit_raster(lead: tuple[int, ...]) -> NDArray[np.float64]:
    """Positions (n, 2) of a raster with a step of 1; leading axes of length 1 do not matter."""
    columns = lead[-1]
    index = np.arange(int(np.prod(lead)))
    return np.stack([index // columns, index % columns], axis=1).astype(np.float64)
