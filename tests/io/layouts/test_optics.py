"""Energy, distance and detector pixel in the forms that writers give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.io import read_scan

FRAMES = np.random.default_rng(0).poisson(5, (20, 16, 16)).astype(np.uint16)
JOULE = 1.602176634e-19
PLAIN: dict[str, tuple[Any, Any]] = {
    "source_1/energy": (8800 * JOULE, None),
    "detector_1/distance": (1.9, None),
    "detector_1/x_pixel_size": (55e-6, None),
    "detector_1/y_pixel_size": (55e-6, None),
}


def read(tmp_path: Path, changes: dict[str, tuple[Any, Any]]) -> Scan:
    file = tmp_path / "scan.cxi"
    with h5py.File(file, "w") as cxi:
        entry = cxi.create_group("entry_1")
        entry["data_1/data"] = FRAMES
        y, x = (a.ravel() * 1e-7 for a in np.mgrid[:4, :5])
        entry["sample_1/geometry_1/translation"] = np.stack([x, y, 0 * x], axis=1)
        for name, (value, unit) in (PLAIN | changes).items():
            dataset = entry.create_dataset(f"instrument_1/{name}", data=value)
            if unit is not None:
                dataset.attrs["units"] = unit
    return read_scan(file)


def one(text: str) -> Any:
    return np.array([text], dtype=h5py.string_dtype())


ENERGY, DISTANCE = "source_1/energy", "detector_1/distance"
PIXELS = ("detector_1/x_pixel_size", "detector_1/y_pixel_size")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {ENERGY: (8.8, one("keV"))},
        {ENERGY: (np.full(20, 8.8), "keV")},
        {ENERGY: (np.full((20, 1), 8800 * JOULE), None)},
        {ENERGY: (np.full(20, 8.8) + np.linspace(0, 1e-4, 20), "keV")},
        {ENERGY: (np.r_[0.0, np.full(18, 8.8), np.nan], "keV")},
        {ENERGY: ("8.8 keV", None)},
        {ENERGY: (b"8800", "eV")},
        {ENERGY: (one("8800 eV"), None)},
        {ENERGY: (np.full((1, 1), 8.8), "KEV")},
        {ENERGY: (8800 * JOULE, h5py.Empty("S1"))},
        {ENERGY: (h5py.Empty("f8"), None), "source_1/wavelength": (1.40891, "Å")},
        {DISTANCE: (1900.0, one("mm"))},
        {DISTANCE: (1.9e6, np.bytes_(b"\xb5m"))},
        {DISTANCE: (np.full(20, 1.9), "m")},
        {DISTANCE: ("190 cm", None)},
        {name: (55.0, one("microns")) for name in PIXELS},
        {name: (np.array([55e-6, 55e-6]), None) for name in PIXELS},
    ],
)
def test_forms(tmp_path: Path, changes: dict[str, tuple[Any, Any]]) -> None:
    scan = read(tmp_path, changes)
    assert scan.pixel_size == pytest.approx([1.40891e-10 * 1.9 / (16 * 55e-6)] * 2, rel=1e-4)
    assert scan.warnings == read(tmp_path, {}).warnings


@pytest.mark.parametrize(
    ("changes", "named", "factor"),
    [
        ({ENERGY: (np.linspace(8.7, 8.9, 20), "keV")}, ("8.7", "8.9", "8.8"), 1.0),
        ({DISTANCE: (np.linspace(1.8, 2.0, 20), "m")}, ("1.8", "2", "1.9"), 1.0),
        ({ENERGY: (8800 * JOULE, "counts")}, ("'counts'", "source_1/energy"), 1.0),
        ({ENERGY: (8800 * JOULE, "mm")}, ("'mm'", "source_1/energy"), 1.0),
        ({ENERGY: (8800.0, None)}, ("8800", "eV", "no unit"), 1.0),
        ({ENERGY: (8.8, None)}, ("8.8", "keV", "no unit"), 1.0),
        ({DISTANCE: (1900.0, None)}, ("1900", "mm", "no unit"), 1.0),
        (dict.fromkeys(PIXELS, (55.0, None)), ("55", "µm", "no unit"), 1.0),
        ({DISTANCE: (1e12, "m")}, ("1e+12", "out of range"), None),
        ({ENERGY: (100.0, None)}, ("eV or in keV", "out of range"), None),
    ],
)
def test_what_is_doubtful_is_warned_of(
    tmp_path: Path, changes: dict[str, Any], named: tuple[str, ...], factor: float | None
) -> None:
    scan = read(tmp_path, changes)
    warnings = [w for w in scan.warnings if all(word in w for word in named)]
    assert warnings, scan.warnings
    if factor is None:
        assert scan.pixel_size is None
    else:
        expected = 1.40891e-10 * 1.9 / (16 * 55e-6)
        assert scan.pixel_size == pytest.approx([expected] * 2, rel=1e-4)


def test_null_attributes_and_datasets_count_as_absent(tmp_path: Path) -> None:
    plain = read(tmp_path, {})
    scan = read(tmp_path, {"detector_1/mask": (h5py.Empty("u4"), None),
                           "detector_1/data": (h5py.Empty("u2"), h5py.Empty("S1")),
                           DISTANCE: (1.9, h5py.Empty("S1"))})  # fmt: skip
    assert scan.notes == plain.notes
    assert scan.warnings == plain.warnings


@pytest.mark.parametrize(
    ("name", "value"),
    [("energy_ev", np.full(20, 8800.0)), ("energy_ev", "8.8 keV"), ("energy_kev", "8.8"),
     ("energy_keV", np.array([8.8]))],
)  # fmt: skip
def test_forms_in_a_file_of_no_known_layout(tmp_path: Path, name: str, value: Any) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["frames"], file[name], file["distance"] = FRAMES, value, 1.9
        file["x_pixel_size"] = file["y_pixel_size"] = np.array([55e-6, 55e-6])
        file["positions_um"] = np.stack([a.ravel() * 0.1 for a in np.mgrid[:4, :5]], axis=1)
        file["mask"] = h5py.Empty("u1")
    scan = read_scan(path)
    assert scan.pixel_size == pytest.approx([1.40891e-10 * 1.9 / (16 * 55e-6)] * 2, rel=1e-4)
