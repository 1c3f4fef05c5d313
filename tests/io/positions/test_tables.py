"""Text files of positions that fit more than one idea of what a column is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_ptychonn.io.positions.tables import read_table


def table(folder: Path, name: str, text: str):
    (folder / name).write_text(text)
    return read_table(folder / name)


@pytest.mark.parametrize(
    ("header", "unit", "factor"),
    [
        ("x_um,y_um", "m", 1e-6),
        ("stage x [nm], stage y [nm]", "m", 1e-9),
        ("# x (mm) y (mm)", "m", 1e-3),
        ("x_px;y_px", "pixel", 1.0),
        ("pos-x,pos-y", "m", 1.0),
    ],
)
def test_headers(header: str, unit: str, factor: float, tmp_path: Path) -> None:
    separator = ";" if ";" in header else ","
    rows = "\n".join(separator.join(map(str, row)) for row in [(0.01, 0.02), (0.03, 0.05)])
    found = table(tmp_path, "a.csv", f"{header}\n{rows}\n")
    assert found is not None
    assert found.unit == unit
    np.testing.assert_allclose(found.values, np.array([[0.02, 0.01], [0.05, 0.03]]) * factor)


@pytest.mark.parametrize(
    "text", ["", "words only\n", "1 2\nthree 4\n", "1 2\n3\n", "1 2 3\n4 5 6\n"]
)
def test_no_positions(text: str, tmp_path: Path) -> None:
    assert table(tmp_path, "a.txt", text) is None


def test_comments_do_not_matter(tmp_path: Path) -> None:
    found = table(tmp_path, "a.csv", "# made by hand\n1e-6,2e-6\n3e-6,4e-6\n")
    assert found is not None
    np.testing.assert_allclose(found.values, [[1e-6, 2e-6], [3e-6, 4e-6]])


def test_a_numbered_table_may_miss_some_frames_but_not_most(tmp_path: Path) -> None:
    rows = "\n".join(f"{k + 1} 0 {k} {2 * k}" for k in range(10))
    names = "Detector_Count ckUser_Clk_Count x_st_fzp y_st_fzp"
    found = table(tmp_path, "a.dat", f"scan\n{names}\n{rows}")
    assert found is not None
    assert found.fits(10)
    assert found.fits(12)
    assert not found.fits(30)
    assert not found.fits(4)
    np.testing.assert_allclose(found.values[1], [-2e-6, -1e-6])


def test_binary_and_huge_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(bytes(range(256)))
    assert read_table(tmp_path / "a.dat") is None
    assert read_table(tmp_path / "missing.csv") is None
