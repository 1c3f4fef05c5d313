"""Find everything that a scan is read from: its own file, and perhaps files beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.autodetect.recognise import recognise, why_not_labels
from napari_ptychonn.io.containers.series import SeriesArray
from napari_ptychonn.io.containers.tree import Array, Tree
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.layouts.resolved import ResolvedLayout, match, match_entry
from napari_ptychonn.io.layouts.user import user_layouts
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.positions.matching import FrameMatching, match_frames
from napari_ptychonn.io.positions.positions import Positions, read_positions
from napari_ptychonn.io.positions.raster import unit_raster
from napari_ptychonn.io.positions.tables import Table
from napari_ptychonn.io.readers.neighbours import (
    describe_search,
    find_positions_table,
    neighbour_with_frames,
    neighbour_with_positions,
    parts_of_series,
    read_frame_numbers,
)
from napari_ptychonn.io.readers.positions_source import (
    count_positions,
    fits_frames,
    open_positions_source,
)
from napari_ptychonn.io.readers.ptychosaxs import open_lines
from napari_ptychonn.io.sandbox.opening import open_tree

_SMALLEST_FRAME = 4
_MOST_FRAMES = 50_000_000
POSITIONS_FROM = "Positions come from"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sources:
    """Where the parts of a scan come from.

    Attributes
    ----------
    frames : Contents
        What has the frames (and usually everything else).
    positions_source : Contents or None
        What has the positions; None when a table has them, or nothing.
    table : Table or None
        A text file of positions.
    parts : tuple of Contents
        All files that the frames are in, where that is more than one.
    notes : tuple of str
        Which neighbour was used.
    """

    frames: ResolvedLayout
    positions_source: ResolvedLayout | None = None
    table: Table | None = None
    parts: tuple[ResolvedLayout, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def array(self) -> Array:
        """The frames as stored; InputError when they are not frames."""
        array = self.frames.array("frames")
        what = self.frames.tree.file
        if self.parts:
            array = _in_series(self.parts)
        if array is None:
            raise InputError(f"{what}: expected diffraction frames, found none.")
        if len(array.shape) == 2 and min(array.shape) >= _SMALLEST_FRAME:
            array = SeriesArray([array], str(what))
        if len(array.shape) < 3 or math.prod(array.shape) == 0:
            raise InputError(
                f"{what}: expected frames (n, ky, kx) in {array.path}, got shape {array.shape}."
            )
        if math.prod(array.shape[:-2]) > _MOST_FRAMES:
            raise InputError(
                f"{what}: {array.path} declares shape {array.shape}; expected at most "
                f"{_MOST_FRAMES:,} frames."
            )
        if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
            raise InputError(
                f"{what}: expected counts in {array.path}, got numbers of type {array.dtype}."
            )
        return array

    @property
    def lead(self) -> tuple[int, ...]:
        """Scan axes of the frames: (n,), or (ny, nx) for a raster."""
        return self.array.shape[:-2]

    @property
    def is_raster(self) -> bool:
        """Whether the frames are stored as rows and columns of a raster."""
        return len(self.lead) > 1 and min(self.lead[-2:]) > 1

    @cached_property
    def positions(self) -> Positions:
        """Positions of the scan, before any shift."""
        if self.positions_source is self.frames:
            return read_positions(self.frames, self.lead)
        layout = self.frames.layout
        return self._separate_positions().turned(swap=layout.beside_swap, flip=layout.beside_flip)

    @cached_property
    def matching(self) -> FrameMatching:
        """Which frame belongs to which position; see `match_frames`."""
        return self.match_frames(self.positions)

    def _separate_positions(self) -> Positions:
        """Positions that the frames' own layout does not name."""
        if self.positions_source is not None:
            return read_positions(self.positions_source, self.lead)
        if self.table is not None:
            return self._positions_of(self.table)
        if not self.is_raster:
            raise InputError(
                f"{self.frames.tree.file}: found {format_count(math.prod(self.lead), 'frame')} "
                "but no scan "
                f"positions; {describe_search(self.frames, 'positions')} and found none."
            )
        steps = " x ".join(str(n) for n in self.lead)
        note = (
            f"No positions in the file: the {steps} frames are shown as a raster with a step of "
            "1 pixel, which is not the true step."
        )
        return Positions(values=unit_raster(self.lead), unit="pixel", notes=(note,))

    def _positions_of(self, table: Table) -> Positions:
        angle = self.frames.number("stage_angle") if table.turned else None
        found = Positions(
            values=table.values, unit=table.unit, notes=table.notes, warnings=table.warnings
        )
        if angle is None:
            return found
        along = np.array([1.0, math.cos(math.radians(angle))])
        note = f"The stage is turned by {angle:g}°; x was shortened by the cosine."
        return replace(found, values=found.values * along, notes=(*found.notes, note))

    def match_frames(self, positions: Positions) -> FrameMatching:
        """Say which frame belongs to which position."""
        numbered = self.positions_source if self.positions_source is not None else self.frames
        numbers = read_frame_numbers(numbered, "position_indexes")
        if self.table is not None:
            numbers = self.table.numbers
        array = self.array
        frames = math.prod(self.lead)
        if _frame_axis_is_last(array, len(positions)):
            frames = array.shape[-1]
        return match_frames(
            str(self.frames.tree.file),
            frames,
            positions.values,
            None if self.parts else read_frame_numbers(self.frames, "frame_indexes"),
            numbers,
        )

    def frame_axis_is_last(self, positions: int) -> bool:
        """Whether frames are stored as (ky, kx, n), as the SLAC files are."""
        return _frame_axis_is_last(self.array, positions)


