"""Each axis in its own unit, in every container: right positions, or a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_scan
from napari_ptychonn.io.positions.axis_units import Axis, scale_positions
from napari_ptychonn.io.positions.tables import load_table
from napari_ptychonn.io.units import parse_unit

UNITS = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "nanometers": 1e-9, "Å": 1e-10}
Y, X = (a.ravel() * 1e-7 for a in np.mgrid[:6, :9])
TRUE = np.stack([Y, X], axis=1)

units = st.sampled_from(sorted(UNITS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("units")


def write(path: Path, layout: str, y: str | None, x: str | None) -> Path:
    """Write a scan of 54 frames whose axes are in units of their own."""
    frames = np.random.default_rng(0).poisson(5, (54, 16, 16)).astype(np.uint16)
    values = [TRUE[:, k] / UNITS[unit or "m"] for k, unit in enumerate((y, x))]
    with h5py.File(path, "w") as file:
        if layout == "columns":
            file["frames"] = frames
            both = file.create_dataset("positions_xy", data=np.stack(values[::-1], axis=1))
            both.attrs["units"] = np.array([x or "m", y or "m"], dtype=h5py.string_dtype())
            return path
        group = file
        names = ("pos_y", "pos_x")
        if layout == "nxcxi":
            group, names = file.create_group("entry_1/data"), ("y", "x")
            file.create_group("entry_1/instrument_1/beam_1")
        group["data"] = frames
        for name, numbers, unit in zip(names, values, (y, x), strict=True):
            group[name] = numbers
            if unit is not None:
                group[name].attrs["units"] = unit
    return path


@pytest.mark.parametrize("layout", ["free", "nxcxi", "columns"])
@given(y=units, x=units)
def test_hdf5(folder: Path, layout: str, y: str, x: str) -> None:
    scan = read_scan(write(folder / f"{layout}.h5", layout, y, x))
    assert scan.unit == "m"
    np.testing.assert_allclose(np.ptp(scan.positions, axis=0), np.ptp(TRUE, axis=0), rtol=1e-9)
    assert not any("unit" in warning for warning in scan.warnings)


@pytest.mark.parametrize("names", [["y_um", "x_mm"], "y_um, x_mm", ["y [um]", "x [mm]"]])
def test_names_of_columns(tmp_path: Path, names: Any) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["frames"] = np.random.default_rng(0).poisson(5, (54, 16, 16)).astype(np.uint16)
        both = file.create_dataset("positions", data=TRUE / (1e-6, 1e-3))
        both.attrs["columns"] = names
    scan = read_scan(path)
    np.testing.assert_allclose(np.ptp(scan.positions, axis=0), np.ptp(TRUE, axis=0), rtol=1e-9)


def test_names_of_datasets(tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    frames = np.random.default_rng(0).poisson(5, (54, 16, 16)).astype(np.uint16)
    np.savez(path, frames=frames, x_um=X / 1e-6, y_mm=Y / 1e-3)
    scan = read_scan(path)
    np.testing.assert_allclose(np.ptp(scan.positions, axis=0), np.ptp(TRUE, axis=0), rtol=1e-9)


@given(y=units, x=units, style=st.sampled_from(["name", "brackets", "line", "swapped"]))
def test_tables(folder: Path, y: str, x: str, style: str) -> None:
    header = {
        "name": f"x_{x},y_{y}",
        "brackets": f"samx [{x}],samy [{y}]",
        "line": f"posx,posy\n{x},{y}",
        "swapped": f"y ({y}),x ({x})",
    }[style]
    columns = [X / UNITS[x], Y / UNITS[y]][:: -1 if style == "swapped" else 1]
    if style == "name" and "Å" in (x, y):
        header = header.replace("_Å", " (Å)")
    text = "\n".join(f"{a:.12g},{b:.12g}" for a, b in zip(*columns, strict=True))
    file = folder / "table.csv"
    file.write_text(f"{header}\n{text}\n", encoding="utf-8")
    table = load_table(file)
    assert table.unit == "m"
    np.testing.assert_allclose(table.values, TRUE, atol=1e-13)
    assert table.warnings == ()


@pytest.mark.parametrize(("y", "x"), [(None, "um"), ("um", None), (None, "mm")])
def test_an_axis_without_a_unit_beside_one_with_is_warned_of(
    tmp_path: Path, y: str | None, x: str | None
) -> None:
    scan = read_scan(write(tmp_path / "scan.h5", "free", y, x))
    np.testing.assert_allclose(np.ptp(scan.positions, axis=0), np.ptp(TRUE, axis=0), rtol=1e-9)
    (warning,) = (w for w in scan.warnings if "pos_y" in w)
    assert "pos_x" in warning
    assert (y or x or "") in warning


def axis(values: list[float], unit: str | None = None, source: str = "a") -> Axis:
    return Axis(values=np.array(values), source=source, declared=parse_unit(unit))


def test_pixels_and_lengths_do_not_mix() -> None:
    with pytest.raises(InputError, match="stage_y"):
        scale_positions(axis([0, 1], "px", "stage_y"), axis([0, 1], "um"))


@pytest.mark.parametrize(
    ("values", "unit", "named"),
    [([0.0, 5.0], "pixel", ("pixels", "µm")), ([0.0, 0.02], "m", ("metres", "milli")),
     ([0.0, 1e-5], "m", ())],
)  # fmt: skip
def test_without_a_unit_both_readings_are_named(
    values: list[float], unit: str, named: tuple[str, ...]
) -> None:
    found = scale_positions(axis(values), axis(values))
    assert found.unit == unit
    assert len(found.warnings) == bool(named)
    assert all(name in found.warnings[0] for name in named)


def test_a_unit_that_is_not_known_is_named() -> None:
    found = scale_positions(axis([0, 1e-6], "counts"), axis([0, 1e-6], "counts"))
    assert "'counts'" in found.warnings[0]
