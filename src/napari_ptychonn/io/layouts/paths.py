"""What is where in a file: paths, and patterns in which '*' stands for any part of one name."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from weakref import WeakKeyDictionary

from napari_ptychonn.io.containers.tree import Tree

ANY = "*"
_walked: WeakKeyDictionary[Tree, tuple[str, ...]] = WeakKeyDictionary()
_known: WeakKeyDictionary[Tree, dict[str, bool]] = WeakKeyDictionary()


def exists(tree: Tree, path: str) -> bool:
    """Whether there is something at a path, asked from the root down and each step once.

    The table of layouts asks for hundreds of paths that begin alike.
    """
    known = _known.setdefault(tree, {})
    parts = [part for part in path.split("/") if part]
    for k in range(1, len(parts) + 1):
        step = "/".join(parts[:k])
        if step not in known:
            known[step] = tree.exists(step)
        if not known[step]:
            return False
    return True


def matches(tree: Tree, pattern: str) -> list[str]:
    """List the paths of the arrays that fit a pattern, in the order of the numbers in them."""
    parts = pattern.strip("/").split("/")
    found = [path for path in _paths(tree) if _fits(path.split("/"), parts)]
    return sorted(found, key=_number_first)


def _paths(tree: Tree) -> tuple[str, ...]:
    """Walk a file once: an EIGER master leads to hundreds of others."""
    if tree not in _walked:
        _walked[tree] = tuple(array.path for array in tree.arrays())
    return _walked[tree]


def _fits(path: list[str], pattern: list[str]) -> bool:
    return len(path) == len(pattern) and all(map(fnmatchcase, path, pattern))


def _number_first(path: str) -> list[tuple[int, str]]:
    """Sort 'chunks/10' behind 'chunks/9'."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]
