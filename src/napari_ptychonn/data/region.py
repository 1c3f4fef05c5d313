"""Training region: scan points for training, for validation, and held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.validation import check_options

MOST_VALIDATION = 0.99
"""Largest part of the chosen points that may validate: some must train."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """How validation points are chosen from the training region.

    Attributes
    ----------
    kind : {'blocks', 'random'}
        'blocks' takes the last points of the region, in scan order, as one block
        without neighbours among the training points.  'random' draws them anywhere, as
        in the paper; most then overlap a training point, and their loss is too low.
    fraction : float
        Part of the chosen points, 0 to 0.99; 0 validates on nothing.
    gap : float
        Training points closer than this to a validation block are left out,
        in median scan steps; not used by 'random'.
    seed : int
        Of the random draw.
    """

    kind: Literal["blocks", "random"] = "blocks"
    fraction: Annotated[float, {"min": 0.0, "max": MOST_VALIDATION}] = 0.1
    gap: Annotated[float, {"min": 0.0}] = 2.0
    seed: Annotated[int, {"min": 0}] = 0

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRegion:
    """Disjoint sets of scan points that together are the whole scan; all sorted int64.

    Attributes
    ----------
    train, validation : ndarray
        Points that the weights are fitted to, and that decide on the best epoch.
    gap : ndarray
        Chosen points left out between the two.
    held_out : ndarray
        Points outside the region, for which errors are reported.
    description : str
        'frames 0:387', 'lines 0:100', ...
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    gap: NDArray[np.int64]
    held_out: NDArray[np.int64]
    description: str

    @classmethod
    def from_indices(
        cls,
        scan: Scan,
        indices: NDArray[np.integer[Any]] | slice,
        split: Split | None = None,
        description: str | None = None,
    ) -> TrainingRegion:
        """Choose scan points by index (an array, or a slice of the scan).

        Raises
        ------
        InputError
            When an index lies outside the scan or fewer than two points are left to train on.
        """
        everything = np.arange(len(scan), dtype=np.int64)
        if isinstance(indices, slice):
            description = description or f"frames {_slice_text(indices)}"
            indices = everything[indices]
        chosen = np.unique(np.asarray(indices, dtype=np.int64))
        if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < len(scan):
            raise InputError(
                f"{scan.name} has frames 0 to {len(scan) - 1}; "
                f"the region has {chosen[0]} to {chosen[-1]}."
            )
        split = split or Split()
        validation = _validation(chosen, split)
        train = np.setdiff1d(chosen, validation)
        gap = _gap(scan, train, validation, split)
        train = np.setdiff1d(train, gap)
        if len(train) < 2:
            raise InputError(
                f"the training region of {scan.name} leaves "
                f"{format_count(len(train), 'frame')} to train on; "
                "at least 2 are needed."
            )
        return cls(
            train=train,
            validation=validation,
            gap=gap,
            held_out=np.setdiff1d(everything, chosen),
            description=description or f"{len(chosen)} chosen frames",
        )

    @classmethod
    def from_lines(
        cls, scan: Scan, start: int, stop: int, split: Split | None = None
    ) -> TrainingRegion:
        """Choose whole scan lines, `start` ≤ line < `stop` (the paper: the first 100 of 161)."""
        if scan.line is None:
            raise InputError(f"{scan.name} has no scan lines; choose frames by index or by area.")
        chosen = np.flatnonzero((scan.line >= start) & (scan.line < stop))
        return cls.from_indices(scan, chosen, split, f"lines {start}:{stop}")

    @classmethod
    def from_polygon(
        cls, scan: Scan, vertices: NDArray[np.floating[Any]], split: Split | None = None
    ) -> TrainingRegion:
        """Choose the points inside a polygon: (k, 2) corners (y, x) in the scan's unit."""
        from skimage.measure import points_in_poly

        chosen = np.flatnonzero(points_in_poly(scan.positions, np.asarray(vertices, np.float64)))
        return cls.from_indices(
            scan, chosen, split, f"{format_count(len(chosen), 'frame')} inside the drawn area"
        )

    @classmethod
    def every(cls, scan: Scan, k: int, split: Split | None = None) -> TrainingRegion:
        """Choose every `k`-th scan point in scan order."""
        if k < 1:
            raise InputError(f"every k-th point needs k of at least 1, got {k}.")
        return cls.from_indices(scan, slice(None, None, k), split, f"every {_ordinal(k)} frame")

    @property
    def counts(self) -> str:
        """Numbers of frames in each set, as one line."""
        parts = [f"{len(self.train)} train", f"{len(self.validation)} validation"]
        if len(self.gap):
            parts.append(f"{len(self.gap)} gap")
        return " · ".join([*parts, f"{len(self.held_out)} held out"])


def _validation(chosen: NDArray[np.int64], split: Split) -> NDArray[np.int64]:
    if not 0 <= split.fraction < 1:
        raise InputError(f"the validation fraction must be in [0, 1), got {split.fraction:g}.")
    if split.fraction == 0 or len(chosen) < 3:
        return chosen[:0]
    count = max(1, round(split.fraction * len(chosen)))
    if split.kind == "random":
        return np.sort(np.random.default_rng(split.seed).choice(chosen, count, replace=False))
    return chosen[-count:]


def _gap(
    scan: Scan, train: NDArray[np.int64], validation: NDArray[np.int64], split: Split
) -> NDArray[np.int64]:
    if split.kind == "random" or split.gap <= 0 or not len(validation) or not len(train):
        return train[:0]
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(scan.positions[validation]).query(scan.positions[train])
    # Positions are rounded by motors or to float32; the tolerance keeps a neighbour at
    # exactly the distance of the gap in it.
    return train[distance < split.gap * scan.step * (1 + 1e-3)]


def _ordinal(k: int) -> str:
    """'3rd' for 3."""
    suffix = "th" if k % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(k % 10, "th")
    return f"{k}{suffix}"


def _slice_text(chosen: slice) -> str:
    parts = [chosen.start, chosen.stop] + ([chosen.step] if chosen.step is not None else [])
    return ":".join("" if part is None else str(part) for part in parts)
