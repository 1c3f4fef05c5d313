"""Writing reconstructions and results as ptychodus product files, which ptychodus opens too."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.data.patch_store import iterate_batches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Optics, Unit
from napari_ptychonn.io.layouts.builtin import builtin_layout
from napari_ptychonn.io.readers.geometry import Pair, centre_shift
from napari_ptychonn.stitching.mosaic import MosaicImage
from napari_ptychonn.stitching.uncertainty import Uncertainty

CREATOR = "napari-ptychonn"
_STAND_IN = (1, 1, 2, 2)
"""Shape of the zero probe written where none is known: ptychodus wants one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """What a ptychodus product file holds, in this program's conventions."""

    object: NDArray[np.complex64]
    pixel_size: Pair
    origin: Pair
    unit: Unit
    probe: NDArray[np.complex64] | None = None
    indices: NDArray[np.int64] | None = None
    positions: NDArray[np.float64] | None = None
    optics: Optics = field(default_factory=Optics)
    name: str = ""
    comments: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_reconstruction(cls, reconstruction: Reconstruction) -> Product:
        """What other programs can know of a reconstruction."""
        attributes: dict[str, Any] = {"algorithm": reconstruction.algorithm}
        if reconstruction.iterations is not None:
            attributes["iterations"] = reconstruction.iterations
        if reconstruction.seconds is not None:
            attributes["seconds"] = reconstruction.seconds
        return cls(
            object=reconstruction.object,
            pixel_size=reconstruction.pixel_size,
            origin=reconstruction.origin,
            unit=reconstruction.unit,
            probe=reconstruction.probe,
            indices=reconstruction.indices,
            positions=reconstruction.positions,
            optics=reconstruction.optics,
            name=reconstruction.name,
            attributes=attributes,
        )

    @classmethod
    def of_result(cls, result: Result) -> Product:
        """What other programs can know of a result: its mosaic is their object."""
        mosaic = result.mosaic
        return cls(
            object=(mosaic.amplitude * np.exp(1j * mosaic.phase)).astype(np.complex64),
            pixel_size=mosaic.pixel_size,
            origin=mosaic.origin,
            unit=result.unit,
            probe=result.probe,
            indices=result.predictions.indices,
            positions=result.positions,
            optics=result.optics,
            name=result.name,
            comments="PtychoNN mosaic; single-shot predictions in the group 'predictions'.",
            attributes={"algorithm": "PtychoNN"},
        )

    @property
    def stored_probe(self) -> NDArray[np.complex64]:
        """Probe (1, modes, py, px); zeros where none is known."""
        probe = self.probe if self.probe is not None else np.zeros(_STAND_IN, np.complex64)
        return probe.reshape(1, *probe.shape[-3:])

    @property
    def stored_object(self) -> NDArray[np.complex64]:
        """Object (ny, nx), 1 where nothing is known."""
        known = np.isfinite(self.object)
        return np.where(known, self.object, 1.0 + 0.0j).astype(np.complex64)

    @property
    def stored_indices(self) -> NDArray[np.int64]:
        """Scan points (m,); none where the positions are not known."""
        indices = self.indices if self.indices is not None else np.empty(0, np.int64)
        return indices.astype(np.int64)

    @property
    def middles(self) -> NDArray[np.float64]:
        """Positions (m, 2) of the middles, (N − 1) / 2, of the windows, as ptychodus has them."""
        positions = self.positions if self.positions is not None else np.empty((0, 2))
        window = None if self.probe is None else (self.probe.shape[-2], self.probe.shape[-1])
        return np.asarray(
            positions
            - centre_shift(builtin_layout("ptychodus product"), window)
            * np.asarray(self.pixel_size)
        )

    @property
    def centre(self) -> Pair:
        """Position (y, x) of the object's middle, (H − 1) / 2."""
        size = np.asarray(self.object.shape)
        y, x = np.asarray(self.origin) + (size - 1) / 2 * np.asarray(self.pixel_size)
        return float(y), float(x)

    def write(self, file: h5py.File) -> None:
        """Fill an empty file."""
        self._write_attributes(file)
        self._write_object(file)
        self._write_positions(file)
        stored = file.create_dataset("probe", data=self.stored_probe)
        self._write_pixel(stored)

    def _write_attributes(self, file: h5py.File) -> None:
        optics = self.optics
        energy = optics.energy_kev
        values: dict[str, Any] = {
            "name": self.name,
            "comments": self.comments,
            "creator": CREATOR,
            "unit": self.unit,
            "photon_energy_eV": 0.0 if energy is None else energy * 1e3,
            "detector_object_distance_m": optics.detector_distance or 0.0,
            "exposure_time_s": 0.0,
            "probe_photon_count": 0.0,
            "mass_attenuation_m2_kg": 0.0,
            "tomography_angle_deg": 0.0,
        }
        # ptychodus before 1.7.0 reads this name.
        values["probe_energy_eV"] = values["photon_energy_eV"]
        if optics.detector_pitch is not None:
            height, width = optics.detector_pitch
            values |= {"detector_pixel_height_m": height, "detector_pixel_width_m": width}
        file.attrs.update(values | self.attributes)

    def _write_object(self, file: h5py.File) -> None:
        stored = file.create_dataset("object", data=self.stored_object[np.newaxis])
        self._write_pixel(stored)
        stored.attrs["center_y_m"], stored.attrs["center_x_m"] = self.centre
        file.create_dataset("object_layer_spacing_m", data=np.empty(0))
        file.create_dataset("loss_values", data=np.empty(0))
        file.create_dataset("loss_epochs", data=np.empty(0, np.int64))

    def _write_pixel(self, dataset: h5py.Dataset) -> None:
        dataset.attrs["pixel_height_m"], dataset.attrs["pixel_width_m"] = self.pixel_size

    def _write_positions(self, file: h5py.File) -> None:
        file.create_dataset("probe_position_y_m", data=self.middles[:, 0])
        file.create_dataset("probe_position_x_m", data=self.middles[:, 1])
        file.create_dataset("probe_position_indexes", data=self.stored_indices)


