"""Positions from the .mda files of EPICS' saveData: XDR, which is big-endian words of four bytes.

A scan of two dimensions is an outer scan, whose positioner is the slow axis,
with the place of an inner scan for each of its points.  Written for this
program from the published layout; every length is checked before it is used.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_VERSIONS = (1.0, 2.0)
_MOST_POINTS = 10_000_000
_MOST_DEVICES = 1000
_LARGEST = 256 * 2**20
_LONGEST_TEXT = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class Positioner:
    """One axis of a scan.

    Attributes
    ----------
    name : str
        Process variable and description.
    unit : str
        As written; that of the readings where they have one.
    values : ndarray of float64
        (n,) readings, in `unit`.
    """

    name: str
    unit: str
    values: NDArray[np.float64]

    @property
    def axis(self) -> str:
        """'x' or 'y' where the name says so; '' where it does not."""
        found = set(re.findall(r"(?:^|[^a-z])(?:[a-z]*_)?([xy])(?![a-z])", self.name.lower()))
        return found.pop() if len(found) == 1 else ""


@dataclass(frozen=True, kw_only=True)
class MdaPositions:
    """What a file says of where the points of its scan were.

    Attributes
    ----------
    y, x : Positioner
        Of all points, in the order in which they were measured.
    is_named : bool
        Whether the names of the axes say which is which.
    """

    y: Positioner
    x: Positioner
    is_named: bool


def read_mda(file: Path) -> MdaPositions | None:
    """Read the positions of a scan of one or two dimensions; None where there are none."""
    try:
        if file.stat().st_size > _LARGEST:
            return None
        words = _Words(file.read_bytes())
        pair = _axes(words)
    except (OSError, ValueError, struct.error):
        return None
    if pair is None:
        return None
    first, second = pair
    if {first.axis, second.axis} == {"x", "y"}:
        y, x = (first, second) if first.axis == "y" else (second, first)
        return MdaPositions(y=y, x=x, is_named=True)
    return MdaPositions(y=first, x=second, is_named=False)


def _axes(words: _Words) -> tuple[Positioner, Positioner] | None:
    """The slow and the fast axis, or the second and the first positioner of a single line."""
    version = words.real()
    if not _VERSIONS[0] <= version < _VERSIONS[1]:
        return None
    words.whole()  # number of the scan
    rank = words.whole(most=4)
    for _ in range(rank + 2):  # dimensions, whether they are regular, where other variables are
        words.whole()
    scan, inner = _scan(words)
    if rank == 1 and len(scan) >= 2:
        return scan[1], scan[0]
    if rank != 2 or not scan:
        return None
    lines = [_scan(words.at(place))[0] for place in inner]
    if not lines or not all(lines):
        return None
    fast = [line[0] for line in lines]
    slow = np.repeat(scan[0].values[: len(fast)], [len(line.values) for line in fast])
    return _like(scan[0], slow), _like(fast[0], np.concatenate([line.values for line in fast]))


def _like(axis: Positioner, values: NDArray[np.float64]) -> Positioner:
    return Positioner(name=axis.name, unit=axis.unit, values=values)


def _scan(words: _Words) -> tuple[list[Positioner], Sequence[int]]:
    """Positioners of one scan, and where its inner scans are."""
    rank = words.whole(most=4)
    planned = words.whole(most=_MOST_POINTS)
    done = min(words.whole(most=_MOST_POINTS), planned)
    inner = words.wholes(planned)[:done] if rank > 1 else []
    words.text()
    words.text()  # name and time
    positioners, detectors, triggers = (words.whole(most=_MOST_DEVICES) for _ in range(3))
    named = []
    for _ in range(positioners):
        words.whole()
        name, about, _, unit, read, read_about, read_unit = (words.text() for _ in range(7))
        named.append((" ".join((name, about, read, read_about)), read_unit or unit))
    for _ in range(detectors):
        words.whole()
        for _ in range(3):
            words.text()
    for _ in range(triggers):
        words.whole()
        words.text()
        words.real()
    return [
        Positioner(name=name, unit=unit, values=words.doubles(planned)[:done])
        for name, unit in named
    ], inner


class _Words:
    """A file, read word by word; ValueError where it ends too early or a length makes no sense."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self._data, self._place = data, place

    def at(self, place: int) -> _Words:
        if not 0 <= place < len(self._data):
            raise ValueError("a scan lies outside of the file")
        return _Words(self._data, place)

    def whole(self, most: int | None = None) -> int:
        (value,) = struct.unpack(">i", self._take(4))
        if most is not None and not 0 <= value <= most:
            raise ValueError(f"{value} is out of range")
        return int(value)

    def wholes(self, count: int) -> list[int]:
        return [int(v) for v in np.frombuffer(self._take(4 * count), ">i4")]

    def real(self) -> float:
        (value,) = struct.unpack(">f", self._take(4))
        return float(value)

    def doubles(self, count: int) -> NDArray[np.float64]:
        return np.frombuffer(self._take(8 * count), ">f8").astype(np.float64)

    def text(self) -> str:
        """A text: its length, then, unless that is 0, the length again and bytes in whole words."""
        if not self.whole(most=_LONGEST_TEXT):
            return ""
        count = self.whole(most=_LONGEST_TEXT)
        return self._take(-(-count // 4) * 4)[:count].decode("latin-1")

    def _take(self, count: int) -> bytes:
        taken = self._data[self._place : self._place + count]
        if len(taken) != count:
            raise ValueError("the file ends too early")
        self._place += count
        return taken
