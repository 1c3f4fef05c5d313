"""Scan positions as files give them: any axis order, any shape, perhaps without a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.core.errors import InputError
from napari_ptychonn.core.scan import Unit
from napari_ptychonn.io.contents import Contents
from napari_ptychonn.io.tree import Array

_LARGEST_IN_METRES = 0.1
"""No ptychography stage travels 10 cm in one scan; numbers beyond that are pixels."""

_SCALES = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "nm": 1e-9, "pm": 1e-12}
_PIXELS = ("px", "pixel", "pixels", "object pixel", "object pixels")


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """Positions (n, 2) as (y, x) in `unit`, before any shift, and what was assumed."""

    values: NDArray[np.float64]
    unit: Unit
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of positions."""
        return len(self.values)


def read_positions(contents: Contents, lead: tuple[int, ...] = ()) -> Positions:
    """Read the positions of a file.

    Parameters
    ----------
    contents : Contents
        The file.
    lead : tuple of int
        Scan axes of the frames, so that a raster given by its two axes can
        be spread out and (3, 3) be told apart from its transpose.
    """
    both = contents.array("positions")
    if both is not None:
        values = _as_pairs(both, contents, lead)
        source = both
    else:
        y, x = contents.array("position_y"), contents.array("position_x")
        if y is None or x is None:
            raise InputError(f"{contents.what}: expected scan positions, found none.")
        values = _joined(y, x, contents, lead)
        source = y
    unit, scale, notes = _unit(source, values, contents)
    return Positions(values=values * scale, unit=unit, notes=notes)


def _as_pairs(array: Array, contents: Contents, lead: tuple[int, ...]) -> NDArray[np.float64]:
    values = np.asarray(_numbers(array, contents), dtype=np.float64)
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[-1] in (2, 3):  # (ny, nx, 2), as the raster is stored
        values = values.reshape(-1, values.shape[-1])
    if values.ndim != 2 or not {2, 3} & set(values.shape):
        raise InputError(
            f"{contents.tree.file}: expected positions (n, 2) or (n, 3) in {array.path}, "
            f"got shape {array.shape}."
        )
    rows, columns = values.shape
    n = int(np.prod(lead)) if lead else rows
    if columns not in (2, 3) or (rows in (2, 3) and rows != n and columns == n):
        values = values.T  # PyNX writes (3, n)
    first, second = values[:, 0], values[:, 1]
    pair = (first, second) if contents.layout.position_axes == "yx" else (second, first)
    return np.stack(pair, axis=1)


def _joined(y: Array, x: Array, contents: Contents, lead: tuple[int, ...]) -> NDArray[np.float64]:
    rows, columns = (np.asarray(_numbers(a, contents), np.float64).ravel() for a in (y, x))
    if len(lead) == 2 and (len(rows), len(columns)) == lead and len(rows) * len(columns) > 1:
        grid = np.meshgrid(rows, columns, indexing="ij")
        rows, columns = (g.ravel() for g in grid)
    if len(rows) != len(columns):
        raise InputError(
            f"{contents.tree.file}: {y.path} has {len(rows)} values and {x.path} {len(columns)}; "
            "expected as many of one as of the other."
        )
    return np.stack([rows, columns], axis=1)


def _numbers(array: Array, contents: Contents) -> NDArray[np.float64]:
    if array.dtype.kind not in "iuf":
        raise InputError(
            f"{contents.tree.file}: expected numbers as positions in {array.path}, "
            f"got {array.dtype}."
        )
    return array.read()


def _unit(
    array: Array, values: NDArray[np.float64], contents: Contents
) -> tuple[Unit, float, tuple[str, ...]]:
    layout = contents.layout
    if layout.position_unit != "guess":
        marked = contents.text("unit")
        return ("pixel" if marked == "pixel" else layout.position_unit), 1.0, ()
    told = _told_unit(array, contents)
    if told in _PIXELS:
        return "pixel", 1.0, ()
    if told in _SCALES:
        return "m", _SCALES[told], ()
    return guess_unit(values, array.path)


def guess_unit(values: NDArray[np.float64], where: str) -> tuple[Unit, float, tuple[str, ...]]:
    """Take positions for metres or pixels by how large they are, and say so."""
    finite = values[np.isfinite(values)]
    if len(finite) and np.abs(finite).max() < _LARGEST_IN_METRES:
        return "m", 1.0, (f"Positions in {where} have no unit; by their size they are metres.",)
    return (
        "pixel",
        1.0,
        (f"Positions in {where} have no unit; by their size they are object pixels.",),
    )


def _told_unit(array: Array, contents: Contents) -> str | None:
    for name in ("units", "unit"):
        value = contents.tree.attribute(array.path, name)
        if value is not None:
            text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            return text.strip().lower()
    ending = re.search(r"_(px|pixels?|m|mm|um|nm)$", array.path.lower())
    return ending.group(1) if ending else None