def write_reconstruction(path: str | Path, reconstruction: Reconstruction) -> None:
    """Write an object, its probe and its positions; `read_reconstruction` gets them back.

    Parameters
    ----------
    path : str or Path
        Any name; an existing file is replaced once the new one is complete.
    reconstruction : Reconstruction
        Where its object is not finite, 1 is written.

    Raises
    ------
    InputError
        When the disk is full, the folder missing or not writable.
    """
    product = Product.of_reconstruction(reconstruction)
    size = 2 * reconstruction.object.nbytes
    with replacing(Path(path), size) as temporary, h5py.File(temporary, "w") as file:
        product.write(file)


def write_result(path: str | Path, result: Result) -> None:
    """Write predictions and their mosaic; `read_result` gets them back, and ptychodus the mosaic.

    Parameters
    ----------
    path : str or Path
        Any name; an existing file is replaced once the new one is complete.
    result : Result
        The mosaic is the product's object, with 1 where nothing was predicted.

    Raises
    ------
    InputError
        When the disk is full, the folder missing or not writable.
    """
    product, mosaic = Product.of_result(result), result.mosaic
    patches = 8 * len(result.predictions) * math.prod(result.predictions.shape)
    size = patches + 2 * mosaic.amplitude.nbytes * 7
    with replacing(Path(path), size) as temporary, h5py.File(temporary, "w") as file:
        product.write(file)
        _write_predictions(file, result)
        _write_mosaic(file, mosaic)
        if result.uncertainty is not None:
            _write_trust(file, result.uncertainty)
        # As a dataset: attributes end at 64 KiB and provenance lists frames.
        file.create_dataset("provenance", data=json.dumps(result.provenance))


def _write_predictions(file: h5py.File, result: Result) -> None:
    group, predictions = file.create_group("predictions"), result.predictions
    group.create_dataset("indexes", data=predictions.indices.astype(np.int64))
    shape = (len(predictions), *predictions.shape)
    amplitude, phase = (
        group.create_dataset(channel, shape, np.float32) for channel in ("amplitude", "phase")
    )
    for rows, batch in iterate_batches(predictions):
        amplitude[rows], phase[rows] = batch.amplitude, batch.phase
    if predictions.residual is not None:
        group.create_dataset("residual", data=predictions.residual.astype(np.float32))
    if result.held_out is not None:
        group.create_dataset("held_out", data=result.held_out.astype(np.int64))
    if result.seconds is not None:
        group.attrs["seconds"] = result.seconds


def _write_mosaic(file: h5py.File, mosaic: MosaicImage) -> None:
    group = file.create_group("mosaic")
    for channel in ("amplitude", "phase", "weight"):
        group.create_dataset(channel, data=getattr(mosaic, channel).astype(np.float32))
    group.create_dataset("spread", data=mosaic.overlap_std.astype(np.float32))
    group.attrs["pixel_size"] = mosaic.pixel_size
    group.attrs["origin"] = mosaic.origin


def _write_trust(file: h5py.File, trust: Uncertainty) -> None:
    """Add what is not among the predictions already to both groups."""
    group = file["predictions"]
    group.create_dataset("spread", data=trust.overlap_std.astype(np.float32))
    if trust.residual_limit is not None:
        group.attrs["residual_limit"] = trust.residual_limit
    if trust.residual_map is not None:
        file["mosaic"].create_dataset("residual", data=trust.residual_map.astype(np.float32))
