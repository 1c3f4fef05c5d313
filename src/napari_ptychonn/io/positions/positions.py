"""Scan positions as files give them: any axis order, any shape, perhaps without a unit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Unit as ScanUnit
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array
from napari_ptychonn.io.layouts.layout import Field, Flip
from napari_ptychonn.io.layouts.optics import ANGSTROM, counts_in_angstrom
from napari_ptychonn.io.layouts.resolved import ResolvedLayout
from napari_ptychonn.io.positions.axis_units import Axis, ScaledPositions, scale_positions
from napari_ptychonn.io.positions.columns import units_of_columns
from napari_ptychonn.io.units import PIXEL, Unit, parse_unit, unit_in_name

_LARGEST_IN_METRES = 0.1
"""No ptychography stage travels 10 cm in one scan."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """Positions (n, 2) as (y, x) in `unit`, before any shift, and what was assumed."""

    values: NDArray[np.float64]
    unit: ScanUnit
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

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
    layout = contents.layout
    if y is not None and x is not None:
        values = _joined(y, x, contents, lead)
        sources = ((y, layout.position_y), (x, layout.position_x))
    elif both is not None:
        values = _as_pairs(both, contents, lead)
        sources = ((both, layout.positions), (both, layout.positions))
    else:
        raise InputError(f"{contents.description}: expected scan positions, found none.")
    scaled, is_angstrom = _scaled(values, sources, contents)
    signs = [-1.0 if axis in layout.position_flip else 1.0 for axis in "yx"]
    about = f"Positions in {sources[0][0].path} are in ångström, as for electrons."
    return Positions(
        values=scaled.values * np.asarray(signs),
        unit=scaled.unit,
        notes=(*((about,) if is_angstrom else ()), *scaled.notes),
        warnings=scaled.warnings,
    )


def _scaled(
    values: NDArray[np.float64],
    sources: tuple[tuple[Array, Field | None], tuple[Array, Field | None]],
    contents: ResolvedLayout,
) -> tuple[ScaledPositions, bool]:
    axes, angstrom = [], False
    for column, (array, where) in enumerate(sources):
        prescribed, is_angstrom = _prescribed(where, contents, values)
        is_fixed = where is not None and where.fixed and prescribed is not None
        declared = None if is_fixed else _axis_unit(array, "yx"[column], where, contents)
        axes.append(
            Axis(
                values=values[:, column],
                source=array.path,
                declared=declared,
                prescribed=prescribed,
            )
        )
        angstrom |= is_angstrom and axes[-1].known is None
    return scale_positions(*axes), angstrom


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


def _axis_unit(
    array: Array, axis: str, where: Field | None, contents: ResolvedLayout
) -> Unit | None:
    """Return the unit that the file names for one axis, in an attribute or in a name."""
    whole = parse_unit(contents.text("unit"))
    if whole is not None and whole.kind == "pixel":
        return whole
    units = contents.declared_units(array.path) or units_of_columns(contents.tree, array)
    if not units:
        named = unit_in_name(array.path.rpartition("/")[2])
        return None if named is None or named.kind == "energy" else named
    if len(units) == 1:
        return units[0]
    column = contents.layout.position_axes.index(axis)
    if where is not None and where.index is not None:
        column = where.index
    return units[column] if column < len(units) else None


def _prescribed(
    where: Field | None, contents: ResolvedLayout, values: NDArray[np.float64]
) -> tuple[Unit | None, bool]:
    """Return the unit of the format, and whether it is that of electron microscopes."""
    layout = contents.layout
    if layout.position_unit == "guess":
        return None, False
    if layout.angstrom and layout.position_unit == "m" and _in_angstrom(contents, values):
        return Unit(text="Å", kind="length", factor=ANGSTROM), True
    scale = 1.0 if where is None else where.scale
    if layout.position_unit == PIXEL:
        return Unit(text="object pixels", kind="pixel", factor=scale), False
    return Unit(text="m" if scale == 1 else f"{scale:g} m", kind="length", factor=scale), False


def _in_angstrom(contents: ResolvedLayout, values: NDArray[np.float64]) -> bool:
    """Whether positions go with lengths in ångström; alone, by how far they reach."""
    in_angstrom = counts_in_angstrom(contents)
    finite = values[np.isfinite(values)]
    reach = np.abs(finite).max() if len(finite) else 0.0
    return bool(reach >= _LARGEST_IN_METRES) if in_angstrom is None else in_angstrom
