"""Positions from another file: a table, or a dataset ('FILE::DATASET')."""

from __future__ import annotations

import math
from pathlib import Path

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.autodetect.recognise import paths_of_positions, recognise_positions
from napari_ptychonn.io.containers.tree import Tree
from napari_ptychonn.io.layouts.resolved import ResolvedLayout, match_entry
from napari_ptychonn.io.location import SEPARATOR, Location
from napari_ptychonn.io.positions.positions import read_positions
from napari_ptychonn.io.positions.tables import ENDINGS, Table, load_table
from napari_ptychonn.io.readers.neighbours import read_frame_numbers
from napari_ptychonn.io.sandbox.opening import open_tree


def open_positions_source(location: Location, lead: tuple[int, ...]) -> ResolvedLayout | Table:
    """Open the positions of another file.

    Parameters
    ----------
    location : Location
        A text or .mda table, or an HDF5, NumPy or MATLAB file, and perhaps a
        dataset or group in it.
    lead : tuple of int
        Scan axes of the frames that they are to place; their number decides
        between datasets where none is named.

    Returns
    -------
    Contents or Table
        The caller closes the tree of contents.

    Raises
    ------
    InputError
        When there are no positions in it.
    """
    file = location.must_exist()
    if file.suffix.lower() in ENDINGS:
        if location.group:
            raise InputError(
                f"{file} is a table, which has no datasets: leave out {SEPARATOR}{location.group}."
            )
        return load_table(file)
    tree = open_tree(Location(file=file))
    try:
        return _found_in(tree, location.group, lead)
    except InputError:
        tree.close()
        raise


def list_positions_sources(file: Path, lead: tuple[int, ...]) -> tuple[str, ...]:
    """List what may be given as the positions of a file: it, or each dataset that fits.

    Parameters
    ----------
    file : Path
        See `open_positions_source`.
    lead : tuple of int
        Scan axes of the frames.
    """
    if file.suffix.lower() in ENDINGS:
        return (str(file),)
    with open_tree(Location(file=file)) as tree:
        known = match_entry(tree)
        if known is not None and known.has_positions:
            return (str(file),)
        paths = paths_of_positions(tree, lead)
    if len(paths) < 2:
        return (str(file),)
    return tuple(f"{file}{SEPARATOR}/{path}" for path in paths)


def fits_frames(source: ResolvedLayout | Table, lead: tuple[int, ...], last: int = 0) -> bool:
    """Whether these can be the positions of frames with such scan axes.

    Parameters
    ----------
    source : Contents or Table
        See `open_positions_source`.
    lead : tuple of int
        (n,) frames, or (ny, nx) of a raster.
    last : int
        How many frames there are where the last axis counts them, as in some files.
    """
    if isinstance(source, Table):
        return source.fits(math.prod(lead))
    if read_frame_numbers(source, "position_indexes") is not None:
        return True  # joined by number; where none of them fits, that is said then
    return count_positions(source, lead) in (math.prod(lead), last)


def count_positions(source: ResolvedLayout | Table, lead: tuple[int, ...] = ()) -> int:
    """How many positions there are."""
    return len(source.values) if isinstance(source, Table) else len(read_positions(source, lead))


def _found_in(tree: Tree, name: str, lead: tuple[int, ...]) -> ResolvedLayout:
    if name and not tree.exists(name):
        raise InputError(f"{tree.file}: there is no dataset or group /{name}.")
    named = tree.array(name) if name else None
    if named is None:
        known = match_entry(tree, name)
        if known is not None and known.has_positions:
            return known
    return recognise_positions(tree, lead, name)
