"""Result of a prediction, which can be written and compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.patch_store import PatchSet
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Optics, Scan, Unit
from napari_ptychonn.deprecation import RenamedAttribute, warn_renamed
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.stitching.mosaic import MosaicImage
    from napari_ptychonn.stitching.uncertainty import Uncertainty


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Single-shot predictions and their mosaic for one scan.

    Attributes
    ----------
    predictions : Patches or LazyPatches
        Of m scan points; `LazyPatches` are not in memory.
    positions : ndarray of float64
        (m, 2) of the predictions, (y, x), in `unit`.
    mosaic : MosaicImage
        Their overlap average.
    unit : {'m', 'pixel'}
        Unit of positions, pixel size and origin.
    probe : ndarray of complex64 or None
        (modes, py, px), the probe of the training reconstruction.
    uncertainty : Uncertainty or None
        Of each prediction.
    held_out : ndarray of int64 or None
        Scan points not used in training (neither training, validation nor the gap
        between them); None for a model of another scan.
    optics : Optics
        Of the scan.
    warnings : tuple of str
        What is doubtful about it, one sentence each; not written to files.
    name : str
        Of the scan.
    provenance : dict
        Model, versions, seed: plain JSON values.
    seconds : float or None
        Time of predicting and stitching without imports, where known.
    """

    predictions: PatchSet
    positions: NDArray[np.float64]
    mosaic: MosaicImage
    unit: Unit = "pixel"
    probe: NDArray[np.complex64] | None = None
    uncertainty: Uncertainty | None = None
    held_out: NDArray[np.int64] | None = None
    optics: Optics = field(default_factory=Optics)
    warnings: tuple[str, ...] = ()
    name: str = "scan"
    provenance: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None

    trust = RenamedAttribute("uncertainty")

    def starting_point(self) -> Reconstruction:
        """Return the mosaic as the start of an iterative reconstruction.

        Returns
        -------
        Reconstruction
            Object with 1+0j where nothing was predicted, probe, and positions of the
            predicted frames.
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
            optics=self.optics,
            algorithm="PtychoNN",
            name=f"PtychoNN of {self.name}",
        )

    def place(self, reconstruction: Reconstruction) -> tuple[Reconstruction, NDArray[np.float64]]:
        """Align a reconstruction of the same scan to the predicted frames.

        Parameters
        ----------
        reconstruction : Reconstruction
            Of the same scan.

        Returns
        -------
        placed : Reconstruction
            With its origin in this result's coordinates.
        positions : ndarray of float64
            (m, 2) of each predicted frame, (y, x), in `unit`.

        Raises
        ------
        InputError
            When the reconstruction lists none of the predicted frames.
        """
        listed = _renumbered(reconstruction, self.predictions.indices)
        return listed.align_to(self.as_scan())

    def compare(self, *arguments: Any) -> Any:
        """Deprecated: see `comparison.report.compare_result`."""
        warn_renamed("Result.compare", "napari_ptychonn.comparison.report.compare_result")
        return _report().compare_result(self, *arguments)

    def pair(self, reconstruction: Reconstruction) -> Any:
        """Deprecated: see `comparison.report.align_result`."""
        warn_renamed("Result.pair", "napari_ptychonn.comparison.report.align_result")
        return _report().align_result(self, reconstruction)

    def as_scan(self) -> Scan:
        """Scan with the positions of the predicted frames, and without their counts."""
        return Scan(
            frames=np.broadcast_to(np.uint8(0), (len(self.predictions), 1, 1)),
            positions=self.positions,
            unit=self.unit,
            pixel_size=self.mosaic.pixel_size,
            name=f"the result of {self.name}",
        )


def _report() -> Any:
    # By name, for the layers forbid the import; it goes with the deprecated methods.
    return import_module("napari_ptychonn.comparison.report")


def _renumbered(reconstruction: Reconstruction, predicted: NDArray[np.int64]) -> Reconstruction:
    """Number the frames of a reconstruction by rows of the result."""
    if reconstruction.indices is None or reconstruction.positions is None:
        return reconstruction
    _, rows, own = np.intersect1d(predicted, reconstruction.indices, return_indices=True)
    if not len(rows):
        raise InputError(
            f"{reconstruction.name} has no frame in common with the result, so that its object "
            "cannot be aligned to it."
        )
    return replace(
        reconstruction, indices=rows.astype(np.int64), positions=reconstruction.positions[own]
    )
