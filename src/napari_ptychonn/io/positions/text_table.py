"""Numbers and column names of a text file, in any of the forms that programs write."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.positions.axis_names import find_axes
from napari_ptychonn.io.units import Unit, parse_unit, parse_units

_LARGEST = 64 * 2**20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
          (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
_BINARY = re.compile(r"[\0-\x08\x0e-\x1f]")
_NUMBERS_ONLY = re.compile(r"[-+\d.,;eE\s]*\d[-+\d.,;eE\s]*")
_COMMENT = re.compile(r"^\s*(?:#|%|//|!)+\s?")
_TITLE = re.compile(r"^\s*(?:columns?|fields?|names?|header|format|labels?)\s*[:=]\s*", re.I)
_UNITS = re.compile(r"^\W*(?:\w+\s+)?units?\b(?:\s+are|\s+is)?\W*[:=]?\s*(.+)$", re.I)
_NAN = ("nan", "na", "n/a")
_LETTERS = ("a", "u")
"""Units that are more often names of columns."""

_LAST = 20
_SPEC_HEADER = "#L "
_SPEC_SCAN = "#S "


@dataclass(frozen=True, kw_only=True, eq=False)
class TextTable:
    """Columns of numbers.

    Attributes
    ----------
    rows : ndarray of float64
        (n, columns); NaN for a cell without a number.
    headers : tuple of tuple of str
        Names of the columns, where lines before the numbers give them, the nearest first.
    units : tuple of (Unit or None)
        Of the columns, where a line gives them; else empty.
    before : str
        The lines before the numbers.
    """

    rows: NDArray[np.float64]
    headers: tuple[tuple[str, ...], ...] = ()
    units: tuple[Unit | None, ...] = ()
    before: str = ""


def read_text_table(file: Path) -> TextTable:
    """Read the numbers of a text file.

    Raises
    ------
    InputError
        When it holds no table of numbers; says why.
    """
    lines = _decoded(file).splitlines()
    scans = sum(line.startswith(_SPEC_SCAN) for line in lines)
    if scans > 1:
        raise InputError(
            f"{file}: holds {scans} SPEC scans, expected one; copy the lines of one scan to a file "
            "of its own.",
            file=file,
            expected=1,
            got=scans,
        )
    form = _Form.of(lines)
    before, cells = _split(lines, form, file)
    stored = len(cells[0])
    while stored and not any(row[stored - 1] for row in cells):
        stored -= 1  # each line ends with a separator
    rows = np.array([[form.number(cell) for cell in row[:stored]] for row in cells], np.float64)
    headers: list[tuple[str, ...]] = []
    units: tuple[Unit | None, ...] = ()
    for line in reversed(before):
        if not units and (stated := _UNITS.fullmatch(line.strip())) is not None:
            units = _stated_units(stated[1], stored)
            continue
        words = _words(line, form, len(cells[0]))
        if words is None or any(words[stored:]):
            continue
        words = words[:stored]
        found = _units(words)
        if found is None:
            headers.append(tuple(words))
        elif not units:
            units = found
    return TextTable(rows=rows, headers=tuple(headers), units=units, before="\n".join(before))


def _decoded(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise InputError(f"{file}: is too large for a table of positions.", file=file)
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be opened: {error.strerror}.", file=file) from error
    encodings = next(([name] for mark, name in _MARKS if data.startswith(mark)), None)
    if encodings is None and b"\0" in data[:2]:  # UTF-16 without its mark
        encodings = ["utf-16-be" if data[0] == 0 else "utf-16-le"]
    for encoding in encodings or ["utf-8", "latin-1"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _BINARY.search(text):
            return text
    raise InputError(f"{file}: is not a text file.", file=file)


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How a line is divided: by a sign or (None) white space; and whether decimals have commas."""

    separator: str | None
    has_comma: bool

    @classmethod
    def of(cls, lines: Sequence[str]) -> _Form:
        numeric = [line.strip(" \r") for line in lines if _NUMBERS_ONLY.fullmatch(line)]
        text = "\n".join(numeric)
        is_apart = ";" in text or any(re.search(r"\d\s+[-+]?\d", row) for row in numeric)
        # A comma that separates columns stands beside a blank or a sign somewhere.
        has_comma = (
            is_apart
            and "." not in text
            and re.search(r"\d,\d", text) is not None
            and re.search(r",(?!\d)|(?<!\d),", text) is None
        )
        signs = (";", "\t") if has_comma else (";", "\t", ",")
        looked_at = numeric or [line for line in lines if line.strip()][-_LAST:]
        separator = next((sign for sign in signs if _divides(sign, looked_at)), None)
        return cls(separator=separator, has_comma=has_comma)

    def cells(self, line: str) -> list[str]:
        if self.separator is not None:
            row = csv.reader([line.strip("\r\n")], delimiter=self.separator, skipinitialspace=True)
            return _stripped(next(row, []))
        return line.split() if self.has_comma else re.findall(r"[^\s,;]+", line)

    def is_number(self, cell: str) -> bool:
        return not cell or not np.isnan(self.number(cell)) or cell.lower() in _NAN

    def number(self, cell: str) -> float:
        try:
            return float(cell.replace(",", ".") if self.has_comma else cell)
        except ValueError:
            return float("nan")


