"""Quantities of an open file, found by the paths of its layout."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from napari_ptychonn.io.containers.series import SeriesArray, without_gap
from napari_ptychonn.io.containers.tree import Array, Tree
from napari_ptychonn.io.layouts.builtin import builtin_layouts
from napari_ptychonn.io.layouts.layout import Field, Layout
from napari_ptychonn.io.layouts.paths import ANY, exists, matches
from napari_ptychonn.io.layouts.user import user_layouts
from napari_ptychonn.io.units import Unit, as_text, parse_quantity, parse_unit, parse_units

_MOST_NUMBERS = 2**20
"""A scalar may be kept once for each frame; longer arrays are something else."""

_PER_FRAME = {"energy", "wavelength", "distance"}
_VARY = {*_PER_FRAME, "pitch_y", "pitch_x", "pixel_y", "pixel_x"}
"""Quantities that may be kept once for each frame, or once for each axis."""

_EVEN = 1e-3
"""Relative spread up to which such numbers count as one: no readback is quite constant."""

_ENTRIES = ("entry_1", "entry", "entry1")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A number of a file in SI units, and what is doubtful about it.

    Attributes
    ----------
    value : float or None
        m or eV; None where it is missing, zero or no number.
    stored : float or None
        As in the file.
    unit : Unit or None
        The unit that the file names, if it is known.
    warnings : tuple of str
        One sentence each.
    """

    value: float | None = None
    stored: float | None = None
    unit: Unit | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class ResolvedLayout:
    """An open file, the group in it that is read, and the layout of that group.

    Attributes
    ----------
    tree : Tree
        The open file.
    layout : Layout
        Where everything is.
    group : str
        Path that the layout's paths start from; '' for the root.
    notes : tuple of str
        How the layout was arrived at, where that was a guess.
    warnings : tuple of str
        What could be meant as well.
    """

    tree: Tree
    layout: Layout
    group: str = ""
    notes: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """File and group, for messages."""
        return f"{self.tree.file}::/{self.group}" if self.group else str(self.tree.file)

    def array(self, quantity: str) -> Array | None:
        """Return the array of a quantity, by its name in `Layout`."""
        where: Field | None = getattr(self.layout, quantity)
        if where is None:
            return None
        empty = None
        for path in self._paths(where):
            if "@" in path:
                continue
            found = self._arrays_at(path, where.every)
            if found is None or self._is_object(quantity, found):
                continue
            if math.prod(found.shape):
                return found
            empty = empty or found  # a writer's stand-in for what another path has
        return empty

    def _is_object(self, quantity: str, array: Array) -> bool:
        """A .npy file may hold frames or an object, and says so by its type only."""
        return quantity == "frames" and self.tree.container == "NPY" and array.dtype.kind == "c"

    def where(self, quantity: str) -> str | None:
        """Return the path of a quantity that is there, from the root of the file.

        'owner@name' for an attribute; with its '*' where all that fit are taken.
        """
        where: Field | None = getattr(self.layout, quantity)
        for path in self._paths(where):
            if "@" in path:
                if self.tree.attribute(*path.split("@", 1)) is not None:
                    return path
            elif where is not None and self._arrays_at(path, where.every) is not None:
                return path
        return None

    def value(self, quantity: str) -> Any | None:
        """Return the stored scalar of a quantity, unscaled: a one-element array or an attribute."""
        where: Field | None = getattr(self.layout, quantity)
        if where is not None and where.constant is not None:
            return where.constant
        for path in self._paths(where):
            value = self._value_at(path, where)
            if value is not None:
                return value
        return None

    def number(self, quantity: str) -> float | None:
        """Return a scalar in SI units; None where it is missing, zero or no number."""
        return self.reading(quantity).value

    def reading(self, quantity: str) -> Reading:
        """Return a scalar in SI units with its unit; the mean where it is kept for each frame."""
        where: Field | None = getattr(self.layout, quantity)
        if where is None:
            return Reading()
        if where.constant is not None:
            return Reading(value=where.constant or None)
        for path in self._paths(where):
            found = self._quantity_at(path, where, quantity)
            if found is not None:
                return found
        return Reading()

    def _quantity_at(self, path: str, where: Field, quantity: str) -> Reading | None:
        # 'The first' of the energies of all frames means any of them.
        first_of_frames = where.index == 0 and quantity in _PER_FRAME
        value = self._value_at(path, replace(where, index=None) if first_of_frames else where)
        warnings: list[str] = []
        if value is None and (first_of_frames or (where.index is None and quantity in _VARY)):
            value, warnings = self._mean_at(path, quantity)
        declared = None
        if isinstance(value, str | bytes) and (found := parse_quantity(value)) is not None:
            value, declared = found
        number = _as_number(value)
        if not number:  # writers put 0 where they do not know; real products have a 0 probe pixel
            return None
        if declared is None and "@" not in path:
            declared = self.declared_unit(path)
        prescribed = Reading(value=number * where.scale, stored=number, warnings=tuple(warnings))
        if where.fixed or declared is None:
            return prescribed
        kind = "energy" if quantity == "energy" else "length"
        if declared.kind != kind:
            about = (
                f"The unit {declared.text!r} of the {_name(quantity)} in {path} is not a known "
                f"unit of {kind}; {number:g} was read in the unit that the format prescribes.",
            )
            return replace(prescribed, warnings=about if quantity in _VARY else ())
        factor = -declared.factor if where.scale < 0 else declared.factor
        return replace(prescribed, value=number * factor, unit=declared)

    def _mean_at(self, path: str, quantity: str) -> tuple[float | None, list[str]]:
        """Average numbers that are kept for each frame, but those that are 0 or no numbers."""
        values = self.tree.attribute(*path.split("@", 1)) if "@" in path else None
        if "@" not in path:
            array = self.tree.array(path)
            if array is None or array.dtype.kind not in "iuf":
                return None, []
            values = array.read() if math.prod(array.shape) <= _MOST_NUMBERS else None
        if values is None or np.asarray(values).dtype.kind not in "iuf":
            return None, []
        numbers = np.asarray(values, np.float64).ravel()
        known = numbers[np.isfinite(numbers) & (numbers != 0)]
        if not len(known):
            return None, []
        mean, low, high = float(known.mean()), float(known.min()), float(known.max())
        if high - low <= _EVEN * abs(mean):
            return mean, []
        return mean, [
            f"The {_name(quantity)} in {path} varies from {low:.6g} to {high:.6g} over "
            f"{len(known)} values; their mean, {mean:.6g}, was used."
        ]

    def declared_unit(self, path: str) -> Unit | None:
        """Return the unit that an array names in an attribute of its own."""
        return parse_unit(self._unit_attribute(path))

    def declared_units(self, path: str) -> tuple[Unit | None, ...]:
        """Return the units of the columns of an array; one where it holds for all."""
        return parse_units(self._unit_attribute(path))

    def _unit_attribute(self, path: str) -> Any | None:
        values = (self.tree.attribute(path, name) for name in ("units", "unit", "Units", "Unit"))
        return next((value for value in values if parse_unit(value) is not None), None)

    def text(self, quantity: str) -> str | None:
        """Return a scalar as text."""
        value = self.value(quantity)
        return None if value is None else as_text(value) or None

    def is_typed(self, quantity: str) -> bool:
        """Whether a number was given by a person instead of the file."""
        where: Field | None = getattr(self.layout, quantity)
        return where is not None and where.constant is not None

    def has(self, quantity: str) -> bool:
        """Whether the quantity is there, as an array."""
        return self.array(quantity) is not None

    @property
    def has_positions(self) -> bool:
        """Whether there is at least one scan position in the file."""
        if (both := self.array("positions")) is not None:
            return math.prod(both.shape) > 0
        y, x = self.array("position_y"), self.array("position_x")
        return y is not None and x is not None and math.prod(y.shape) > 0

    def _paths(self, where: Field | None) -> Iterator[str]:
        for path in where.paths if where is not None else ():
            whole = f"{self.group}/{path}" if self.group and path[0] != "@" else self.group + path
            if ANY in whole and "@" not in whole and where is not None and not where.every:
                yield from matches(self.tree, whole)
            else:
                yield whole

    def _arrays_at(self, path: str, every: bool) -> Array | None:
        if not every or ANY not in path:
            return self.tree.array(path)
        found = [a for p in matches(self.tree, path) if (a := self.tree.array(p)) is not None]
        parts, _ = without_gap(found)
        return SeriesArray(parts, f"{self.tree.file}: {path}") if parts else None

    def gap(self) -> str | None:
        """Say which part of the frames is missing, where they are in several arrays."""
        where = self.layout.frames
        if where is None or not where.every or ANY not in (path := self._last_path(where)):
            return None
        found = [a for p in matches(self.tree, path) if (a := self.tree.array(p)) is not None]
        return without_gap(found)[1]

    def _last_path(self, where: Field) -> str:
        """Return the pattern that the frames come from; '' where they are one array."""
        paths = list(self._paths(where))
        return next((p for p in paths if self._arrays_at(p, where.every) is not None), "")

    def _value_at(self, path: str, where: Field | None) -> Any | None:
        if "@" in path:
            value = self.tree.attribute(*path.split("@", 1))
        else:
            array = self.tree.array(path)
            if array is None or math.prod(array.shape) > _MOST_NUMBERS:
                return None
            value = array.read()
        if value is None or isinstance(value, str | bytes):
            return value
        items = np.asarray(value).reshape(-1)
        index = where.index if where is not None else None
        if index is None or len(items) == 1:
            return items[0] if len(items) == 1 else None
        return items[index] if index < len(items) else None


