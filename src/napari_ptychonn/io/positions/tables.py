"""Positions in text files: which columns, which unit, which sign.

Like the layouts of files, a table of rows; the first that fits is used.  A
table whose header names its x and y is understood without one.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.scan import Unit as ScanUnit
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.positions.axis_names import AxisNames, find_axes
from napari_ptychonn.io.positions.axis_units import Axis, scale_positions
from napari_ptychonn.io.positions.mda import read_mda
from napari_ptychonn.io.positions.text_table import TextTable, read_text_table
from napari_ptychonn.io.units import Unit, parse_unit, unit_in_name

logger = logging.getLogger(__name__)

TEXTS = (".csv", ".txt", ".dat", ".tsv")
MDA = ".mda"
ENDINGS = (*TEXTS, MDA)
_ONE_AXIS = re.compile(r"(?<![a-z])[xy](?![a-z])|horizontal|vertical")
_MICRO, _NANO = 1e-6, 1e-9


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

    @property
    def unit(self) -> Unit | None:
        """The unit of the numbers, with their sign."""
        if self.scale is None:
            return None
        return Unit(text=f"{self.scale:g} m", kind="length", factor=self.scale)


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


_FEWEST = 8
_NEARLY = 0.9
"""Rows, relative to frames, of a table that lacks the last ones."""


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
    warnings : tuple of str
        What could be read in another way, too.
    """

    file: Path
    values: NDArray[np.float64]
    unit: ScanUnit
    numbers: NDArray[np.int64] | None = None
    turned: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def cut_to(self, frames: int) -> Table | None:
        """Return the rows of a scan of which not all frames, or not all positions, were written.

        Parameters
        ----------
        frames : int
            Frames of the scan.

        Returns
        -------
        Table or None
            With a warning; None where so many frames cannot belong to it.
        """
        rows = len(self.values)
        if self.numbers is not None or min(frames, rows) < _FEWEST or rows < _NEARLY * frames:
            return None
        fewer = min(frames, rows)
        warning = (
            f"{self.file.name} has {format_count(rows, 'position')} for "
            f"{format_count(frames, 'frame')}: the first {fewer} of both belong together if the "
            "scan was interrupted; if frames are missing before the end, positions are wrong."
        )
        return replace(self, values=self.values[:fewer], warnings=(*self.warnings, warning))

    def fits(self, frames: int) -> bool:
        """Whether this can be the table of a scan of so many frames."""
        if self.numbers is None:
            return len(self.values) == frames
        joined = int(((self.numbers >= 0) & (self.numbers < frames)).sum())
        return 2 * joined > max(frames, len(self.numbers))


def read_table(file: Path) -> Table | None:
    """Read positions from a text or .mda file; None when there are none in it."""
    try:
        return load_table(file)
    except InputError as error:
        logger.debug("%s", error)
        return None


def load_table(file: Path) -> Table:
    """Read positions from a text or .mda file.

    Raises
    ------
    InputError
        When there are none in it, or nothing shows which column is y and which x.
    """
    if file.suffix.lower() == MDA:
        found = _of_mda(file)
        if found is None:
            raise InputError(f"{file}: expected columns of positions, found none.", file=file)
        return found
    text = read_text_table(file)
    columns = text.rows.shape[1]
    named = [layout for layout in TABLES if isinstance(layout.y, str)]
    for layout, header in itertools.product(named, text.headers):
        if (places := _places(layout, file, header, columns)) is not None:
            return _table(layout, file, text, places)
    for header in text.headers:
        if (axes := find_axes(header)) is not None:
            return _by_header(file, text, header, axes)
    for header in text.headers:
        lone = [c for c, name in enumerate(header) if _ONE_AXIS.search(name.lower())]
        if lone:
            raise InputError(
                f"{file}: expected columns for x and y, got {', '.join(header)}, of which "
                f"{' and '.join(header[c] for c in lone)} cannot be paired.",
                file=file,
            )
    for layout in (layout for layout in TABLES if layout not in named):
        if (places := _places(layout, file, (), columns)) is not None:
            return _table(layout, file, text, places)
    seen = f", called {', '.join(text.headers[0])}" if text.headers else " without a header"
    raise InputError(
        f"{file}: expected a column for each of x and y, found "
        f"{format_count(columns, 'column')}{seen}.",
        file=file,
        got=columns,
    )


