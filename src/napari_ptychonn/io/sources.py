"""Everything one scan is read from: its own file, and perhaps a neighbour."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from napari_ptychonn.core.errors import InputError
from napari_ptychonn.io.companion import (
    Table,
    looked_for,
    neighbour_with_frames,
    neighbour_with_positions,
    read_numbers,
    table_of_positions,
    unit_of,
)
from napari_ptychonn.io.contents import Contents, match_entry
from napari_ptychonn.io.joining import Joined, join
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.opening import open_tree
from napari_ptychonn.io.positions import Positions, read_positions
from napari_ptychonn.io.raster import unit_raster
from napari_ptychonn.io.recognition import recognise
from napari_ptychonn.io.tree import Array, Tree


@dataclass(frozen=True, kw_only=True, eq=False)
class Sources:
    """Where the parts of a scan come from.

    Attributes
    ----------
    frames : Contents
        What has the frames (and usually everything else).
    places : Contents or None
        What has the positions; None when a table has them, or nothing.
    table : Table or None
        A text file of positions.
    notes : tuple of str
        Which neighbour was used.
    """

    frames: Contents
    places: Contents | None = None
    table: Table | None = None
    notes: tuple[str, ...] = ()

    @property
    def array(self) -> Array:
        """The frames as stored; InputError when they are not frames."""
        array = self.frames.array("frames")
        what = self.frames.tree.file
        if array is None:
            raise InputError(f"{what}: expected diffraction frames, found none.")
        if len(array.shape) < 3 or math.prod(array.shape) == 0:
            raise InputError(
                f"{what}: expected frames (n, ky, kx) in {array.path}, got shape {array.shape}."
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

    def positions(self) -> Positions:
        """Positions of the scan, before any shift."""
        if self.places is not None:
            return read_positions(self.places, self.lead)
        if self.table is not None:
            unit, notes = unit_of(self.table)
            return Positions(values=self.table.values, unit=unit, notes=notes)
        if not self.is_raster:
            raise InputError(
                f"{self.frames.tree.file}: found {math.prod(self.lead)} frames but no scan "
                f"positions; {looked_for(self.frames, 'positions')} and found none."
            )
        steps = " x ".join(str(n) for n in self.lead)
        note = (
            f"No positions in the file: the {steps} frames are shown as a raster with a step of "
            "1 pixel, which is not the true step."
        )
        return Positions(values=unit_raster(self.lead), unit="pixel", notes=(note,))

    def join(self, positions: Positions) -> Joined:
        """Say which frame belongs to which position."""
        numbered = self.places if self.places is not None else self.frames
        array = self.array
        count = math.prod(self.lead)
        if _frame_axis_is_last(array, len(positions)):
            count = array.shape[-1]
        return join(
            str(self.frames.tree.file),
            count,
            positions.values,
            read_numbers(self.frames, "frame_indexes"),
            read_numbers(numbered, "position_indexes"),
        )

    def frame_axis_is_last(self, positions: int) -> bool:
        """Whether frames are stored as (ky, kx, n), as the SLAC files are."""
        return _frame_axis_is_last(self.array, positions)


def _frame_axis_is_last(array: Array, positions: int) -> bool:
    if len(array.shape) != 3 or positions < 2:
        return False
    return array.shape[0] != positions and array.shape[-1] == positions


@contextmanager
def gather(location: Location) -> Iterator[Sources]:
    """Open what a scan is read from; everything is closed on leaving.

    Raises
    ------
    InputError
        When there are no frames in the file, in the group or beside them.
    """
    with open_tree(location) as tree:
        contents = scan_contents(tree, location.group)
        sources = _with_neighbour(contents)
        try:
            yield sources
        finally:
            for part in (sources.frames, sources.places):
                if part is not None and part.tree is not tree:
                    part.tree.close()


def scan_contents(tree: Tree, group: str) -> Contents:
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


def _with_neighbour(contents: Contents) -> Sources:
    if not contents.has("frames"):
        return _with_frames(contents)
    if contents.has_positions:
        return Sources(frames=contents, places=contents, notes=contents.notes)
    product = neighbour_with_positions(contents)
    if product is not None:
        note = f"Positions come from {product.tree.file.name}, found beside it."
        return Sources(frames=contents, places=product, notes=(*contents.notes, note))
    array = contents.array("frames")
    frames = math.prod(array.shape[:-2]) if array is not None else 0
    table = table_of_positions(contents.tree.file, frames)
    if table is not None:
        note = f"Positions come from {table.file.name}, found beside it, taken as (y, x)."
        return Sources(frames=contents, table=table, notes=(*contents.notes, note))
    return Sources(frames=contents, notes=contents.notes)


def _with_frames(product: Contents) -> Sources:
    frames = neighbour_with_frames(product)
    if frames is None:
        raise InputError(
            f"{product.tree.file}: a {product.layout.name} without diffraction frames; "
            f"{looked_for(product, 'frames')} and found none."
        )
    note = f"Diffraction frames come from {frames.tree.file.name}, found beside it."
    return Sources(frames=frames, places=product, notes=(*product.notes, note))