def _in_series(parts: Sequence[ResolvedLayout]) -> Array:
    arrays = [array for part in parts if (array := part.array("frames")) is not None]
    return SeriesArray(arrays, str(parts[0].tree.file))


def _frame_axis_is_last(array: Array, positions: int) -> bool:
    if len(array.shape) != 3 or positions < 2:
        return False
    return array.shape[0] != positions and array.shape[-1] == positions


@contextmanager
def open_sources(
    location: Location, layout: Layout | None = None, positions: Location | None = None
) -> Iterator[Sources]:
    """Open what a scan is read from; everything is closed on leaving.

    Parameters
    ----------
    location : Location
        A file, and perhaps a group in it.
    layout : Layout, optional
        How the file is laid out, where that is known better than by looking.
    positions : Location, optional
        A file, and perhaps a dataset in it, whose positions are used instead of
        what would be found.

    Raises
    ------
    InputError
        When there are no frames in the file, in the group or beside them.
    """
    with (
        open_tree(location) as tree,
        sources_of_tree(tree, location.group, layout, positions) as sources,
    ):
        yield sources


@contextmanager
def sources_of_tree(
    tree: Tree, group: str = "", layout: Layout | None = None, positions: Location | None = None
) -> Iterator[Sources]:
    """Find what a scan is read from, starting at an open file; see `open_sources`."""
    lines = _in_lines(tree, layout) if positions is None and not group else None
    if lines is not None:
        sources = lines
    else:
        contents = (
            scan_contents(tree, group)
            if layout is None
            else ResolvedLayout(tree=tree, layout=layout, notes=layout.notes)
        )
        sources = (
            _with_neighbour(contents) if positions is None else _placed_by(contents, positions)
        )
    try:
        yield sources
    finally:
        for part in (sources.frames, sources.positions_source, *sources.parts):
            if part is not None and part.tree is not tree:
                part.tree.close()


def _in_lines(tree: Tree, layout: Layout | None) -> Sources | None:
    """Recognise a scan by what lies beside the file and is named like it.

    A layout without positions that the user chose is one for each line; one of
    the user's own comes first.
    """
    if layout is not None and layout.has_positions:
        return None
    opened = open_lines(tree)
    if opened is None:
        return None
    lines, table = opened
    known = match(tree) if layout is None else None
    if known is not None and known.layout in user_layouts():
        for line in lines:
            if line.tree is not tree:
                line.tree.close()
        return None
    if layout is not None:
        lines = tuple(replace(line, layout=layout, notes=layout.notes) for line in lines)
    notes = (*lines[0].notes, *((_note_on_parts(lines),) if len(lines) > 1 else ()))
    return Sources(frames=lines[0], table=table, parts=lines, notes=notes)


def scan_contents(tree: Tree, group: str) -> ResolvedLayout:
    """Find the scan of a file: in the group that was named, else in the file as a whole."""
    if group and not tree.exists(group):
        raise InputError(f"{tree.file}: there is no group /{group}.")
    if group:
        inside = match_entry(tree, group)
        if inside is not None and inside.has("frames"):
            return inside
        try:
            return recognise(tree, group)
        except InputError:
            pass  # A group may name a reconstruction; the scan is then that of the file.
    found = match_entry(tree)
    return found if found is not None else recognise(tree)


def _with_neighbour(contents: ResolvedLayout) -> Sources:
    if not contents.has("frames"):
        return _with_frames(contents)
    if (gap := contents.gap()) is not None:
        contents = replace(contents, warnings=(*contents.warnings, gap))
    notes = contents.notes
    if contents.has_positions:
        return Sources(frames=contents, positions_source=contents, notes=notes)
    found = _with_positions(contents, _count(contents), notes)
    if found is not None:
        return found
    if (inside := _recognised_positions(contents)) is not None:
        return replace(inside, notes=(*notes, *inside.notes))
    return _as_series(contents, notes) or Sources(frames=contents, notes=notes)