def _name(quantity: str) -> str:
    return quantity.replace("_", " ")


def _as_number(value: Any | None) -> float | None:
    try:
        number = float(np.asarray(value).reshape(-1)[0]) if value is not None else None
    except (TypeError, ValueError, IndexError):
        return None
    return number if number is not None and np.isfinite(number) else None


_matched: WeakKeyDictionary[Tree, dict[str, Layout | None]] = WeakKeyDictionary()


def match(tree: Tree, group: str = "") -> ResolvedLayout | None:
    """Find the first layout that a group of an open file fits, or None."""
    # Each question is a message to the reader process: an open file is recognised once.
    known = _matched.setdefault(tree, {})
    if group not in known:
        known[group] = find_layout(tree, group)
    layout = known[group]
    if layout is None:
        return None
    return ResolvedLayout(tree=tree, layout=layout, group=group, notes=layout.notes)


def find_layout(tree: Tree, group: str) -> Layout | None:
    """Compare a group with every layout, the user's own first."""
    layouts = (*user_layouts(), *builtin_layouts())
    fitting = (x for x in layouts if x.container == tree.container and _fits(tree, group, x))
    return next(fitting, None)


def match_entry(tree: Tree, group: str = "") -> ResolvedLayout | None:
    """Like `match`, looking into NeXus and CXI entries ('entry_1', ...) of the group too."""
    entries = [g for g in _ENTRIES if exists(tree, f"{group}/{g}")]
    found = (match(tree, f"{group}/{entry}".strip("/")) for entry in ("", *entries))
    return next((contents for contents in found if contents is not None), None)


def _fits(tree: Tree, group: str, layout: Layout) -> bool:
    return all(any(_is_there(tree, group, p) for p in paths) for paths in layout.require)


def _is_there(tree: Tree, group: str, path: str) -> bool:
    if "@" in path:
        owner, name = path.split("@", 1)
        return tree.attribute(f"{group}/{owner}".strip("/"), name) is not None
    if ANY in path:
        return bool(matches(tree, f"{group}/{path}"))
    return exists(tree, f"{group}/{path}")