def _divides(sign: str, lines: Sequence[str]) -> bool:
    counts = {line.count(sign) for line in lines}
    return len(counts) == 1 and 0 not in counts


def _stripped(cells: Sequence[str]) -> list[str]:
    return [cell.strip().strip("\"'").strip() for cell in cells]


def _split(lines: Sequence[str], form: _Form, file: Path) -> tuple[list[str], list[list[str]]]:
    """Divide a file into the lines before the numbers and the cells of the numbers."""
    before: list[str] = []
    cells: list[list[str]] = []
    for line in lines:
        if not line.strip():
            continue
        row = form.cells(line)
        if not _COMMENT.match(line) and _is_row(row, form, before, cells):
            cells.append(row)
        elif not cells:
            before.append(line)
        elif not _COMMENT.match(line):
            raise InputError(
                f"{file}: expected a row of numbers, got {line.strip()[:60]!r}.", file=file
            )
    while cells and not any(cells[-1]):  # as spreadsheets write below the last row
        cells.pop()
    if not cells:
        raise InputError(f"{file}: expected columns of positions, found none.", file=file)
    if len({len(row) for row in cells}) != 1:
        raise InputError(f"{file}: its rows do not have the same number of columns.", file=file)
    return before, cells


def _is_row(
    row: Sequence[str], form: _Form, before: Sequence[str], cells: Sequence[Sequence[str]]
) -> bool:
    """Whether a line is one of numbers; below a header, some of its cells may be text."""
    filled = [form.is_number(cell) for cell in row if cell]
    if filled and all(filled):
        return True
    if form.separator is None:
        return False
    if cells:
        return len(row) == len(cells[0]) and (not filled or any(filled))
    return sum(filled) >= 2 and any(len(form.cells(line)) == len(row) for line in before)


def _words(line: str, form: _Form, columns: int) -> list[str] | None:
    """Divide a line into as many names as there are columns; None where it holds none."""
    is_comment = _COMMENT.match(line) is not None
    line = _TITLE.sub("", _COMMENT.sub("", line.removeprefix(_SPEC_HEADER))).strip("\r\n")
    own = form.cells(line)
    if form.separator is None and len(own) == columns - 1 and not is_comment:
        own = ["", *own]  # pandas prints its index without a name
    if len(own) == columns:
        return None if any(map(_is_numeral, own)) else own
    # Other signs may divide names than numbers: units in brackets stay with their names.
    joined = re.sub(r"\s+(?=[\[(])", "", line)
    for words in (
        *(_stripped(line.split(sign)) for sign in ("\t", ";", ",")),
        _stripped(re.split(r"\s{2,}", line.strip())),
        joined.split(),
        re.findall(r"[^\s,;]+", joined),
    ):
        if len(words) == columns and (find_axes(words) is not None or all(map(_is_length, words))):
            return list(words)
    return None


def _is_numeral(word: str) -> bool:
    return re.fullmatch(r"[-+\d.,]*\d[-+\d.,eE]*", word) is not None


def _is_length(word: str) -> bool:
    unit = None if word.lower() in _LETTERS else parse_unit(word)
    return unit is not None and unit.kind in ("length", "pixel")


def _units(words: Sequence[str]) -> tuple[Unit | None, ...] | None:
    """Read a line as units; None where it names columns."""
    known = sum(map(_is_length, words))
    if not known or find_axes(words) is not None:
        return None
    named = sum(parse_unit(word) is not None for word in words)
    return tuple(map(parse_unit, words)) if 2 * known >= named else None


def _stated_units(text: str, columns: int) -> tuple[Unit | None, ...]:
    """Read 'um' or 'um, mm' behind the word 'units'; empty where they are none."""
    units = parse_units(text)
    units = units * columns if len(units) == 1 else units
    return units if len(units) == columns and _is_any_length(units) else ()


def _is_any_length(units: Sequence[Unit | None]) -> bool:
    return any(unit is not None and unit.kind in ("length", "pixel") for unit in units)
