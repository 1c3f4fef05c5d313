"""Positions in text files: which columns, which unit, which sign.

Like the layouts of files, a table of rows; the first that fits is used.  A
table whose header names its x and y is understood without one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Unit
from napari_ptychonn.io.positions.mda import read_mda
from napari_ptychonn.io.positions.positions import guess_unit
from napari_ptychonn.io.units import PIXEL, length, spelled

logger = logging.getLogger(__name__)

TEXTS = (".csv", ".txt", ".dat")
MDA = ".mda"
ENDINGS = (*TEXTS, MDA)
_LARGEST = 64 * 2**20
_MICRO, _NANO = 1e-6, 1e-9
_COORDINATE = re.compile(
    r"^(?:.*[\W_])?(?P<axis>[xy])(?:[\W_]*(?:pos(?:ition)?|coord(?:inate)?s?|motor|stage|"
    r"encoder|readback))?[\W_]*(?P<unit>[a-zµμ]*)\W*$"
)


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """How one program writes positions as text.

    Attributes
    ----------
    name : str
        What to call it on screen.
    y, x : str or int
        Name of the column, or its number.
    index : str, int or None
        Column with the number of the frame; rows of one number are averaged.
    first : int
        What that column holds for the first frame.
    columns : int
        How many columns there are at least; exactly as many where `exact`.
    exact : bool
        Neither more nor fewer columns.
    endings : tuple of str
        Of the file's name.
    scale : float or None
        To metres; None where the numbers themselves must tell.
    turned : bool
        x is on a stage that is turned by the angle chi.
    note : str
        A sentence about the convention.
    """

    name: str
    y: str | int
    x: str | int
    index: str | int | None = None
    first: int = 0
    columns: int = 2
    exact: bool = False
    endings: tuple[str, ...] = TEXTS
    scale: float | None = None
    turned: bool = False
    note: str = ""


_LAMNI = "Positions of the sample in µm are negated, as the LamNI and LYNX programs do."

TABLES: tuple[TableLayout, ...] = (
    TableLayout(
        name="Orchestra (LamNI, cSAXS)",
        index="DataPoint",
        x="Average_x_st_fzp",
        y="Average_y_st_fzp",
        scale=-_MICRO,
        note=_LAMNI,
    ),
    TableLayout(
        name="softGlueZynq, processed",
        index="Detector_Count",
        first=1,
        x="Average_x_st_fzp",
        y="Average_y_st_fzp",
        scale=-_MICRO,
        note=_LAMNI,
    ),
    TableLayout(
        name="softGlueZynq",
        index="Detector_Count",
        first=1,
        x="x_st_fzp",
        y="y_st_fzp",
        scale=-_MICRO,
        note=_LAMNI,
    ),
    TableLayout(
        name="Velociprobe",
        columns=8,
        x=1,
        y=2,
        index=7,
        scale=_NANO,
        turned=True,
        note="Columns 1 and 2 (laser interferometer) in nm are taken as x and y.",
    ),
    TableLayout(
        name="y, x",
        columns=2,
        exact=True,
        y=0,
        x=1,
        endings=(".csv",),
        note="Two columns without a header are taken as y, x, as ptychodus writes .csv.",
    ),
    TableLayout(
        name="x, y",
        columns=2,
        exact=True,
        x=0,
        y=1,
        endings=(".txt", ".dat"),
        note="Two columns without a header are taken as x, y, as ptychodus writes .txt.",
    ),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Positions from a text file.

    Attributes
    ----------
    file : Path
        Where they come from.
    values : ndarray of float64
        (n, 2) as (y, x), in `unit`.
    unit : {'m', 'pixel'}
        Told by the layout or the header, else guessed.
    numbers : ndarray of int64 or None
        (n,) which frame each belongs to, where the table says so.
    turned : bool
        x has to be shortened by the cosine of the stage's angle.
    notes : tuple of str
        What was assumed.
    """

    file: Path
    values: NDArray[np.float64]
    unit: Unit
    numbers: NDArray[np.int64] | None = None
    turned: bool = False
    notes: tuple[str, ...] = ()

    def fits(self, frames: int) -> bool:
        """Whether this can be the table of a scan of so many frames."""
        if self.numbers is None:
            return len(self.values) == frames
        joined = int(((self.numbers >= 0) & (self.numbers < frames)).sum())
        return 2 * joined > max(frames, len(self.numbers))


def read_table(file: Path) -> Table | None:
    """Read positions from a text or .mda file; None when there are none in it."""
    if file.suffix.lower() == MDA:
        return _of_mda(file)
    try:
        if file.stat().st_size > _LARGEST:
            return None
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    header, rows = _rows(lines)
    if rows is None:
        return None
    named = [layout for layout in TABLES if isinstance(layout.y, str)]
    for layout in named:
        if (places := _places(layout, file, header, rows.shape[1])) is not None:
            return _table(layout, file, rows, places)
    if (found := _by_header(file, header, rows)) is not None:
        return found
    for layout in (layout for layout in TABLES if layout not in named):
        if (places := _places(layout, file, header, rows.shape[1])) is not None:
            return _table(layout, file, rows, places)
    return None


