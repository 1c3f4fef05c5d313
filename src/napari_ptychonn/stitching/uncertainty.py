"""Uncertainty of each prediction, found without a reconstruction to compare it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.patch_store import PatchSet
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.optics.illumination import convolve_centred
from napari_ptychonn.stitching.mosaic import MosaicImage


@dataclass(frozen=True, kw_only=True, eq=False)
class Uncertainty:
    """Disagreement of each prediction with its neighbours and with its own frame.

    Attributes
    ----------
    indices : ndarray of int64
        (m,) scan points.
    overlap_std : ndarray of float32
        (m,) circular standard deviation of the phase of overlapping predictions under
        each patch, rad, weighted by illumination.
    diffraction_residual : ndarray of float32 or None
        (m,) diffraction residual, in units of photon noise; None without a probe.
    residual_map : ndarray of float32 or None
        (ny, nx) on the mosaic's grid: weighted average of the residuals of overlapping
        predictions, NaN where there are none.
    residual_limit : float or None
        Residual threshold above which a prediction is flagged.
    """

    indices: NDArray[np.int64]
    overlap_std: NDArray[np.float32]
    diffraction_residual: NDArray[np.float32] | None = None
    residual_map: NDArray[np.float32] | None = None
    residual_limit: float | None = None

    spread = RenamedAttribute("overlap_std")
    residual = RenamedAttribute("diffraction_residual")
    limit = RenamedAttribute("residual_limit")
    doubt = RenamedAttribute("score")
    of = RenamedAttribute("from_predictions")

    @classmethod
    def from_predictions(
        cls,
        predictions: PatchSet,
        positions: NDArray[np.float64],
        mosaic: MosaicImage,
        weight: NDArray[np.float32],
        residual_limit: float | None = None,
    ) -> Uncertainty:
        """Measure how far predictions disagree with each other and with their own frames.

        Parameters
        ----------
        predictions : Patches or LazyPatches
            m patches (py, px); only their residuals are used.
        positions : ndarray of float64
            (m, 2) of their centres, in the mosaic's unit.
        mosaic : MosaicImage
            Of these predictions.
        weight : ndarray of float32
            (py, px) weight of a patch's pixels.
        residual_limit : float, optional
            `TrainedModel.residual_limit`.
        """
        residual = predictions.residual
        return cls(
            indices=predictions.indices,
            overlap_std=_average_under_patches(mosaic, positions, weight),
            diffraction_residual=residual,
            residual_map=(
                None
                if residual is None
                else _average_on_mosaic(residual, positions, mosaic, weight)
            ),
            residual_limit=residual_limit,
        )

    @property
    def score(self) -> NDArray[np.float32]:
        """(m,) geometric mean of overlap_std and diffraction_residual, to rank predictions by."""
        if self.diffraction_residual is None:
            return self.overlap_std
        return np.asarray(np.sqrt(self.overlap_std * self.diffraction_residual))

    @property
    def disagreeing(self) -> NDArray[np.int64]:
        """Scan points whose prediction disagrees with its own diffraction frame."""
        if self.diffraction_residual is None or self.residual_limit is None:
            return self.indices[:0]
        return self.indices[self.diffraction_residual > self.residual_limit]

    @property
    def sentence(self) -> str:
        """One line for a person."""
        if self.diffraction_residual is None or self.residual_limit is None:
            return "Uncertainty: no probe, so predictions are not compared with their diffraction."
        count, total = len(self.disagreeing), len(self.indices)
        if not count:
            return (
                f"Uncertainty: all {format_count(total, 'prediction', 'agree')} with their "
                "own diffraction."
            )
        disagree = (
            f"{count} of {format_count(total, 'prediction', 'disagree')} with their own diffraction"
        )
        if count > total / 2:
            return f"Uncertainty: {disagree}: the model does not explain this scan."
        return f"Uncertainty: {disagree}."


def _average_on_mosaic(
    residual: NDArray[np.float32],
    positions: NDArray[np.float64],
    mosaic: MosaicImage,
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Weighted average of the residuals on the mosaic's grid."""
    finite = np.isfinite(residual)
    centres = _index(positions[finite], mosaic)
    value, count = (
        convolve_centred(points, weight)
        for points in (
            _impulses(centres, residual[finite], mosaic.weight.shape),
            _impulses(centres, np.ones(len(centres)), mosaic.weight.shape),
        )
    )
    covered = np.isfinite(mosaic.weight) & (count > 1e-6 * weight.max())
    return np.where(covered, value / np.where(covered, count, 1.0), np.nan).astype(np.float32)


def _index(positions: NDArray[np.float64], mosaic: MosaicImage) -> NDArray[np.float64]:
    """Pixel of the mosaic (row, column) of each position: (m, 2)."""
    return np.asarray((positions - np.asarray(mosaic.origin)) / np.asarray(mosaic.pixel_size))


def _impulses(
    centres: NDArray[np.float64], values: NDArray[np.floating[Any]], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Image of values at fractional pixels, distributed linearly to the four around each."""
    below = np.floor(centres).astype(np.int64)
    f, g = (centres - below).T
    image = np.zeros(shape)
    for down, right, share in (
        (0, 0, (1 - f) * (1 - g)),
        (0, 1, (1 - f) * g),
        (1, 0, f * (1 - g)),
        (1, 1, f * g),
    ):
        rows, columns = np.minimum(
            (below + np.asarray([down, right])).T, np.asarray(shape)[:, None] - 1
        )
        np.add.at(image, (rows, columns), share * values)
    return image


def _average_under_patches(
    mosaic: MosaicImage, positions: NDArray[np.float64], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Weighted mean of the mosaic's overlap_std under each patch, at whole pixels."""
    rows, columns = np.round(_index(positions, mosaic)).astype(np.int64).T
    known = np.isfinite(mosaic.overlap_std)
    py, px = weight.shape
    flipped, centre = weight[::-1, ::-1], (py - 1 - py // 2, px - 1 - px // 2)
    sums = [
        convolve_centred(values, flipped, centre)[rows, columns]
        for values in (np.where(known, mosaic.overlap_std, 0.0), known.astype(np.float64))
    ]
    return np.asarray(sums[0] / np.maximum(sums[1], 1e-12), np.float32)
