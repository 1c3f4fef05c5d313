"""Which frame belongs to which position."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError

_FEWEST = 10
_TAIL = 0.05
_FAR = 4.0
"""Distance from the middle, relative to the span of nearly all positions, of outlying ones."""

_LEAST_COMMON = 0.5
"""Without numbers to join by, lists that differ by more than this are not of one scan."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameMatching:
    """Pairs of a frame and a position.

    Attributes
    ----------
    frames, positions : ndarray of int64
        (n,) rows in the file of each pair's frame and position.
    numbers : ndarray of int64
        (n,) the file's own number of each pair; increasing.
    notes, warnings : tuple of str
        How many of which were left out, and why.
    """

    frames: NDArray[np.int64]
    positions: NDArray[np.int64]
    numbers: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.numbers)

    def points_of(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Convert the file's frame numbers to scan points, and mark those that are in the scan."""
        place = np.searchsorted(self.numbers, numbers)
        place = np.minimum(place, max(len(self) - 1, 0))
        known = np.isin(numbers, self.numbers)
        return place.astype(np.int64), known


def match_frames(
    what: str,
    frames: int,
    positions: NDArray[np.float64],
    frame_numbers: NDArray[np.int64] | None = None,
    position_numbers: NDArray[np.int64] | None = None,
) -> FrameMatching:
    """Pair frames and positions: by number where the file has numbers, else in order.

    Parameters
    ----------
    what : str
        The file, for messages.
    frames : int
        How many frames there are.
    positions : ndarray of float64
        (m, 2); where not finite, or far from all others, the frame is left out.
    frame_numbers, position_numbers : ndarray of int64, optional
        Their numbers in the file; counted from 0 where one of the two is missing.
    """
    if frame_numbers is None and position_numbers is None:
        joined = _in_order(what, frames, len(positions))
    else:
        joined = _by_number(
            what,
            _numbers_or_count(what, "frames", frame_numbers, frames),
            _numbers_or_count(what, "positions", position_numbers, len(positions)),
        )
    return _without_outlying(_finite(what, joined, positions), positions)


def _numbers_or_count(
    what: str, whose: str, numbers: NDArray[np.int64] | None, count: int
) -> NDArray[np.int64]:
    if numbers is None:
        return np.arange(count, dtype=np.int64)
    if len(numbers) != count:
        raise InputError(
            f"{what}: expected {count} numbers for {count} {whose}, got {len(numbers)}."
        )
    return numbers


def _in_order(what: str, frames: int, positions: int) -> FrameMatching:
    n = min(frames, positions)
    notes: tuple[str, ...] = ()
    if frames != positions:
        if n < _LEAST_COMMON * max(frames, positions):
            raise InputError(
                f"{what}: {format_count(frames, 'frame')} and "
                f"{format_count(positions, 'position')}, and nothing in the file shows "
                "which belong together."
            )
        more = "frame" if frames > n else "position"
        left = format_count(max(frames, positions) - n, more, "were")
        notes = (
            f"{format_count(frames, 'frame')} and {format_count(positions, 'position')} "
            "without numbers to match them by: the "
            f"first {n} of each were taken, the last {left} left out.",
        )
    rows = np.arange(n, dtype=np.int64)
    return FrameMatching(frames=rows, positions=rows, numbers=rows, notes=notes)


def _by_number(what: str, frames: NDArray[np.int64], positions: NDArray[np.int64]) -> FrameMatching:
    numbers, of_frames, of_positions = np.intersect1d(frames, positions, return_indices=True)
    if not len(numbers):
        raise InputError(
            f"{what}: none of the {format_count(len(positions), 'position')} has the number of "
            "one of the "
            f"{format_count(len(frames), 'frame')}."
        )
    notes = []
    for name, all_of_them in (("frames", frames), ("positions", positions)):
        unique = len(np.unique(all_of_them))
        if left := unique - len(numbers):
            other = "position" if name == "frames" else "frame"
            notes.append(
                f"{left} of {len(all_of_them)} {name} have no {other} with their number and were "
                "left out."
            )
        if twice := len(all_of_them) - unique:
            notes.append(f"{twice} {name} repeat the number of an earlier one and were left out.")
    return FrameMatching(
        frames=of_frames.astype(np.int64),
        positions=of_positions.astype(np.int64),
        numbers=numbers.astype(np.int64),
        notes=tuple(notes),
    )


def _finite(what: str, joined: FrameMatching, positions: NDArray[np.float64]) -> FrameMatching:
    good = np.asarray(np.isfinite(positions[joined.positions]).all(axis=1), dtype=bool)
    if good.all():
        return joined
    bad = int((~good).sum())
    if not good.any():
        raise InputError(f"{what}: none of the {format_count(bad, 'position')} is a finite number.")
    return FrameMatching(
        frames=joined.frames[good],
        positions=joined.positions[good],
        numbers=joined.numbers[good],
        notes=(
            *joined.notes,
            f"{bad} of {format_count(len(good), 'position', 'are')} not finite; left out with "
            "their frames.",
        ),
    )


def _without_outlying(joined: FrameMatching, positions: NDArray[np.float64]) -> FrameMatching:
    """Leave out what is far from the rest: parking positions, and rows of zeros at the end."""
    values = positions[joined.positions]
    if len(values) < _FEWEST:
        return joined
    middle = np.median(values, axis=0)
    low, high = np.quantile(values, (_TAIL, 1 - _TAIL), axis=0)
    span = float((high - low).max())
    away = np.hypot(*(values - middle).T)
    far = (away > _FAR * span) | _zeros_at_the_end(values)
    if not far.any() or not span:
        return joined
    first = int(np.flatnonzero(far)[0])
    y, x = values[first]
    return replace(
        joined,
        frames=joined.frames[~far],
        positions=joined.positions[~far],
        numbers=joined.numbers[~far],
        warnings=(
            *joined.warnings,
            f"{format_count(int(far.sum()), 'position', 'lie')} far from all others, which span "
            f"{span:.3g}, or are zeros at the end, and were left out with their frames; the "
            f"first, ({y:.4g}, {x:.4g}) of frame {joined.frames[first]}, is {away[first]:.3g} from "
            "the middle.",
        ),
    )


def _zeros_at_the_end(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Last rows that are all (0, 0), as of points that were planned but not measured."""
    measured = np.flatnonzero(values.any(axis=1))
    end = np.zeros(len(values), bool)
    last = measured[-1] + 1 if len(measured) else len(values)
    if len(values) - last > 1:
        end[last:] = True
    return end
