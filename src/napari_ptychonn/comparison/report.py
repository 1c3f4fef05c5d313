"""Report: comparison of a result with a reconstruction, to show and to write."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.aligned_images import CHANNELS, AlignedImages
from napari_ptychonn.comparison.metrics import Comparison, compare
from napari_ptychonn.comparison.profile import Line
from napari_ptychonn.comparison.speed_up import SpeedUp
from napari_ptychonn.consistency.positions import PositionsCheck, compare_positions
from napari_ptychonn.data.patch_store import select_patches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.deprecation import RenamedAttribute

Selection = Literal["held out", "frames", "all"]


def compare_result(
    result: Result, reconstruction: Reconstruction, indices: NDArray[np.int64] | None = None
) -> Comparison:
    """Compare the predictions of a result with a reconstruction of the same scan.

    Parameters
    ----------
    result : Result
        Predictions and where they lie.
    reconstruction : Reconstruction
        Of the same scan; it is aligned to the result.
    indices : ndarray of int64, optional
        (m,) scan points; by default those held out from training, else all.

    Raises
    ------
    InputError
        When the reconstruction lists none of the predicted frames, or no patch of the
        compared frames lies on the object.
    """
    predicted = result.predictions.indices
    if indices is None:
        indices, _ = _selected(result, None)
    placed, positions = result.place(reconstruction)
    rows = np.flatnonzero(np.isin(predicted, indices))
    return compare(select_patches(result.predictions, rows), positions[rows], placed)


def align_result(result: Result, reconstruction: Reconstruction) -> AlignedImages:
    """Align the mosaic of all predictions with a reconstruction of the same scan.

    Raises
    ------
    InputError
        When the reconstruction lists none of the predicted frames.
    """
    placed, positions = result.place(reconstruction)
    return AlignedImages.from_patches(result.predictions, positions, placed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """Numbers, images and times of one comparison.

    Attributes
    ----------
    comparison : Comparison
        Of the selected frames.
    selection : {'held out', 'frames', 'all'}
        The frames: held out from training, given, or all.
    full_mosaic : AlignedImages
        The mosaic of all predicted frames, for maps and profiles.
    speed : SpeedUp or None
        Where both times are known.
    reference : str
        Title of the reconstruction.
    name : str
        Of the scan.
    positions : PositionsCheck or None
        Positions of the predictions against those of the reconstruction, where it has some.
    """

    comparison: Comparison
    selection: Selection
    full_mosaic: AlignedImages
    speed: SpeedUp | None
    reference: str
    name: str
    positions: PositionsCheck | None = None

    whole = RenamedAttribute("full_mosaic")
    of = RenamedAttribute("from_result")

    @classmethod
    def from_result(
        cls,
        result: Result,
        reconstruction: Reconstruction,
        indices: NDArray[np.int64] | None = None,
    ) -> Report:
        """Compare a result with a reconstruction.

        Parameters
        ----------
        result, reconstruction, indices
            See `compare_result`.

        Raises
        ------
        InputError
            See `compare_result`.
        """
        selected, selection = _selected(result, indices)
        comparison = compare_result(result, reconstruction, selected)
        every = len(np.setdiff1d(result.predictions.indices, selected)) == 0
        alone = every and not comparison.left_out
        return cls(
            comparison=comparison,
            selection=selection,
            full_mosaic=comparison.aligned if alone else align_result(result, reconstruction),
            speed=_speed(result, reconstruction),
            reference=reconstruction.title,
            name=result.name,
            positions=_check_positions(result, reconstruction),
        )

    @property
    def line(self) -> Line:
        """Default line, through the middle of the compared pixels."""
        return self.comparison.aligned.middle_line

    def numbers(self) -> dict[str, Any]:
        """Everything but images and curves, as plain values."""
        speed = self.speed
        speed_up = None
        if speed is not None:
            speed_up = asdict(speed) | {
                "scaled_seconds": speed.scaled_seconds,
                "factor": speed.factor,
            }
        return {
            "selection": self.selection,
            "unit": self.full_mosaic.unit,
            **self.comparison.as_dict(),
            "positions": None if self.positions is None else self.positions.numbers(),
            "speed_up": speed_up,
        }

    def curves(self, line: Line | None = None) -> dict[str, Any]:
        """Fourier ring correlations and profiles along a line, as plain values or None.

        Parameters
        ----------
        line : tuple, optional
            ((y, x), (y, x)) in the scan's unit; `Report.line` by default.
        """
        pair = self.comparison.aligned
        rings = {channel: pair.rings(channel) for channel in CHANNELS}
        profiles = {c: self.full_mosaic.profile(line or self.line, c) for c in CHANNELS}
        some = profiles["phase"]
        return {
            "ring_correlation": {
                "frequency": rings["phase"].frequency.tolist(),
                "threshold": rings["phase"].threshold.tolist(),
                **{channel: _list(ring.correlation) for channel, ring in rings.items()},
            },
            "profile": {
                "line": [list(end) for end in some.line],
                "distance": some.distance.tolist(),
                **{
                    channel: {
                        "predicted": _list(profile.predicted),
                        "reconstructed": _list(profile.reference),
                    }
                    for channel, profile in profiles.items()
                },
            },
        }


def _selected(
    result: Result, indices: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], Selection]:
    """Scan points to compare, and their kind."""
    predicted = result.predictions.indices
    if indices is not None:
        return indices, "frames"
    held_out = np.empty(0, np.int64) if result.held_out is None else result.held_out
    some = np.intersect1d(held_out, predicted)
    return (some, "held out") if len(some) else (predicted, "all")


def _check_positions(result: Result, reconstruction: Reconstruction) -> PositionsCheck | None:
    placed, _ = result.place(reconstruction)
    if placed.indices is None or placed.positions is None:
        return None
    step = result.as_scan().step
    return compare_positions(result.positions, placed.indices, placed.positions, step)


def _speed(result: Result, reconstruction: Reconstruction) -> SpeedUp | None:
    """Speed-up, if both times were measured."""
    if not result.seconds or not reconstruction.seconds or not reconstruction.iterations:
        return None
    predicted = len(result.predictions)
    indices = reconstruction.indices
    return SpeedUp(
        prediction_seconds=result.seconds,
        prediction_frames=predicted,
        reconstruction_seconds=reconstruction.seconds,
        reconstruction_frames=predicted if indices is None else len(indices),
        measured_iterations=reconstruction.iterations,
        algorithm=reconstruction.algorithm.split(",")[0],
    )


def _list(values: NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
