"""Inspect a file for the import dialog: its entries, and a first dataset mapping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.autodetect.recognise import object_groups
from napari_ptychonn.io.containers.entries import numbers_of
from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.containers.signature import Container, container_of
from napari_ptychonn.io.containers.tree import Tree
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.layouts.user import user_layouts
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.mapping.mapping import DatasetMapping
from napari_ptychonn.io.mapping.ranking import Ranking
from napari_ptychonn.io.readers.reconstructions import choose
from napari_ptychonn.io.readers.sources import Sources, sources_of_tree
from napari_ptychonn.io.sandbox.opening import open_tree

_CONTAINERS: tuple[Container, ...] = ("HDF5", "NPZ", "BZ2", "NPY", "MATLAB")


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspection:
    """A file before anything in it was chosen.

    Attributes
    ----------
    file : Path
        Which.
    top : tuple of Branch
        What is directly below its root.
    ranking : Ranking
        Everything in it that can be chosen.
    choice : Choice
        What it was recognised as, or what is plausible.
    problem : str
        Why it could not be opened by itself; '' where it could.
    name : str
        Of the user's own layout that it was read by; else ''.
    """

    file: Path
    top: tuple[Entry, ...]
    ranking: Ranking
    choice: DatasetMapping
    problem: str = ""
    name: str = ""


def inspect_file(path: str | Path, layout: Layout | None = None) -> Inspection:
    """Look through a file for everything that a person may choose from.

    Parameters
    ----------
    path : str or Path
        A file.
    layout : Layout, optional
        How it was read before, where that was chosen by hand.

    Raises
    ------
    InputError
        When it cannot be opened at all.
    """
    file = Location.parse(path).must_exist()
    with open_tree(Location(file=file)) as tree:
        top = tree.branches("")
        ranking = Ranking(arrays=_arrays(tree), numbers=_numbers(tree))
        objects = object_groups(tree)
        empty = Layout(name="", require=(), container=tree.container, object_frame="guess")
        choice, problem, name = DatasetMapping(base=empty), "", ""
        try:
            with sources_of_tree(tree, layout=layout) as sources:
                if sources.frames.tree is tree:
                    choice = DatasetMapping.of(sources, _default_object(objects))
                    name = sources.frames.layout.name
                problem = _problem(sources)
        except InputError as error:
            problem = str(error)
    own = {one.name for one in user_layouts()}
    return Inspection(
        file=file,
        top=tuple(top),
        ranking=ranking,
        choice=ranking.completed(choice) if problem or not choice.picks else choice,
        problem=problem,
        name=name if name in own else "",
    )


def holds_datasets(path: str | Path) -> bool:
    """Whether there is anything in a file that a person could choose as frames or positions."""
    try:
        file = Location.parse(path).must_exist()
        if container_of(file) not in _CONTAINERS:
            return False
        with open_tree(Location(file=file)) as tree:
            return any(
                a.dtype.kind in "iufc" and len(a.shape) > 1 and math.prod(a.shape) > 1
                for a in tree.arrays()
            )
    except (InputError, OSError):
        return False


def missing_from_scan(path: str | Path) -> str | None:
    """Say why the frames in a file make no scan; None where they do, or there are none."""
    try:
        with open_tree(Location.parse(path)) as tree:
            found = Ranking(arrays=_arrays(tree)).candidates("frames", {})
            if not found or not found[0].is_plausible:
                return None
            with sources_of_tree(tree) as sources:
                problem = _problem(sources)
    except InputError:
        return None
    return problem or None


def _problem(sources: Sources) -> str:
    """Say why these make no scan; '' where they do."""
    try:
        sources.match_frames(sources.positions)
    except InputError as error:
        return str(error)
    return ""


def list_children(file: Path, path: str) -> list[Entry]:
    """List what is directly below a group or dataset."""
    with open_tree(Location(file=file)) as tree:
        return tree.branches(path)


def _arrays(tree: Tree) -> tuple[Entry, ...]:
    return tuple(
        Entry(path=a.path, kind="array", shape=a.shape, type=str(a.dtype)) for a in tree.arrays()
    )


def _numbers(tree: Tree) -> tuple[Entry, ...]:
    try:
        return tuple(numbers_of(tree))
    except InputError:  # a damaged corner; what is chosen is looked at again
        return ()


def _default_object(objects: list[tuple[str, str]]) -> str | None:
    if not objects:
        return None
    paths = dict(objects)
    return paths[choose(sorted(paths))[0]]
