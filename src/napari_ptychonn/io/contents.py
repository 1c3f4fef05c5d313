"""A file seen through a layout: ask for a quantity, get the array or the number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_ptychonn.core.errors import InputError
from napari_ptychonn.io.layouts import LAYOUTS, Field, Layout
from napari_ptychonn.io.tree import Array, Tree

_ENTRIES = ("entry_1", "entry", "entry1")


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
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
    """

    tree: Tree
    layout: Layout
    group: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def what(self) -> str:
        """File and group, for messages."""
        return f"{self.tree.file}::/{self.group}" if self.group else str(self.tree.file)

    def array(self, quantity: str) -> Array | None:
        """Return the array of a quantity, by its name in `Layout`."""
        for path in self._paths(quantity):
            if "@" not in path and (array := self.tree.array(path)) is not None:
                return array
        return None

    def value(self, quantity: str) -> Any | None:
        """Return the stored scalar of a quantity, unscaled: a one-element array or an attribute."""
        for path in self._paths(quantity):
            value = self._value_at(path)
            if value is not None:
                return value
        return None

    def number(self, quantity: str) -> float | None:
        """Return a scalar in SI units; None where it is missing, zero or no number."""
        where: Field | None = getattr(self.layout, quantity)
        for path in self._paths(quantity):
            number = _as_number(self._value_at(path))
            # Writers put 0 where they do not know; real products have a 0 probe pixel.
            if where is not None and number:
                return number * where.scale
        return None

    def text(self, quantity: str) -> str | None:
        """Return a scalar as text."""
        value = self.value(quantity)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        return str(value) if value is not None and str(value) else None

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

    def _paths(self, quantity: str) -> Iterator[str]:
        where: Field | None = getattr(self.layout, quantity)
        for path in where.paths if where is not None else ():
            yield f"{self.group}/{path}" if self.group and path[0] != "@" else f"{self.group}{path}"

    def _value_at(self, path: str) -> Any | None:
        if "@" in path:
            return self.tree.attribute(*path.split("@", 1))
        array = self.tree.array(path)
        if array is None:
            return None
        if math.prod(array.shape) != 1:
            return None
        return array.read().reshape(-1)[0]


def _as_number(value: Any | None) -> float | None:
    try:
        number = float(np.asarray(value).reshape(-1)[0]) if value is not None else None
    except (TypeError, ValueError, IndexError):
        return None
    return number if number is not None and np.isfinite(number) else None


def match(tree: Tree, group: str = "") -> Contents | None:
    """Find the first row of the table that a group fits, or None."""
    for layout in LAYOUTS:
        if layout.container == tree.container and _fits(tree, group, layout):
            return Contents(tree=tree, layout=layout, group=group)
    return None


def match_entry(tree: Tree, group: str = "") -> Contents | None:
    """Like `match`, looking into NeXus and CXI entries ('entry_1', ...) of the group too."""
    entries = [g for g in _ENTRIES if tree.exists(f"{group}/{g}")]
    found = (match(tree, f"{group}/{entry}".strip("/")) for entry in ("", *entries))
    return next((contents for contents in found if contents is not None), None)


def _fits(tree: Tree, group: str, layout: Layout) -> bool:
    return all(any(tree.exists(f"{group}/{p}") for p in paths) for paths in layout.require)


def must_be_there(contents: Contents, quantity: str, expected: str) -> Array:
    """Return the array, or an InputError that says what was looked for."""
    array = contents.array(quantity)
    if array is None:
        where: Field | None = getattr(contents.layout, quantity)
        paths = ", ".join(where.paths) if where is not None else "nowhere"
        raise InputError(f"{contents.what}: expected {expected} ({paths}), found none.")
    return array
