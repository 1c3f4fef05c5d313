"""What a prediction run leaves behind, as one value that can be written and compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.core.errors import InputError
from napari_ptychonn.core.metrics import Comparison, compare
from napari_ptychonn.core.mosaic import MosaicImage
from napari_ptychonn.core.pair import AlignedPair
from napari_ptychonn.core.reconstruction import Reconstruction
from napari_ptychonn.core.scan import Optics, Scan, Unit
from napari_ptychonn.core.stored import PatchSet, chosen
from napari_ptychonn.core.trust import Trust


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Single-shot predictions and their mosaic for one scan.

    Attributes
    ----------
    predictions : Patches or LazyPatches
        For m scan points; many of them are not in memory (`LazyPatches`).
    positions : ndarray of float64
        (m, 2) where each prediction lies, (y, x), in `unit`.
    mosaic : MosaicImage
        Their overlap average.
    unit : {'m', 'pixel'}
        Unit of positions, pixel size and origin.
    probe : ndarray of complex64 or None
        (modes, py, px), the probe of the training reconstruction.
    trust : Trust or None
        How far to trust each prediction.
    held_out : ndarray of int64 or None
        Scan points that had no part in training (neither training, validation
        nor the gap between them); None when predicted with a model of another scan.
    optics : Optics
        As known from the scan.
    name : str
        Of the scan.
    provenance : dict
        Model, versions, seed: plain JSON values.
    seconds : float or None
        That predicting and stitching took, importing not counted, where known.
    """

    predictions: PatchSet
    positions: NDArray[np.float64]
    mosaic: MosaicImage
    unit: Unit = "pixel"
    probe: NDArray[np.complex64] | None = None
    trust: Trust | None = None
    held_out: NDArray[np.int64] | None = None
    optics: Optics = field(default_factory=Optics)
    name: str = "scan"
    provenance: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None

    def compare(
        self, reconstruction: Reconstruction, indices: NDArray[np.int64] | None = None
    ) -> Comparison:
        """Compare predictions with a reconstruction, placed under the result's positions.

        Parameters
        ----------
        reconstruction : Reconstruction
            Of the same scan.
        indices : ndarray of int64, optional
            (m,) scan points; by default those that were held out from
            training, and all where none were.

        Raises
        ------
        InputError
            When the reconstruction lists none of the predicted frames, or none
            of the frames to compare has its patch on the object.
        """
        predicted = self.predictions.indices
        if indices is None:
            indices = predicted if self.held_out is None else self.held_out
            indices = indices if np.isin(indices, predicted).any() else predicted
        placed, where = self._under(reconstruction)
        rows = np.flatnonzero(np.isin(predicted, indices))
        return compare(chosen(self.predictions, rows), where[rows], placed)

    def pair(self, reconstruction: Reconstruction) -> AlignedPair:
        """Align the mosaic of all predictions with a reconstruction.

        Raises
        ------
        InputError
            When the reconstruction lists none of the predicted frames.
        """
        placed, where = self._under(reconstruction)
        return AlignedPair.of(self.predictions, where, placed)

    def starting_point(self) -> Reconstruction:
        """The mosaic as the object that an iterative reconstruction starts from.

        Returns
        -------
        Reconstruction
            Object with 1+0j where nothing was predicted, probe and positions on
            its one grid: `Reconstruction.pixel_index` gives the (row, column) of
            each predicted frame.
        """
        known = np.isfinite(self.mosaic.phase)
        values = self.mosaic.amplitude * np.exp(1j * self.mosaic.phase)
        return Reconstruction(
            object=np.where(known, values, 1.0).astype(np.complex64),
            pixel_size=self.mosaic.pixel_size,
            origin=self.mosaic.origin,
            unit=self.unit,
            probe=self.probe,
            indices=self.predictions.indices,
            positions=self.positions,
            algorithm="PtychoNN",
            name=f"PtychoNN of {self.name}",
        )

    def _under(self, reconstruction: Reconstruction) -> tuple[Reconstruction, NDArray[np.float64]]:
        """Place a reconstruction: the object, and where each predicted frame lies."""
        listed = _renumbered(reconstruction, self.predictions.indices)
        return listed.under(self._as_scan())

    def _as_scan(self) -> Scan:
        """What placing needs of a scan: the positions of the predicted frames."""
        return Scan(
            frames=np.broadcast_to(np.uint8(0), (len(self.predictions), 1, 1)),
            positions=self.positions,
            unit=self.unit,
            pixel_size=self.mosaic.pixel_size,
            name=f"the result of {self.name}",
        )


def _renumbered(reconstruction: Reconstruction, predicted: NDArray[np.int64]) -> Reconstruction:
    """Let a reconstruction list rows of the result instead of scan points."""
    if reconstruction.indices is None or reconstruction.positions is None:
        return reconstruction
    _, rows, own = np.intersect1d(predicted, reconstruction.indices, return_indices=True)
    if not len(rows):
        raise InputError(
            f"{reconstruction.name} was made from other frames than those of the result, "
            "so nothing says where its object lies under them."
        )
    return replace(
        reconstruction, indices=rows.astype(np.int64), positions=reconstruction.positions[own]
    )
