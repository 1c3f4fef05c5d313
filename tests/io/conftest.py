"""A tiny scan, and the hands that write it down the way other programs do."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan

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


@dataclass(frozen=True)
class Known:
    """A scan that explains itself: `frames` are the far field of probe times object.

    `corners` are where windows begin, `positions` their elements N // 2, both
    in object pixels; `metres` are the positions from the object's first pixel.
    """

    image: NDArray[np.complex64]
    probe: NDArray[np.complex64]
    corners: NDArray[np.int64]
    frames: NDArray[np.uint16]
    pixel: float
    energy_ev: float
    wavelength: float
    distance: float
    pitch: float

    @property
    def positions(self) -> NDArray[np.float64]:
        return self.corners + self.probe.shape[-1] // 2.0

    @property
    def metres(self) -> NDArray[np.float64]:
        return self.positions * self.pixel


@cache
def _known() -> Known:
    made = runpy.run_path(str(Path(__file__).parents[1] / "fixtures" / "write_peers.py"))
    image, probe = made["images"]()
    corners = made["corners"]()
    return Known(
        image=image,
        probe=probe,
        corners=corners,
        frames=made["far_field"](image, probe, corners),
        pixel=made["PIXEL"],
        energy_ev=made["ENERGY_EV"],
        wavelength=made["WAVELENGTH"],
        distance=made["DISTANCE"],
        pitch=made["PITCH"],
    )


@pytest.fixture
def known() -> Known:
    """20 frames of 16 x 16 of an object without symmetry, at irregular places."""
    return _known()


@pytest.fixture
def unexplained() -> Callable[[Scan, Reconstruction], float]:
    """Share of a scan's amplitudes that a reconstruction leaves unexplained."""
    return _unexplained


def _unexplained(scan: Scan, reconstruction: Reconstruction) -> float:
    """Share of the amplitudes that the object does not explain at the positions as read."""
    placed, positions = reconstruction.align_to(scan)
    index = placed.pixel_index(positions)
    # Whole pixels: 1e-3 px is the bound on what reading may add.
    np.testing.assert_allclose(index, np.rint(index), atol=2e-3)
    assert placed.probe is not None
    ky, kx = placed.probe.shape[1:]
    rest = total = 0.0
    for (row, column), frame in zip(np.rint(index).astype(int), scan.frames[:], strict=True):
        top, left = row - ky // 2, column - kx // 2
        assert top >= 0 and left >= 0, "a window outside the object"
        patch = placed.object[top : top + ky, left : left + kx]
        wave = np.fft.fftshift(np.fft.fft2(placed.probe * patch, norm="ortho"), axes=(-2, -1))
        expected = np.sqrt((np.abs(wave) ** 2).sum(axis=0))
        measured = np.sqrt(np.maximum(frame, 0).astype(float))
        scale = (expected * measured).sum() / (expected**2).sum()
        rest += ((measured - scale * expected) ** 2).sum()
        total += (measured**2).sum()
    return float(np.sqrt(rest / total))
