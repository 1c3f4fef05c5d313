"""Gain of frames: the value that a detector or a program wrote for each photon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

VARYING = 1.5
"""Ratio of the gains of frames above which they are reported as different."""

FEW = 50.0
"""Largest value below which numbers that are not whole cannot be counts of photons."""

_STEPS = 4096
"""Steps above 0 up to which values are compared with multiples of the gain."""

_FRAMES, _VALUES = 8, 2**15
"""Frames, and values of each, that are examined at most."""

_OFF = 0.02
_MOST_OFF = 0.01
_FEWEST_VALUES = 16
_FEWEST_LEVELS = 2
_LARGEST_WHOLE = 2**53
_MOST_FRAMES_WITHOUT = 0.2
_ROUNDING = 1e-5


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Value of one photon in the frames of a scan.

    Attributes
    ----------
    value : float or None
        Median over the frames; None where it is not known.
    range : tuple of float
        Least and largest of the frames.
    amplitudes : bool
        Whether the squares of the values, not the values, are multiples of the gain.
    warning : str or None
        One sentence about what is doubtful.
    """

    value: float | None = 1.0
    range: tuple[float, float] = (1.0, 1.0)
    amplitudes: bool = False
    warning: str | None = None


def estimate_gain(frames: NDArray[Any], good: NDArray[np.bool_]) -> Gain:
    """Find the gain from the steps between the values of frames.

    Parameters
    ----------
    frames : ndarray
        (m, ky, kx), some frames.
    good : ndarray of bool
        (ky, kx), False for pixels that are not used.

    Returns
    -------
    Gain
        1 for counts; of frames divided by another number each, the median with a warning.
    """
    some = np.unique(np.linspace(0, len(frames) - 1, _FRAMES).astype(np.int64))
    values = [frames[k][good] for k in some]
    values = [v[np.isfinite(v) & (v > 0)] for v in values]
    values = [v[:: max(1, len(v) // _VALUES)] for v in values]
    if frames.dtype.kind in "iub":
        return _gain_of_integers(values)
    found = [g for v in values if len(v) and (g := find_step(v)) is not None]
    lit = sum(len(v) >= _FEWEST_VALUES for v in values)
    if found and len(found) >= (1 - _MOST_FRAMES_WITHOUT) * lit:
        return _gain_of_steps(found)
    if all((v % 1 == 0).all() for v in values):
        return _gain_of_integers(values)
    roots = [g for v in values if len(v) and (g := find_step(v.astype(np.float64) ** 2))]
    if roots and len(roots) >= (1 - _MOST_FRAMES_WITHOUT) * lit:
        return Gain(
            value=float(np.median(roots)),
            range=(min(roots), max(roots)),
            amplitudes=True,
            warning="The squares of the values in the frames, not the values, have equal steps: "
            "they are taken as square roots of counts. If they are counts, open the file with a "
            "layout of your own that says so.",
        )
    largest = max((float(v.max()) for v in values if len(v)), default=0.0)
    if not lit or largest >= FEW:
        return Gain(value=None)
    return Gain(
        value=None,
        warning=f"The frames are not photon counts (largest value {largest:.3g}), and steps "
        "between their values do not show how much one photon counts: photon noise in virtual "
        "frames and misfits is wrong. Use frames in counts if you can.",
    )


def find_step(values: NDArray[np.floating[Any]]) -> float | None:
    """Largest number of which positive values (n,) are whole multiples; None if there is none."""
    levels = np.unique(values).astype(np.float64)
    if len(values) < _FEWEST_VALUES or len(levels) < _FEWEST_LEVELS:
        return None
    apart = np.diff(levels, prepend=0.0)
    apart = apart[apart > _ROUNDING * levels]
    # A pixel that is not counted like the others may make the least difference smaller.
    for tried in sorted((*np.quantile(apart, (0.0, 0.05, 0.5)), levels[0]), reverse=True):
        step = _refine(float(tried), levels)
        few = values[values <= _STEPS * step].astype(np.float64) / step
        tolerance = np.maximum(_OFF, _ROUNDING * few)
        wrong = np.abs(few - np.round(few)) > tolerance
        if len(few) >= _FEWEST_VALUES and wrong.sum() <= max(1, _MOST_OFF * len(few)):
            return step
    return None


def _refine(step: float, levels: NDArray[np.float64]) -> float:
    """Fit the step to ever larger multiples, as long as rounding leaves no doubt."""
    for most in (8, 64, 512, _STEPS):
        few = levels[levels <= most * step]
        multiples = np.round(few / step)
        if multiples.any():
            step = float((few * multiples).sum() / (multiples**2).sum())
    return step


def _gain_of_integers(values: list[NDArray[Any]]) -> Gain:
    every = np.unique(np.concatenate([np.empty(0), *(v.astype(np.float64) for v in values)]))
    every = every[every < _LARGEST_WHOLE]
    if len(every) < _FEWEST_LEVELS:
        return Gain()
    step = float(np.gcd.reduce(every.astype(np.uint64)))
    return Gain(value=step, range=(step, step))


def _gain_of_steps(found: list[float]) -> Gain:
    value, least, most = float(np.median(found)), min(found), max(found)
    if abs(value - 1) < _ROUNDING:
        value = 1.0
    warning = None
    if most > VARYING * least:
        warning = (
            f"The frames are divided by different numbers, such as their own maximum: one photon "
            f"counts {least:.3g} in some and {most:.3g} in others. All are divided by "
            f"{value:.3g}; use frames in counts if you can."
        )
    return Gain(value=value, range=(least, most), warning=warning)