def _placed_by(contents: ResolvedLayout, location: Location) -> Sources:
    """Take the positions of a file chosen by the user."""
    file = location.file
    array = contents.array("frames")
    if array is None:
        raise InputError(f"{contents.description}: holds no frames that {file.name} could place.")
    positions_source = open_positions_source(location, array.shape[:-2])
    try:
        parts = _parts_placed_by(contents, array, positions_source)
    except InputError:
        if isinstance(positions_source, ResolvedLayout):
            positions_source.tree.close()
        raise
    notes = (*contents.notes, f"{POSITIONS_FROM} {file.name}, as chosen.")
    if parts:
        notes = (*notes, _note_on_parts(parts))
    if isinstance(positions_source, Table):
        return Sources(frames=contents, table=positions_source, parts=parts, notes=notes)
    notes = (*notes, *positions_source.layout.notes)
    return Sources(frames=contents, positions_source=positions_source, parts=parts, notes=notes)


def _parts_placed_by(
    contents: ResolvedLayout, array: Array, positions_source: ResolvedLayout | Table
) -> tuple[ResolvedLayout, ...]:
    """Files whose frames are placed together; none where those of the one file are.

    Raises
    ------
    InputError
        When there are more or fewer positions than frames.
    """
    lead, last = array.shape[:-2], array.shape[-1] if len(array.shape) == 3 else 0
    if fits_frames(positions_source, lead, last):
        return ()
    parts = parts_of_series(contents)
    if parts and fits_frames(positions_source, (sum(_count(part) for part in parts),)):
        return tuple(parts)
    for part in parts:
        if part is not contents:
            part.tree.close()
    file = (
        positions_source.file if isinstance(positions_source, Table) else positions_source.tree.file
    )
    raise InputError(
        f"{file}: has {format_count(count_positions(positions_source, lead), 'position')}, which "
        "are not those of the "
        f"{format_count(math.prod(lead), 'frame')} of {contents.tree.file.name}."
    )


def _note_on_parts(parts: Sequence[ResolvedLayout]) -> str:
    return (
        f"The frames are in {len(parts)} files, {parts[0].tree.file.name} to "
        f"{parts[-1].tree.file.name}."
    )


def _count(contents: ResolvedLayout) -> int:
    array = contents.array("frames")
    return 0 if array is None else math.prod(array.shape[:-2])


def _with_positions(
    contents: ResolvedLayout, frames: int, notes: tuple[str, ...]
) -> Sources | None:
    """Find the positions of so many frames beside a file."""
    product = neighbour_with_positions(contents, frames)
    if product is not None:
        note = f"{POSITIONS_FROM} {product.tree.file.name}, found beside it."
        return Sources(
            frames=contents, positions_source=product, notes=(*notes, note, *product.layout.notes)
        )
    table = find_positions_table(contents.tree.file, frames)
    if table is None:
        return None
    note = f"{POSITIONS_FROM} {table.file.name}, found beside it."
    return Sources(frames=contents, table=table, notes=(*notes, note))


def _recognised_positions(contents: ResolvedLayout) -> Sources | None:
    """Search the file for positions that its layout does not name."""
    if contents.layout.has_positions or contents.tree.container != "HDF5":
        return None
    try:
        found = recognise(contents.tree)
    except InputError:
        return None
    array = found.array("frames")
    same = array is not None and array.shape[:-2] == contents.array("frames").shape[:-2]  # type: ignore[union-attr]
    if not same or not found.has_positions:
        return None
    return Sources(frames=contents, positions_source=found, notes=found.notes)


def _as_series(contents: ResolvedLayout, notes: tuple[str, ...]) -> Sources | None:
    """Take files that are numbered like this one for one scan, where positions fit all of them."""
    parts = parts_of_series(contents)
    if not parts:
        return None
    found = _with_positions(contents, sum(_count(part) for part in parts), notes)
    if found is None:
        for part in parts:
            if part is not contents:
                part.tree.close()
        return None
    return replace(found, parts=tuple(parts), notes=(*found.notes, _note_on_parts(parts)))


def _with_frames(product: ResolvedLayout) -> Sources:
    if (why := why_not_labels(product)) is not None:
        raise InputError(f"{product.tree.file}: {why}.")
    frames = neighbour_with_frames(product)
    if frames is None:
        raise InputError(
            f"{product.tree.file}: a {product.layout.name} without diffraction frames; "
            f"{describe_search(product, 'frames')} and found none."
        )
    note = f"Diffraction frames come from {frames.tree.file.name}, found beside it."
    return Sources(
        frames=frames, positions_source=product, notes=(*product.notes, *frames.notes, note)
    )
