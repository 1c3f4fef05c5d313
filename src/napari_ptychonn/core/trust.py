"""How far to trust each prediction, found without any reconstruction to compare it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.core.mosaic import Mosaic, MosaicImage
from napari_ptychonn.core.patches import Patches
from napari_ptychonn.core.stored import TOGETHER, PatchSet


@dataclass(frozen=True, kw_only=True, eq=False)
class Trust:
    """Two views of each prediction, and their combination.

    Attributes
    ----------
    indices : ndarray of int64
        (m,) scan points.
    spread : ndarray of float32
        (m,) how much overlapping predictions disagree under each patch:
        circular standard deviation of the phase, rad, weighted as the beam lit it.
    residual : ndarray of float32 or None
        (m,) diffraction residual, 1 being photon noise; None without a beam.
    residual_map : ndarray of float32 or None
        (ny, nx) on the mosaic's grid: weighted average of the residuals of the
        predictions that overlap there, NaN where there are none.
    limit : float or None
        Largest residual that is no sign of trouble.
    """

    indices: NDArray[np.int64]
    spread: NDArray[np.float32]
    residual: NDArray[np.float32] | None = None
    residual_map: NDArray[np.float32] | None = None
    limit: float | None = None

    @classmethod
    def of(
        cls,
        predictions: PatchSet,
        positions: NDArray[np.float64],
        mosaic: MosaicImage,
        weight: NDArray[np.float32],
        limit: float | None = None,
    ) -> Trust:
        """Judge predictions by their mosaic and by their own frames.

        Parameters
        ----------
        predictions : Patches or LazyPatches
            m patches (py, px), of which only the residuals are looked at.
        positions : ndarray of float64
            (m, 2) where they lie, in the mosaic's unit.
        mosaic : MosaicImage
            Made of them.
        weight : ndarray of float32
            (py, px) weight of a patch's pixels.
        limit : float, optional
            `TrainedModel.residual_limit`.
        """
        residual = predictions.residual
        return cls(
            indices=predictions.indices,
            spread=_under_patches(mosaic, positions, weight),
            residual=residual,
            residual_map=(
                None
                if residual is None
                else _map(predictions.indices, residual, positions, mosaic, weight)
            ),
            limit=limit,
        )

    @property
    def doubt(self) -> NDArray[np.float32]:
        """(m,) rank of distrust: geometric mean of spread and residual, in no unit."""
        if self.residual is None:
            return self.spread
        return np.asarray(np.sqrt(self.spread * self.residual))

    @property
    def disagreeing(self) -> NDArray[np.int64]:
        """Scan points whose prediction disagrees with its own diffraction frame."""
        if self.residual is None or self.limit is None:
            return self.indices[:0]
        return self.indices[self.residual > self.limit]

    @property
    def sentence(self) -> str:
        """One line for a person."""
        if self.residual is None or self.limit is None:
            return "Trust: no probe, so predictions cannot be held against their diffraction."
        count, total = len(self.disagreeing), len(self.indices)
        if not count:
            return f"Trust: predictions at all {total} points agree with their own diffraction."
        return (
            f"Trust: predictions at {count} of {total} points disagree with their own diffraction."
        )


def _map(
    indices: NDArray[np.int64],
    residual: NDArray[np.float32],
    positions: NDArray[np.float64],
    mosaic: MosaicImage,
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Spread the residuals over the mosaic's grid, as if they were amplitudes."""
    painted = Mosaic(mosaic.weight.shape, mosaic.origin, mosaic.pixel_size, weight)
    for start in range(0, len(indices), TOGETHER):
        rows = slice(start, start + TOGETHER)
        zeros = np.zeros((len(indices[rows]), *weight.shape), np.float32)
        constant = zeros + residual[rows, None, None]
        painted.add(
            Patches(indices=indices[rows], amplitude=constant, phase=zeros), positions[rows]
        )
    return painted.image().amplitude


def _under_patches(
    mosaic: MosaicImage, positions: NDArray[np.float64], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Weighted mean of the mosaic's spread under each patch, at whole pixels."""
    index = (positions - np.asarray(mosaic.origin)) / np.asarray(mosaic.pixel_size)
    rows, columns = np.round(index).astype(np.int64).T
    known = np.isfinite(mosaic.spread)
    sums = [
        _correlated(values, weight)[rows, columns]
        for values in (np.where(known, mosaic.spread, 0.0), known.astype(np.float64))
    ]
    return np.asarray(sums[0] / np.maximum(sums[1], 1e-12), np.float32)


def _correlated(image: NDArray[np.floating[Any]], weight: NDArray[np.float32]) -> NDArray[Any]:
    """Sum of the image times the weight, for the weight's centre on each pixel of the image."""
    from scipy.signal import fftconvolve

    py, px = weight.shape
    whole = fftconvolve(image, weight[::-1, ::-1].astype(np.float64), mode="full")
    ny, nx = image.shape
    top, left = py - 1 - py // 2, px - 1 - px // 2
    return np.asarray(whole[top : top + ny, left : left + nx])
