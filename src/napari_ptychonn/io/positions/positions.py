"""Scan positions as files give them: any axis order, any shape, perhaps without a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Unit
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array
from napari_ptychonn.io.layouts.layout import Field, Flip
from napari_ptychonn.io.layouts.optics import ANGSTROM, counts_in_angstrom
from napari_ptychonn.io.layouts.resolved import ResolvedLayout
from napari_ptychonn.io.units import PIXEL, length, spelled

_LARGEST_IN_METRES = 0.1
"""No ptychography stage travels 10 cm in one scan; numbers beyond that are pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """Positions (n, 2) as (y, x) in `unit`, before any shift, and what was assumed."""

    values: NDArray[np.float64]
    unit: Unit
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of positions."""
        return len(self.values)

    def turned(self, *, swap: bool, flip: Flip) -> Positions:
        """Exchange y and x, then negate what `flip` names."""
        values = self.values[:, ::-1] if swap else self.values
        signs = [-1.0 if axis in flip else 1.0 for axis in "yx"]
        return replace(self, values=values * np.asarray(signs))


def read_positions(contents: ResolvedLayout, lead: tuple[int, ...] = ()) -> Positions:
    """Read the positions of a file.

    Parameters
    ----------
    contents : Contents
        The file.
    lead : tuple of int
        Scan axes of the frames, so that a raster given by its two axes can
        be spread out and (3, 3) be distinguished from its transpose.
    """
    y, x = contents.array("position_y"), contents.array("position_x")
    both = contents.array("positions")
    if y is not None and x is not None:
        values = _joined(y, x, contents, lead)
        source, where = y, contents.layout.position_y
    elif both is not None:
        values = _as_pairs(both, contents, lead)
        source, where = both, contents.layout.positions
    else:
        raise InputError(f"{contents.description}: expected scan positions, found none.")
    unit, scale, notes = _unit(source, values, contents, where)
    signs = [-1.0 if axis in contents.layout.position_flip else 1.0 for axis in "yx"]
    return Positions(values=values * scale * np.asarray(signs), unit=unit, notes=notes)


def _as_pairs(array: Array, contents: ResolvedLayout, lead: tuple[int, ...]) -> NDArray[np.float64]:
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


def _joined(
    y: Array, x: Array, contents: ResolvedLayout, lead: tuple[int, ...]
) -> NDArray[np.float64]:
    rows, columns = (
        _coordinate(_numbers(array, contents), where, length)
        for array, where, length in zip(
            (y, x),
            (contents.layout.position_y, contents.layout.position_x),
            lead if len(lead) == 2 else (0, 0),
            strict=True,
        )
    )
    points = len(rows) * len(columns)
    is_raster = (len(rows), len(columns)) == lead or len(rows) != len(columns)
    if is_raster and points > 1 and points == int(np.prod(lead)):
        grid = np.meshgrid(rows, columns, indexing="ij")
        rows, columns = (g.ravel() for g in grid)
    if len(rows) != len(columns):
        raise InputError(
            f"{contents.tree.file}: {y.path} has {len(rows)} values and {x.path} {len(columns)}; "
            "expected as many of one as of the other."
        )
    return np.stack([rows, columns], axis=1)


def _coordinate(
    values: NDArray[np.float64], where: Field | None, length: int
) -> NDArray[np.float64]:
    """One coordinate as a list; EMD files give the first two values of an even axis."""
    values = np.asarray(values, np.float64)
    if where is not None and where.index is not None and values.ndim == 2:
        values = values if values.shape[0] < values.shape[1] else values.T
        values = values[min(where.index, len(values) - 1)]
    values = values.ravel()
    if len(values) == 2 < length:
        return np.asarray(values[0] + (values[1] - values[0]) * np.arange(length))
    return values


def _numbers(array: Array, contents: ResolvedLayout) -> NDArray[np.float64]:
    if array.dtype.kind not in "iuf":
        raise InputError(
            f"{contents.tree.file}: expected numbers as positions in {array.path}, "
            f"got {array.dtype}."
        )
    return array.read()


def _unit(
    array: Array, values: NDArray[np.float64], contents: ResolvedLayout, where: Field | None
) -> tuple[Unit, float, tuple[str, ...]]:
    layout = contents.layout
    if where is not None and where.fixed and layout.position_unit != "guess":
        return layout.position_unit, where.scale, ()
    if contents.text("unit") == PIXEL:
        return "pixel", 1.0, ()
    declared = contents.declared_unit(array.path) or _ending(array.path)
    if declared == PIXEL:
        return "pixel", 1.0, ()
    if declared is not None and (metres := length(declared)) is not None:
        return "m", metres, ()
    if layout.angstrom and layout.position_unit == "m" and _in_angstrom(contents, values):
        return "m", ANGSTROM, (f"Positions in {array.path} are in ångström, as for electrons.",)
    if layout.position_unit != "guess":
        return layout.position_unit, 1.0 if where is None else where.scale, ()
    return guess_unit(values, array.path)


def _in_angstrom(contents: ResolvedLayout, values: NDArray[np.float64]) -> bool:
    """Whether positions go with lengths in ångström; alone, by how far they reach."""
    in_angstrom = counts_in_angstrom(contents)
    finite = values[np.isfinite(values)]
    reach = np.abs(finite).max() if len(finite) else 0.0
    return bool(reach >= _LARGEST_IN_METRES) if in_angstrom is None else in_angstrom


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


def _ending(path: str) -> str | None:
    """Return the unit at the end of a name: 'pos_x_um'."""
    ending = re.search(r"_(px|pixels?|m|mm|um|nm)$", path.lower())
    return spelled(ending.group(1)) if ending else None
