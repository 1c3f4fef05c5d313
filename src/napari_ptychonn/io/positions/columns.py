"""Which column of an array of positions is y and which is x, and whether the file names them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array, Tree
from napari_ptychonn.io.units import Unit, as_text, unit_in_name

_NAMES = ("axes", "columns", "column_names", "names", "labels", "order", "fields")
"""Attributes that writers name columns in."""

_COMPACT = re.compile(r"[xyz]{2,3}")
_ENDING = re.compile(r".*?([xyz]{2,3})")
_LETTER = re.compile(r"(?<![a-z])([xyz])(?![a-z])")
_MOST = 2**20


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where the coordinates are.

    Attributes
    ----------
    y, x : int
        Columns (rows of an array (2, n) or (3, n)).
    is_named : bool
        Whether the file says so.
    count : int
        How many columns there are.
    """

    y: int
    x: int
    is_named: bool
    count: int

    @classmethod
    def of(cls, tree: Tree, array: Array) -> Columns:
        """Ask the attributes of an array, then the end of its name; guess otherwise."""
        count = 3 if 3 in array.shape[-2:] else 2
        named = (_named(tree.attribute(array.path, name)) for name in _NAMES)
        ending = _ENDING.fullmatch(array.path.lower())
        for letters in (*named, list(ending[1]) if ending else []):
            if {"x", "y"} <= set(letters[:count]):
                return cls(y=letters.index("y"), x=letters.index("x"), is_named=True, count=count)
        if count == 2:
            return cls(y=0, x=1, is_named=False, count=2)
        first = 1 if _counts(array) else 0
        return cls(y=first + 1, x=first, is_named=False, count=3)

    @property
    def is_leading(self) -> bool:
        """Whether they are the first two."""
        return {self.y, self.x} == {0, 1}

    @property
    def note(self) -> str | None:
        """Note on what was assumed; None where the file names the columns."""
        if self.is_named:
            return None
        if self.count == 2:
            return "The file does not name the order of the coordinates; assumed (y, x)."
        order = "(x, y, z)" if self.is_leading else "(number, x, y), because the first one counts"
        return f"The file does not name the columns of its positions; assumed {order}."


def units_of_columns(tree: Tree, array: Array) -> tuple[Unit | None, ...]:
    """Return the units in names of columns, as of ['y_um', 'x_mm']; empty where none has one."""
    for name in _NAMES:
        units = tuple(map(unit_in_name, _words(tree.attribute(array.path, name))))
        if any(units):
            return units
    return ()


def _named(names: Any | None) -> list[str]:
    """Letters of the columns, '' for what is no coordinate: of 'x, y', 'yx' or ['n', 'y_um']."""
    found = [_LETTER.search(word.lower().replace("_", " ")) for word in _words(names)]
    return ["" if match is None else match[1] for match in found]


def _words(names: Any | None) -> list[str]:
    """Divide the names of columns."""
    if names is None:
        return []
    words = [as_text(value) for value in np.atleast_1d(names).ravel().tolist()]
    if len(words) != 1:
        return words
    text = words[0].strip(" ()[]")
    return list(text) if _COMPACT.fullmatch(text.lower()) else re.split(r"[\s,;:/]+", text)


def _counts(array: Array) -> bool:
    """Whether the first of three columns is 0, 1, 2, … or 1, 2, 3, …."""
    if math.prod(array.shape) > _MOST or array.dtype.kind not in "iuf" or len(array.shape) != 2:
        return False
    try:
        values = np.asarray(array.read(), dtype=np.float64)
    except InputError:  # a damaged array is reported where it is used
        return False
    first = values[:, 0] if values.shape[1] == 3 else values[0]
    return len(first) > 2 and first[0] in (0, 1) and bool((np.diff(first) == 1).all())
