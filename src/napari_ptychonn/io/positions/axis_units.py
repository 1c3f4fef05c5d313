"""Scan positions in one unit: each axis from its own, or by the size of its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Unit as ScanUnit
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.units import Unit

_LARGEST_IN_METRES = 0.1
"""No ptychography stage travels 10 cm; numbers beyond that are no metres."""

_WIDEST_IN_METRES = 1e-3
"""Hardly any scan is wider than 1 mm."""

_PIXELS = Unit(text="object pixels", kind="pixel")
_METRES = Unit(text="m", kind="length")
_CHANGE = "name the unit in the file, or choose it in Edit dataset mapping…"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Numbers of one axis as stored.

    Attributes
    ----------
    values : ndarray of float64
        (n,).
    source : str
        Dataset or column, for messages.
    declared : Unit or None
        The unit that the file names.
    prescribed : Unit or None
        What the format prescribes where the file names none.
    """

    values: NDArray[np.float64]
    source: str
    declared: Unit | None = None
    prescribed: Unit | None = None

    @property
    def known(self) -> Unit | None:
        """The unit that the file names, if positions can have it."""
        is_known = self.declared is not None and self.declared.kind in ("length", "pixel")
        return self.declared if is_known else None

    @property
    def extent(self) -> float:
        """Distance between the outermost values."""
        finite = self.values[np.isfinite(self.values)]
        return float(np.ptp(finite)) if len(finite) else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaledPositions:
    """Positions (n, 2) as (y, x) in `unit`, and what was assumed."""

    values: NDArray[np.float64]
    unit: ScanUnit
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def scale_positions(y: Axis, x: Axis) -> ScaledPositions:
    """Bring both axes to metres, or to pixels.

    The unit that the file names for an axis counts; then what the format
    prescribes; then the size of the numbers.

    Raises
    ------
    InputError
        When one axis is in pixels and the other in a unit of length.
    """
    unknown = _of_unknown(y, x)
    units, notes, warnings = _units(y, x)
    if units[0].kind != units[1].kind:
        raise InputError(
            f"{y.source} is in {units[0].text} and {x.source} in {units[1].text}; expected both "
            "in pixels or both in units of length."
        )
    values = np.stack(
        [axis.values * unit.factor for axis, unit in zip((y, x), units, strict=True)], axis=1
    )
    return ScaledPositions(
        values=values,
        unit="pixel" if units[0].kind == "pixel" else "m",
        notes=notes,
        warnings=(*unknown, *warnings),
    )


def _of_unknown(y: Axis, x: Axis) -> tuple[str, ...]:
    strange = {
        axis.declared.text: axis.source
        for axis in (x, y)
        if axis.declared is not None and axis.known is None
    }
    return tuple(
        f"The unit {text!r} of the positions in {source} is not known and was ignored: {_CHANGE}."
        for text, source in strange.items()
    )


_Units = tuple[tuple[Unit, Unit], tuple[str, ...], tuple[str, ...]]


def _units(y: Axis, x: Axis) -> _Units:
    if y.known is not None and x.known is not None:
        return (y.known, x.known), (), ()
    if y.known is None and x.known is None:
        if y.prescribed is not None and x.prescribed is not None:
            return (y.prescribed, x.prescribed), (), ()
        unit, notes, warnings = _by_size(y, x)
        return (unit, unit), notes, warnings
    if y.known is not None:
        unit, warnings = _like(x, y, y.known)
        return (y.known, unit), (), warnings
    assert x.known is not None
    unit, warnings = _like(y, x, x.known)
    return (unit, x.known), (), warnings


def _like(axis: Axis, other: Axis, unit: Unit) -> tuple[Unit, tuple[str, ...]]:
    """Choose the unit of an axis that has none, where the other one has.

    It is that of the other axis, or the one without which the axis would have
    been read, whichever makes the scan less elongated.
    """
    alone = axis.prescribed or _by_size(axis, axis)[0]
    if unit.kind == "pixel" or alone.kind == "pixel" or alone.factor == unit.factor:
        chosen, refused = unit, alone
    else:
        width = other.extent * unit.factor
        chosen, refused = sorted((unit, alone), key=lambda u: _ratio(axis.extent * u.factor, width))
    if chosen.factor == refused.factor and chosen.kind == refused.kind:
        return chosen, ()
    return chosen, (
        f"The positions in {other.source} have a unit ({unit.text}) and those in {axis.source} "
        f"have none: they were read in {chosen.text}, not in {refused.text}, so that they span "
        f"{axis.extent * chosen.factor:.3g} {'px' if chosen.kind == 'pixel' else 'm'}; {_CHANGE}.",
    )


def _ratio(one: float, other: float) -> float:
    if not (one and other):
        return 0.0
    return abs(float(np.log(one / other)))


def _by_size(y: Axis, x: Axis) -> tuple[Unit, tuple[str, ...], tuple[str, ...]]:
    """Take numbers for metres or pixels by how large they are."""
    where = y.source if y.source == x.source else f"{y.source} and {x.source}"
    values = np.concatenate([y.values, x.values])
    finite = values[np.isfinite(values)]
    extent = max(y.extent, x.extent)
    if not len(finite) or np.abs(finite).max() < _LARGEST_IN_METRES:
        if extent <= _WIDEST_IN_METRES:
            note = f"Positions in {where} have no unit; by their size they are metres."
            return _METRES, (note,), ()
        return _METRES, (), (
            f"Positions in {where} have no unit and were read as metres, over {extent:.3g} m; if "
            f"they are millimetres, the scan is {extent * 1e-3:.3g} m wide: {_CHANGE}.",
        )  # fmt: skip
    return _PIXELS, (), (
        f"Positions in {where} have no unit and were read as object pixels, over {extent:.4g} px; "
        f"if they are micrometres, the scan is {extent:.4g} µm wide: {_CHANGE}.",
    )  # fmt: skip
