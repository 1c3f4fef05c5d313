"""Write object, probe and positions in the formats of other programs, by extension.

ptychodus reads `.cxi`, `.npz` (and the product of `product.py`); CXI programs
and NeXus browsers `.cxi` and `.nxs`; ptypy's tools `.ptyr`; every image
program `.tiff`.  `read_reconstruction` gets all of them back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.data.scan import ELECTRONVOLT
from napari_ptychonn.io.writers.product import CREATOR, Product

Write = Callable[[Path, Product], list[Path]]

_CXI_VERSION = 160
_ENTRY = "entry_1"
_STORAGE = "S00G00"
_MICRO = 1e-6


def write_cxi(path: Path, product: Product) -> list[Path]:
    """Write a CXI file as ptychodus 1.7.0 does."""
    with replacing(path, 4 * product.object.nbytes) as temporary, _new(temporary) as file:
        _write_entry(file, product)
        source = file[_ENTRY].require_group("instrument_1/source_1")
        energy = product.optics.energy_kev
        if energy is not None:
            source["energy"] = energy * 1e3 * ELECTRONVOLT
            source["wavelength"] = product.optics.wavelength
        source["illumination"] = h5py.SoftLink(f"/{_ENTRY}/image_1/data")
    return [path]


def write_nexus(path: Path, product: Product) -> list[Path]:
    """Write a NeXus file in the manner of NXcxi_ptycho: CXI with classes, units and a beam.

    It has everything of the definition but the frames, which a result does not hold.
    """
    with replacing(path, 4 * product.object.nbytes) as temporary, _new(temporary) as file:
        _write_entry(file, product)
        entry = file[_ENTRY]
        entry["definition"] = "NXptycho"
        entry.require_group("instrument_1/source_1")["probe"] = "x-ray"
        beam = entry.create_group("instrument_1/beam_1")
        # source_1/energy would be that of the storage ring.
        if (energy := product.optics.energy_kev) is not None:
            _with_units(beam, "energy", energy * 1e3, "eV")
            _with_units(beam, "incident_beam_energy", energy * 1e3, "eV")
        translation = f"/{_ENTRY}/sample_1/geometry_1/translation"
        for group in ("instrument_1/detector_1",):
            entry[group]["translation"] = h5py.SoftLink(translation)
        data = entry.create_group("data")
        for column, axis in enumerate("xy"):
            _with_units(data, axis, entry["sample_1/geometry_1/translation"][:, column], "m")
        classes = {
            "": "NXentry",
            "instrument_1": "NXinstrument",
            "instrument_1/source_1": "NXsource",
            "instrument_1/beam_1": "NXbeam",
            "instrument_1/detector_1": "NXdetector",
            "sample_1": "NXsample",
            "sample_1/geometry_1": "NXcollection",
            "data_1": "NXcollection",
            "data": "NXdata",
            "process_1": "NXprocess",
            "image_1": "NXdata",
            "image_2": "NXdata",
        }
        for name, kind in classes.items():
            entry[name or "."].attrs["NX_class"] = kind
        for name in ("image_1", "image_2"):
            entry[name].attrs["signal"] = "data"
        entry.attrs["default"] = "image_2"
        file.attrs["default"] = _ENTRY
    return [path]


def write_ptyr(path: Path, product: Product) -> list[Path]:
    """Write object, probe and positions where ptypy's `save_run` puts them."""
    with replacing(path, 4 * product.object.nbytes) as temporary, _new(temporary) as file:
        file["header/kind"] = "minimal"
        file["header/description"] = "Ptypy .h5 compatible storage format"
        content = file.create_group("content")
        content["unit"] = product.unit
        pixel = np.asarray(product.pixel_size)
        origin = np.asarray(product.origin)
        for kind, layers, first in (
            ("obj", product.stored_object[np.newaxis], origin),
            ("probe", product.stored_probe[0], _first(product.stored_probe.shape, pixel)),
        ):
            storage = content.create_group(f"{kind}/{_STORAGE}")
            storage["data"] = layers
            storage["shape"] = layers.shape
            storage["_psize"] = pixel
            storage["_origin"] = first
            storage["_center"] = -first / pixel
            if (energy := product.optics.energy_kev) is not None:
                storage["_energy"] = energy
        positions = product.positions if product.positions is not None else np.empty((0, 2))
        content[f"positions/{_STORAGE}"] = positions
        content["indices"] = product.stored_indices
        content["pars/scans/scan_00/name"] = product.name
        content["runtime/creator"] = CREATOR
    return [path]


