"""A tiny scan, and the hands that write it down the way other programs do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

LINES, POINTS, SIZE = 4, 5, 16
PIXEL = 10e-9
STEP = 30e-9
ENERGY_EV = 8800.0
DISTANCE = 1.5


@pytest.fixture
def counts() -> NDArray[np.uint16]:
    """(20, 16, 16) counts, brightest in the middle, all frames different."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    peak = 2000 * np.exp(-(y**2 + x**2) / 8)
    rng = np.random.default_rng(0)
    return rng.poisson(peak + np.arange(LINES * POINTS)[:, None, None]).astype(np.uint16)


@pytest.fixture
def raster() -> NDArray[np.float64]:
    """(20, 2) positions (y, x), m: 4 lines of 5 points, to and fro."""
    y, x = np.mgrid[:LINES, :POINTS].astype(float)
    x[1::2] = x[1::2, ::-1]
    return np.stack([y.ravel(), x.ravel()], axis=1) * STEP


@pytest.fixture
def probe() -> NDArray[np.complex64]:
    """(2, 16, 16) probe modes."""
    rng = np.random.default_rng(1)
    return (rng.normal(size=(2, SIZE, SIZE)) + 1j).astype(np.complex64)


@pytest.fixture
def image() -> NDArray[np.complex64]:
    """(31, 40) object."""
    rng = np.random.default_rng(2)
    return np.exp(1j * rng.normal(size=(31, 40))).astype(np.complex64)


Write = Callable[..., Path]


@pytest.fixture
def write_hdf5(tmp_path: Path) -> Write:
    """Write datasets, given by path, and attributes, given as 'path@name'."""

    def write(name: str, contents: dict[str, Any], **options: Any) -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, value in contents.items():
                if "@" in key:
                    owner, attribute = key.split("@")
                    file[owner or "/"].attrs[attribute] = value
                elif isinstance(value, h5py.SoftLink | h5py.ExternalLink):
                    file[key] = value
                else:
                    file.create_dataset(key, data=value, **(options if np.ndim(value) > 2 else {}))
        return path

    return write


@pytest.fixture
def write_product(
    write_hdf5: Write,
    raster: NDArray[np.float64],
    probe: NDArray[np.complex64],
    image: NDArray[np.complex64],
) -> Write:
    """Write a product as ptychodus 1.7.0 does; positions mark (N − 1) / 2."""

    def write(name: str = "product.h5", **changes: Any) -> Path:
        contents = {
            "probe_position_indexes": np.arange(len(raster)),
            "probe_position_y_m": raster[:, 0],
            "probe_position_x_m": raster[:, 1],
            "probe": probe[np.newaxis],
            "object": image[np.newaxis],
            "object_layer_spacing_m": np.empty(0),
            "loss_values": np.empty(0),
            "loss_epochs": np.empty(0, int),
            "@name": "star",
            "@comments": "",
            "@photon_energy_eV": ENERGY_EV,
            "@detector_object_distance_m": DISTANCE,
            "probe@pixel_height_m": 0.0,
            "probe@pixel_width_m": 0.0,
            "object@pixel_height_m": PIXEL,
            "object@pixel_width_m": PIXEL,
            "object@center_y_m": 45e-9,
            "object@center_x_m": 60e-9,
        }
        return write_hdf5(name, contents | changes)

    return write


@pytest.fixture
def write_cxi(write_hdf5: Write, counts: NDArray[np.uint16], raster: NDArray[np.float64]) -> Write:
    """Write a CXI file to the letter of the format, data behind a soft link."""

    def write(name: str = "scan.cxi", **changes: Any) -> Path:
        detector, geometry = "entry_1/instrument_1/detector_1", "entry_1/sample_1/geometry_1"
        xyz = np.stack([raster[:, 1], raster[:, 0], np.zeros(len(raster))], axis=1)
        wavelength = 1.986445857148928e-25 / (ENERGY_EV * 1.602176634e-19)
        contents = {
            "cxi_version": 160,
            f"{detector}/data": counts,
            f"{detector}/distance": DISTANCE,
            f"{detector}/x_pixel_size": wavelength * DISTANCE / (SIZE * PIXEL),
            f"{detector}/y_pixel_size": wavelength * DISTANCE / (SIZE * PIXEL),
            f"{geometry}/translation": xyz,
            "entry_1/instrument_1/source_1/energy": ENERGY_EV * 1.602176634e-19,
            "entry_1/data_1/data": h5py.SoftLink(f"/{detector}/data"),
        } | changes
        return write_hdf5(name, {k: v for k, v in contents.items() if v is not None})

    return write
