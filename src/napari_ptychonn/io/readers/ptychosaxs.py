"""Processed scans of APS 12-ID (PtychoSAXS): a master, and a file for each line beside it.

`star_0042_00001.h5` has the frames of a line in `dp` and its positions in `positions`:
y in column 1 and x, negated, in column 2, nm.  `star_0042_master.h5` names the beam
in its attribute `beam_center_YX`, which is what tells these files from others
that have datasets of the same names.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Tree
from napari_ptychonn.io.layouts.layout import Field, Layout
from napari_ptychonn.io.layouts.resolved import ResolvedLayout
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.positions.tables import Table
from napari_ptychonn.io.readers.neighbours import series_of
from napari_ptychonn.io.sandbox.opening import open_tree

NAME = "APS 12-ID, processed"
_MASTER = "_master"
_BEAM = "beam_center_YX"
_NANO = 1e-9
_PITCH = 172e-6
_LINE = re.compile(r"(.+)_(\d+)")

_NOTE = (
    "Lines of APS 12-ID, processed: y in column 1 and x, negated, in column 2 of positions, nm. "
    "The detector pixel of 172 µm is that of the instrument's Pilatus, not in the file."
)


def open_lines(tree: Tree) -> tuple[tuple[ResolvedLayout, ...], Table] | None:
    """Open the lines of the scan that a file is the master or a line of.

    Returns
    -------
    lines : tuple of Contents
        In the order of their numbers; the caller closes those trees that are not `tree`.
    table : Table
        The positions of all of them.

    None where the file is something else.

    Raises
    ------
    InputError
        When a line has no frames, or not as many positions.
    """
    if tree.container != "HDF5":
        return None
    master, beam = _master_of(tree)
    files = [] if beam is None else _lines_of(master)
    if beam is None or not files:
        return None
    layout = Layout(
        name=NAME,
        require=(("dp",), ("positions",)),
        frames=Field.at("dp"),
        beam_y=Field(constant=beam[0]),
        beam_x=Field(constant=beam[1]),
        pitch_y=Field(constant=_PITCH),
        pitch_x=Field(constant=_PITCH),
    )
    lines: list[ResolvedLayout] = []
    try:
        for file in files:
            is_given = file == tree.file.resolve()
            opened = tree if is_given else open_tree(Location(file=file))
            lines.append(ResolvedLayout(tree=opened, layout=layout))
        positions = np.concatenate([_positions(line) for line in lines])
    except InputError:
        for line in lines:
            if line.tree is not tree:
                line.tree.close()
        raise
    table = Table(file=master, values=positions, unit="m", notes=(_NOTE,))
    return tuple(lines), table


def _master_of(tree: Tree) -> tuple[Path, tuple[float, float] | None]:
    """The master of a file, and its beam centre, pixels (y, x)."""
    file = tree.file.resolve()
    if file.stem.endswith(_MASTER):
        return file, _beam(tree)
    line = _LINE.fullmatch(file.stem)
    if line is None:
        return file, None
    master = file.with_name(f"{line[1]}{_MASTER}{file.suffix}")
    if not master.is_file() or not tree.exists("dp") or not tree.exists("positions"):
        return file, None
    with suppress(InputError), open_tree(Location(file=master)) as opened:
        return master, _beam(opened)
    return file, None


def _beam(master: Tree) -> tuple[float, float] | None:
    try:
        centre = np.asarray(master.attribute("", _BEAM), dtype=np.float64).ravel()
    except (TypeError, ValueError):
        return None
    if len(centre) < 2 or not np.isfinite(centre[:2]).all():
        return None
    y, x = np.rint(centre[:2])
    return float(y), float(x)


def _lines_of(master: Path) -> list[Path]:
    """Every line beside a master, by number."""
    prefix = master.stem.removesuffix(_MASTER)
    own = re.compile(rf"{re.escape(prefix)}_\d+{re.escape(master.suffix)}")
    with suppress(OSError):
        first = next((p for p in master.parent.iterdir() if own.fullmatch(p.name)), None)
        return [] if first is None else series_of(first, single=False)
    return []


def _positions(line: ResolvedLayout) -> NDArray[np.float64]:
    """(n, 2) as (y, x), m."""
    frames, positions = line.array("frames"), line.tree.array("positions")
    what = line.tree.file
    if frames is None or len(frames.shape) != 3:
        raise InputError(f"{what}: expected the frames (n, ky, kx) of a scan line in dp.")
    count = frames.shape[0]
    if positions is None or len(positions.shape) != 2 or positions.shape[1] < 3:
        found = "nothing" if positions is None else f"shape {positions.shape}"
        raise InputError(f"{what}: expected positions ({count}, 3) in positions, found {found}.")
    if positions.shape[0] != count or positions.dtype.kind not in "iuf":
        raise InputError(
            f"{what}: expected as many positions as the {format_count(count, 'frame')} of the "
            "line, got "
            f"{positions.dtype} {positions.shape}."
        )
    return np.asarray(positions.read()[:, 1:3], np.float64) * (_NANO, -_NANO)
