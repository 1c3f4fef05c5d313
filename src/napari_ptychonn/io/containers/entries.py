"""What is directly below a group, and which numbers there are anywhere in a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.entry import FEW, Entry, as_text, attribute_entry
from napari_ptychonn.io.containers.tree import Array, Tree

MOST = 1000
"""Lines below one group that are listed; an EIGER master may lead to as many data files."""

_MOST_GROUPS = 300
_MOST_STACKS = 30


def number_text(array: Array) -> str:
    """Read what is worth showing in a line: a few numbers; '' where there are more."""
    if math.prod(array.shape) > FEW or array.dtype.kind not in "biuf":
        return ""
    values: NDArray[Any] = np.asarray(array.read())
    return as_text(values)


def entries_among(
    arrays: Iterable[Array], group: str, attributes: Mapping[tuple[str, str], Any] | None = None
) -> list[Entry]:
    """List what is directly below a group of a file that is no more than arrays by path."""
    group = group.strip("/")
    prefix = f"{group}/" if group else ""
    found: dict[str, Entry] = {}
    for array in arrays:
        if not array.path.startswith(prefix):
            continue
        name, _, below = array.path.removeprefix(prefix).partition("/")
        path = prefix + name
        if below:
            found.setdefault(path, Entry(path=path, kind="group", leaf=False))
        else:
            found[path] = _of_array(array)
    named = [
        made
        for (owner, name), value in (attributes or {}).items()
        if owner == group and (made := attribute_entry(owner, name, value)) is not None
    ]
    return shortened([*named, *found.values()], group)


def _of_array(array: Array) -> Entry:
    about = {"path": array.path, "shape": tuple(array.shape), "type": str(array.dtype)}
    try:
        return Entry(kind="array", value=number_text(array), **about)  # type: ignore[arg-type]
    except InputError as error:
        return Entry(kind="broken", problem=str(error), **about)  # type: ignore[arg-type]


def shortened(branches: list[Entry], group: str, total: int | None = None) -> list[Entry]:
    """Truncate a list that is too long, with a last entry for the rest."""
    left = (len(branches) if total is None else total) - MOST
    if left <= 0:
        return branches
    rest = Entry(path=f"{group}/…", kind="rest", value=f"{left} more are not listed")
    return [*branches[:MOST], rest]


def numbers_of(tree: Tree) -> list[Entry]:
    """List single numbers, nearest to the root first: energies, distances, sizes of pixels.

    Datasets and attributes alike; of the groups and stacks of a file, the
    first few hundred are looked into.
    """
    stacks = (array.path for array in tree.arrays() if len(array.shape) > 2)
    owners = ["", *islice(tree.groups(), _MOST_GROUPS), *islice(stacks, _MOST_STACKS)]
    found: dict[str, Entry] = {}
    for owner in owners:
        found |= {b.path: b for b in tree.branches(owner) if b.is_number}
    return list(found.values())