def write_npz(path: Path, product: Product) -> list[Path]:
    """Write a NumPy archive that ptychodus reads as a product."""
    height, width = product.pixel_size
    y, x = product.centre
    optics = product.optics
    values: dict[str, Any] = {
        "name": product.name,
        "comments": product.comments,
        "creator": CREATOR,
        "unit": product.unit,
        "photon_energy_eV": 0.0 if optics.energy_kev is None else optics.energy_kev * 1e3,
        "detector_object_distance_m": optics.detector_distance or 0.0,
        "probe": product.stored_probe,
        "probe_pixel_height_m": height,
        "probe_pixel_width_m": width,
        "probe_position_indexes": product.stored_indices,
        "probe_position_y_m": product.middles[:, 0],
        "probe_position_x_m": product.middles[:, 1],
        "object": product.stored_object[np.newaxis],
        "object_pixel_height_m": height,
        "object_pixel_width_m": width,
        "object_center_y_m": y,
        "object_center_x_m": x,
        "object_layer_spacing_m": np.empty(0),
        "loss_values": np.empty(0),
        "loss_epochs": np.empty(0, np.int64),
    } | {k: v for k, v in product.attributes.items() if k == "algorithm"}
    with replacing(path, 2 * product.object.nbytes) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **values)
    return [path]


def write_images(path: Path, product: Product) -> list[Path]:
    """Write amplitude and phase as two images, with the pixel size in them and NaN where unknown.

    'star.tiff' becomes 'star_amplitude.tiff' and 'star_phase.tiff'.
    """
    import tifffile

    height, width = product.pixel_size
    y, x = product.origin
    known = product.unit == "m"
    calibrated: dict[str, Any] = {}
    metadata: dict[str, Any] = {"axes": "YX"}
    if known:
        calibrated["resolution"] = (_MICRO / width, _MICRO / height)
        metadata |= {"unit": "um", "Info": f"origin_y_m={y!r}\norigin_x_m={x!r}"}
    written = []
    images = {"amplitude": np.abs(product.object), "phase": np.angle(product.object)}
    for name, image in images.items():
        target = path.with_name(f"{path.stem}_{name}{path.suffix}")
        with replacing(target, 2 * image.nbytes) as temporary:
            tifffile.imwrite(
                temporary, image.astype(np.float32), imagej=True, metadata=metadata, **calibrated
            )
        written.append(target)
    return written


EXCHANGE: dict[str, Write] = {
    ".cxi": write_cxi,
    ".nxs": write_nexus,
    ".ptyr": write_ptyr,
    ".npz": write_npz,
    ".tif": write_images,
    ".tiff": write_images,
}
"""Writers by extension; whatever else a file is called, it is a ptychodus product."""


def _new(path: Path) -> h5py.File:
    return h5py.File(path, "w")


def _first(shape: tuple[int, ...], pixel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Position of a window's first pixel where its element N // 2 is at 0."""
    return -(np.asarray(shape[-2:]) // 2) * pixel


def _with_units(group: h5py.Group, name: str, value: Any, units: str) -> None:
    group[name] = value
    group[name].attrs["units"] = units


def _write_entry(file: h5py.File, product: Product) -> None:
    """Write what CXI and NeXus have in common."""
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    file["cxi_version"] = _CXI_VERSION
    entry = file.create_group(_ENTRY)
    entry["start_time"] = now
    entry["title"] = product.name
    entry["experiment_description"] = product.comments
    entry["sample_1/name"] = product.name
    xyz = np.zeros((len(product.middles), 3))
    xyz[:, :2] = product.middles[:, ::-1]
    _with_units(entry.require_group("sample_1/geometry_1"), "translation", xyz, "m")
    translation = f"/{_ENTRY}/sample_1/geometry_1/translation"
    entry.create_group("data_1")["translation"] = h5py.SoftLink(translation)
    _write_detector(entry.create_group("instrument_1/detector_1"), product)
    height, width = product.pixel_size
    for name, values, axes in (
        ("image_1", product.stored_probe, "coherent:incoherent:y:x"),
        ("image_2", product.stored_object[np.newaxis], "layer:y:x"),
    ):
        image = entry.create_group(name)
        image["data"] = values
        image["data"].attrs["axes"] = axes
        image["data_type"] = "amplitude" if name == "image_1" else "electron density"
        image["data_space"] = "real"
        image["image_size"] = [width * values.shape[-1], height * values.shape[-2], 0.0]
    process = {"program": CREATOR, "date": now} | product.attributes
    for name, value in process.items():
        entry[f"process_1/{name}"] = value
    y, x = product.centre
    extras = {
        "unit": product.unit,
        "probe_position_indexes": product.stored_indices,
        "probe_pixel_height_m": height,
        "probe_pixel_width_m": width,
        "object_pixel_height_m": height,
        "object_pixel_width_m": width,
        "object_center_y_m": y,
        "object_center_x_m": x,
    }
    for name, value in extras.items():
        entry[f"ptychodus/{name}"] = value


def _write_detector(detector: h5py.Group, product: Product) -> None:
    optics = product.optics
    if optics.detector_distance is not None:
        _with_units(detector, "distance", optics.detector_distance, "m")
    if optics.detector_pitch is not None:
        height, width = optics.detector_pitch
        _with_units(detector, "y_pixel_size", height, "m")
        _with_units(detector, "x_pixel_size", width, "m")