def read_points(files: Sequence[Path]) -> Table | None:
    """Read positions that APS 12-ID keeps as one text file for each point, in their order.

    Each has several readings: y in column 1 and x, negated, in column 2, nm.
    None when one of the files is none of these.
    """
    points = []
    for file in files:
        try:
            if file.stat().st_size > _LARGEST:
                return None
            _, rows = _rows(file.read_text(encoding="utf-8").splitlines())
        except (OSError, ValueError):
            return None
        if rows is None or rows.shape[1] < 3:
            return None
        points.append(rows[:, 1:3].mean(axis=0))
    if not points:
        return None
    return Table(
        file=files[0],
        values=np.array(points) * (_NANO, -_NANO),
        unit="m",
        notes=(
            f"Positions of {len(points)} points are in a file each, as APS 12-ID writes them: y in "
            "column 1, x in column 2, nm, x negated; readings of one point were averaged.",
        ),
    )


def _rows(lines: list[str]) -> tuple[list[str], NDArray[np.float64] | None]:
    """Split a file into its header, which may follow a title, and its numbers."""
    header: list[str] = []
    rows: list[list[float]] = []
    for line in lines:
        words = line.replace(",", " ").replace(";", " ").replace("\t", " ").split()
        if not words:
            continue
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            if rows and not line.lstrip().startswith("#"):
                return header, None
            if not rows:
                separator = next((s for s in (",", ";", "\t") if s in line), None)
                header = [w.strip(" #\"'") for w in line.split(separator)] if separator else words
                header = [w for w in header if w and w != "#"]
    if not rows or len({len(row) for row in rows}) != 1:
        return header, None
    return header, np.array(rows, dtype=np.float64)


def _places(
    layout: TableLayout, file: Path, header: list[str], columns: int
) -> tuple[int, int, int | None] | None:
    """Columns of y, x and the frame number; None where the table is not of this layout."""
    wanted = (layout.y, layout.x, *(() if layout.index is None else (layout.index,)))
    if isinstance(layout.y, str):
        if len(header) != columns or not set(map(str, wanted)) <= set(header):
            return None
        places = [header.index(str(name)) for name in wanted]
    else:
        enough = columns == layout.columns if layout.exact else columns >= layout.columns
        if not enough or file.suffix.lower() not in layout.endings:
            return None
        places = [int(number) for number in wanted]
    return places[0], places[1], places[2] if len(places) > 2 else None


def _table(
    layout: TableLayout,
    file: Path,
    rows: NDArray[np.float64],
    places: tuple[int, int, int | None],
) -> Table:
    y, x, index = places
    values, numbers = rows[:, [y, x]], None
    notes = [layout.note] if layout.note else []
    if index is not None:
        numbers = np.rint(rows[:, index]).astype(np.int64) - layout.first
        count = len(values)
        values, numbers = _averaged(values, numbers)
        if count > len(values):
            notes.append(f"{count} readings were averaged to {len(values)} positions.")
    if layout.scale is not None:
        values, unit = values * layout.scale, "m"
    else:
        unit, _, about = guess_unit(values, file.name)
        notes += about
    return Table(
        file=file,
        values=values,
        unit=unit,  # type: ignore[arg-type]
        numbers=numbers,
        turned=layout.turned,
        notes=tuple(notes),
    )


def _averaged(
    values: NDArray[np.float64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Average the readings that belong to one frame."""
    unique, group, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(group, weights=column) for column in values.T], axis=1)
    return sums / counts[:, np.newaxis], unique


def _of_mda(file: Path) -> Table | None:
    found = read_mda(file)
    if found is None or len(found.y.values) != len(found.x.values) or not len(found.y.values):
        return None
    axes = f"{found.y.name.strip()} and {found.x.name.strip()}"
    about = f"Readings of {axes} are taken as y and x"
    about += "." if found.is_named else "; their names do not tell them apart."
    y, x = found.y.metres, found.x.metres
    if y is not None and x is not None:
        return Table(file=file, values=np.stack([y, x], axis=1), unit="m", notes=(about,))
    values = np.stack([found.y.values, found.x.values], axis=1)
    unit, _, notes = guess_unit(values, file.name)
    return Table(file=file, values=values, unit=unit, notes=(about, *notes))


def _by_header(file: Path, header: list[str], rows: NDArray[np.float64]) -> Table | None:
    """Find columns that are called x and y."""
    if len(header) != rows.shape[1]:
        return None
    found: dict[str, tuple[int, str]] = {}
    for number, name in enumerate(header):
        match = _COORDINATE.match(name.lower())
        if match is not None:
            found.setdefault(match["axis"], (number, spelled(match["unit"]) or ""))
    if set(found) != {"x", "y"}:
        return None
    (y, unit), (x, _) = found["y"], found["x"]
    values = rows[:, [y, x]]
    about = f"Columns {header[y]} and {header[x]} are taken as y and x."
    metres = length(unit)
    if metres is not None:
        return Table(file=file, values=values * metres, unit="m", notes=(about,))
    if unit == PIXEL:
        return Table(file=file, values=values, unit="pixel", notes=(about,))
    guessed, _, notes = guess_unit(values, file.name)
    return Table(file=file, values=values, unit=guessed, notes=(about, *notes))
