"""Text files as spreadsheets, LabVIEW, SPEC and pandas write them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.positions.tables import load_table
from napari_ptychonn.io.positions.text_table import read_text_table

Y, X = (a.ravel().astype(float) for a in np.mgrid[:4, :6])
TRUE = np.stack([Y, X], axis=1) * 0.25e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def rows(separator: str = ",", decimal: str = ".", end: str = "\n", first: bool = False) -> str:
    """Rows of x and y in µm; perhaps with their number before."""
    lines = [
        separator.join(
            [*([str(n)] if first else []),
             *(f"{value:g}".replace(".", decimal) for value in (x * 0.25, y * 0.25))]
        )
        for n, (x, y) in enumerate(zip(X, Y, strict=True))
    ]  # fmt: skip
    return end.join(lines) + end


@given(
    separator=st.sampled_from([",", ";", "\t", " "]),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"]),
    end=st.sampled_from(["\n", "\r\n"]),
    header=st.sampled_from(["{0}x_um{1}y_um", "x{1}y\n{0}µm{1}µm", "# x (µm){1}y (µm)",
                            "posx{1}posy\n[µm]{1}[µm]\n# 24 points", '"x [µm]"{1}"y [µm]"']),
    footer=st.sampled_from(["", "\n", "\n# end\n"]),
)  # fmt: skip
def test_every_form(
    folder: Path, separator: str, decimal: str, encoding: str, end: str, header: str, footer: str
) -> None:
    if separator == decimal or (separator == " " and "(" in header + "[" and '"' in header):
        return
    text = header.format("", separator).replace("\n", end) + end
    text += rows(separator, decimal, end) + footer
    file = folder / "a.csv"
    file.write_bytes(text.encode(encoding))
    table = load_table(file)
    assert table.unit == "m"
    np.testing.assert_allclose(table.values, TRUE, atol=1e-15)
    assert table.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        ",x_um,y_um\n" + rows(first=True),  # pandas
        "x_um y_um\n" + rows(" ", first=True),  # pandas, printed
        "#S 1 mesh\n#N 3\n#L Time  samx_um  samy_um\n" + rows(" ", first=True),
        "x_um,y_um,\n" + rows().replace("\n", ",\n"),
        "x_um,y_um\n" + rows() + ",\n,\n",  # empty rows of a spreadsheet
        "Scan 5, 2026, 12\nx_um,y_um\n" + rows(),
        "# columns: x_um y_um\n" + rows(),
        "# units: um\nx,y\n" + rows(),
        '"x, um","y, um"\n' + rows(),
    ],
)
def test_programs(folder: Path, text: str) -> None:
    file = folder / "b.dat"
    file.write_text(text)
    table = load_table(file)
    np.testing.assert_allclose(table.values, TRUE, atol=1e-15)
    assert table.warnings == ()


def test_columns_of_text_do_not_matter(folder: Path) -> None:
    lines = rows().splitlines()
    file = folder / "c.csv"
    file.write_text("time,x_um,y_um,state\n" + "".join(f"12:00:{k},{r},ok\n"
                                                       for k, r in enumerate(lines)))  # fmt: skip
    np.testing.assert_allclose(load_table(file).values, TRUE, atol=1e-15)


@pytest.mark.parametrize("cells", ["nan,nan", ",", "n/a,n/a"])
def test_a_row_without_numbers_stays_in_its_place(folder: Path, cells: str) -> None:
    lines = rows().splitlines()
    lines[5] = cells
    file = folder / "d.csv"
    file.write_text("x_um,y_um\n" + "\n".join(lines))
    values = load_table(file).values
    assert np.isnan(values[5]).all()
    np.testing.assert_allclose(np.delete(values, 5, axis=0), np.delete(TRUE, 5, axis=0))


def test_names_that_do_not_tell_y_from_x_are_warned_of(folder: Path) -> None:
    for header in ("motor1,motor2", "# motor1,motor2", "fast,slow", "# scan over x and y by hand"):
        file = folder / "e.csv"
        file.write_text(f"{header}\n0,1e-6\n1e-6,2e-6\n")
        (warning,) = load_table(file).warnings
        assert header.startswith("# scan") or header.strip("# ").split(",")[0] in warning
        assert "e.csv" in warning


def test_no_header_and_no_metres_is_not_as_ptychodus_writes(folder: Path) -> None:
    file = folder / "i.csv"
    file.write_text(rows(";", ","))
    assert any("exchanged" in warning for warning in load_table(file).warnings)
    file.write_text("0,1e-6\n1e-6,2e-6\n")
    assert load_table(file).warnings == ()


@pytest.mark.parametrize(
    ("text", "named"),
    [("x,z\n0,1\n1,2\n", "x, z"), ("a,b,c\n1,2,3\n", "a, b, c"), ("1,2\n1\n", "columns"),
     ("#S 1 a\n#L x  y\n1 2\n#S 2 b\n#L x  y\n1 2\n", "2 SPEC scans"), ("", "none"),
     ("1,2\nthree,four\n", "'three,four'")],
)  # fmt: skip
def test_refused_with_the_reason(folder: Path, text: str, named: str) -> None:
    file = folder / "f.csv"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_table(file)
    assert named in str(caught.value)
    assert "f.csv" in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(folder: Path, data: bytes) -> None:
    file = folder / "g.csv"
    file.write_bytes(data)
    with suppress(InputError):
        assert read_text_table(file).rows.ndim == 2


@given(st.text(alphabet="0123456789.,;-+eE \t\n#xyum[]()", max_size=200))
def test_any_text_is_read_or_refused(folder: Path, text: str) -> None:
    file = folder / "h.txt"
    file.write_text(text)
    with suppress(InputError):
        assert load_table(file).values.shape[1] == 2