def read_points(files: Sequence[Path]) -> Table | None:
    """Read positions that APS 12-ID keeps as one text file for each point, in their order.

    Each has several readings: y in column 1 and x, negated, in column 2, nm.
    None when one of the files is none of these.
    """
    points = []
    for file in files:
        try:
            rows = read_text_table(file).rows
        except InputError:
            return None
        if rows.shape[1] < 3:
            return None
        points.append(rows[:, 1:3].mean(axis=0))
    if not points:
        return None
    return Table(
        file=files[0],
        values=np.array(points) * (_NANO, -_NANO),
        unit="m",
        notes=(
            f"Positions of {format_count(len(points), 'point')} are in a file each, as APS 12-ID "
            "writes them: y in column 1, x in column 2, nm, x negated; readings of one point were "
            "averaged.",
        ),
    )


def _places(
    layout: TableLayout, file: Path, header: Sequence[str], columns: int
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
    layout: TableLayout, file: Path, text: TextTable, places: tuple[int, int, int | None]
) -> Table:
    y, x, index = places
    values, numbers = text.rows[:, [y, x]], None
    notes = [layout.note] if layout.note else []
    if index is not None:
        numbered = np.isfinite(text.rows[:, index])
        numbers = np.rint(text.rows[numbered, index]).astype(np.int64) - layout.first
        values = values[numbered]
        count = len(values)
        values, numbers = _averaged(values, numbers)
        if count > len(values):
            notes.append(
                f"{format_count(count, 'reading', 'were')} averaged to "
                f"{format_count(len(values), 'position')}."
            )
    units = _column_units(text) if layout.scale is None else (None,) * text.rows.shape[1]
    scaled = scale_positions(
        *(
            Axis(values=values[:, k], source=file.name, declared=units[c], prescribed=layout.unit)
            for k, c in enumerate((y, x))
        )
    )
    warnings = scaled.warnings
    # ptychodus writes metres, and no words before them.
    is_other = text.headers or scaled.unit != "m" or _ONE_AXIS.search(text.before.lower())
    if layout.exact and is_other:
        notes, warnings = [], (_doubtful_order(text, y, file), *warnings)
    return Table(
        file=file,
        values=scaled.values,
        unit=scaled.unit,
        numbers=numbers,
        turned=layout.turned,
        notes=(*notes, *scaled.notes),
        warnings=warnings,
    )


def _column_units(text: TextTable) -> tuple[Unit | None, ...]:
    if text.units:
        return text.units
    names = text.headers[0] if text.headers else ("",) * text.rows.shape[1]
    return tuple(unit_in_name(name) for name in names)


def _doubtful_order(text: TextTable, y: int, file: Path) -> str:
    order = "y and the second as x" if y == 0 else "x and the second as y"
    named = (
        f"{file.name}: its columns are called {' and '.join(text.headers[0])}"
        if text.headers
        else f"{file.name}: there is no header that names its columns"
    )
    return (
        f"{named}, which does not show which is y: the first was read as {order}; they may be "
        "exchanged."
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
    y, x = (
        Axis(values=axis.values, source=axis.name.strip(), declared=parse_unit(axis.unit))
        for axis in (found.y, found.x)
    )
    scaled = scale_positions(y, x)
    return Table(
        file=file,
        values=scaled.values,
        unit=scaled.unit,
        notes=(about, *scaled.notes),
        warnings=scaled.warnings,
    )


def _by_header(file: Path, text: TextTable, header: Sequence[str], axes: AxisNames) -> Table:
    """Take the columns that are called x and y."""
    places, rows = (axes.y, axes.x), text.rows
    scaled = scale_positions(
        *(
            Axis(
                values=rows[:, place],
                source=f"{header[place]} ({file.name})",
                declared=unit or (text.units[place] if text.units else None),
            )
            for place, unit in zip(places, axes.units, strict=True)
        )
    )
    about = f"Columns {header[axes.y]} and {header[axes.x]} are taken as y and x."
    others = [f"{header[y]} and {header[x]}" for y, x in axes.others
              if np.ptp(rows[:, y]) or np.ptp(rows[:, x])]  # fmt: skip
    doubt = (
        f"{file.name} has other columns of positions: {', '.join(others)}; {header[axes.y]} and "
        f"{header[axes.x]} were read as y and x.",
    )
    return Table(
        file=file,
        values=scaled.values,
        unit=scaled.unit,
        notes=(about, *scaled.notes),
        warnings=(*(doubt if others else ()), *scaled.warnings),
    )
