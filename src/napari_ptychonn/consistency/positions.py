"""Positions of the same frames from two sources: how one set is turned into the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.consistency.correction import ScanCorrection, orientation_matrix
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan

FEWEST = 8
"""Frames that both sources must have."""

APART = 0.5
"""Median distance, in steps of the scan, above which two sets of positions contradict."""

_CLOSER = 0.25
"""Ratio of distances after and before a correction from which it is offered."""


@dataclass(frozen=True, kw_only=True)
class PositionsCheck:
    """How far a scan's positions and a reconstruction's own are apart.

    Attributes
    ----------
    frames : int
        Frames that both have.
    steps_apart : float
        Median distance after the best shift, in steps of the scan.
    correction : ScanCorrection or None
        What makes them agree, if anything does.
    """

    frames: int
    steps_apart: float
    correction: ScanCorrection | None = None

    @property
    def warning(self) -> str | None:
        """One sentence if they contradict."""
        if self.steps_apart <= APART:
            return None
        apart = (
            f"The positions of the scan and those of the reconstruction are {self.steps_apart:.3g} "
            f"steps apart in {format_count(self.frames, 'frame')}"
        )
        if self.correction is None:
            return f"{apart}, and no orientation or scale makes them agree."
        return (
            f"{apart}; they agree if {self.correction.description} (--correct {self.correction})."
        )

    def numbers(self) -> dict[str, Any]:
        """Plain JSON values; the correction as the text of `--correct`."""
        return asdict(self) | {"correction": str(self.correction) if self.correction else None}


def check_positions(scan: Scan, reconstruction: Reconstruction) -> PositionsCheck | None:
    """Compare the positions of a scan with those that a reconstruction was made with.

    Parameters
    ----------
    scan : Scan
        n scan points.
    reconstruction : Reconstruction
        With positions by index.

    Returns
    -------
    PositionsCheck or None
        None where the reconstruction has no positions of its own, or for too few frames.
    """
    placed, _ = reconstruction.align_to(scan)
    if placed.indices is None or placed.positions is None:
        return None
    return compare_positions(scan.positions, placed.indices, placed.positions, scan.step)


def compare_positions(
    positions: NDArray[np.float64],
    indices: NDArray[np.int64],
    others: NDArray[np.float64],
    step: float,
) -> PositionsCheck | None:
    """Compare positions (n, 2) with others (m, 2) of the frames `indices`, in one unit."""
    joined = (indices >= 0) & (indices < len(positions))
    if joined.sum() < FEWEST or not step:
        return None
    ours, theirs = positions[indices[joined]], others[joined]
    apart = _distance(ours, theirs) / step
    frames = int(joined.sum())
    if apart <= APART:
        return PositionsCheck(frames=frames, steps_apart=apart)
    # About the middle of all positions, as the correction will be applied.
    fits = [_fit(positions, indices[joined], theirs, orientation) for orientation in range(8)]
    distance, correction = min(fits, key=lambda fit: (fit[0], fit[1].positions))
    agrees = distance / step <= max(_CLOSER * apart, 1e-6) and distance / step <= APART
    return PositionsCheck(
        frames=frames, steps_apart=apart, correction=correction if agrees else None
    )


def _fit(
    positions: NDArray[np.float64],
    rows: NDArray[np.int64],
    theirs: NDArray[np.float64],
    orientation: int,
) -> tuple[float, ScanCorrection]:
    """Fit the scale for an orientation; return the distance that is left."""
    turned = positions[rows] @ orientation_matrix(orientation).T
    spread = turned - np.median(turned, axis=0)
    wanted = theirs - np.median(theirs, axis=0)
    norm = float((spread**2).sum())
    scale = float((spread * wanted).sum()) / norm if norm else 0.0
    if scale <= 0:
        return np.inf, ScanCorrection()
    if abs(scale - 1) < _NO_SCALE:
        scale = 1.0
    correction = ScanCorrection(positions=orientation, scale=float(f"{scale:.5g}"))
    return _distance(correction.apply_to_positions(positions)[rows], theirs), correction


_NO_SCALE = 0.01


def _distance(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Median distance after the median shift."""
    apart = theirs - ours
    return float(np.median(np.hypot(*(apart - np.median(apart, axis=0)).T)))
