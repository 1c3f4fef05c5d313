"""Find the other half of a scan that is kept in two files."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.layouts.resolved import ResolvedLayout, match_entry
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.positions.tables import ENDINGS, TEXTS, Table, read_points, read_table
from napari_ptychonn.io.sandbox.opening import open_tree

logger = logging.getLogger(__name__)

_MOST_NEIGHBOURS = 200
_MOST_ENTRIES = 20_000
_HDF5_ENDINGS = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".cxi", ".npz")
_MOST_PARTS = 4000
_CREATOR = "napari-ptychonn"
_POINT = re.compile(r"(.+)_(\d+)_(\d+)")
"""Sample and scan, line, point."""


def neighbour_with_frames(product: ResolvedLayout) -> ResolvedLayout | None:
    """Open the diffraction file that belongs to a file of positions; the caller closes its tree."""
    return _only_fitting(product, "frames", lambda other: _numbers_fit(product, other))


def neighbour_with_positions(
    diffraction: ResolvedLayout, frames: int | None = None
) -> ResolvedLayout | None:
    """Open the product that belongs to a file of frames; the caller closes its tree.

    Parameters
    ----------
    diffraction : Contents
        The file.
    frames : int, optional
        How many frames there are, where the file has only some of them.
    """
    return _only_fitting(
        diffraction, "positions", lambda other: _numbers_fit(other, diffraction, frames)
    )


def describe_search(contents: ResolvedLayout, quantity: str) -> str:
    """Say which neighbours were looked for, for the message that there was none."""
    what = (
        "a ptychodus or CXI diffraction file ('dp', 'patterns' or 'entry_1/data_1/data')"
        if quantity == "frames"
        else f"a ptychodus product ('probe_position_x_m') or positions as text ({', '.join(TEXTS)})"
    )
    return f"looked for {what} that fits it in {contents.tree.file.resolve().parent}"


def _only_fitting(
    contents: ResolvedLayout, quantity: str, fits: Callable[[ResolvedLayout], bool]
) -> ResolvedLayout | None:
    found: list[ResolvedLayout] = []
    for file in neighbours(contents.tree.file, _HDF5_ENDINGS):
        other = _opened(file)
        if other is None:
            continue
        if _offers(other, quantity) and fits(other):
            found.append(other)
        else:
            other.tree.close()
    best = _best_named(contents.tree.file, [c.tree.file for c in found])
    for other in found:
        if other.tree.file != best:
            other.tree.close()
    if found and best is None:
        names = ", ".join(c.tree.file.name for c in found)
        raise InputError(
            f"{contents.tree.file}: several files beside it fit ({names}); name the one that "
            "belongs to it alike, or move the others."
        )
    return next((c for c in found if c.tree.file == best), None)


def neighbours(file: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """List files beside a file, by name: neither hidden ones nor links that lead out of the folder.

    A link to a file in another folder has those beside the link, then those beside the file.

    Parameters
    ----------
    file : Path
        Not listed itself, nor what is part of a series with it.
    endings : tuple of str
        Of the names, in small letters.
    """
    for folder in dict.fromkeys((file.absolute().parent.resolve(), file.resolve().parent)):
        yield from _neighbours_in(folder, file, endings)


def _neighbours_in(folder: Path, file: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    with suppress(OSError):
        beside = sorted(islice(folder.iterdir(), _MOST_ENTRIES))
        # Another scan, or another part of this one, is called alike but for its number.
        series = {*series_of(file, single=False), *series_of(file, single=True)}
        others = (
            p
            for p in beside
            if p.suffix.lower() in endings
            and not p.name.startswith(".")
            and not _same(p, file)
            and p not in series
            and p.is_file()
            and p.resolve().is_relative_to(folder)
        )
        for count, path in enumerate(others):
            if count >= _MOST_NEIGHBOURS:
                logger.info("Only the first %d files beside %s were examined.", count, file)
                return
            yield path


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()


def _opened(file: Path) -> ResolvedLayout | None:
    try:
        tree = open_tree(Location(file=file))
    except InputError:
        return None
    try:
        contents = match_entry(tree)
    except InputError:
        contents = None
    if contents is None:
        tree.close()
    return contents


def _offers(other: ResolvedLayout, quantity: str) -> bool:
    if quantity == "frames":
        return other.has("frames") and not other.has_positions
    # Our own results list scan points of the joined scan, not numbers of the file.
    is_ours = other.tree.attribute("", "creator") == _CREATOR
    return other.has_positions and not other.has("frames") and not is_ours


def _numbers_fit(
    product: ResolvedLayout, diffraction: ResolvedLayout, count: int | None = None
) -> bool:
    frames = diffraction.array("frames")
    if frames is None or len(frames.shape) < 2 or not _probe_fits(product, frames.shape):
        return False
    positions = read_frame_numbers(product, "position_indexes")
    held = math.prod(frames.shape[:-2])
    numbers = read_frame_numbers(diffraction, "frame_indexes") if count in (None, held) else None
    available = np.arange(count or held) if numbers is None else numbers
    if positions is None:
        listed = product.array("positions") or product.array("position_y")
        return listed is not None and max(listed.shape) == len(available)
    return bool(np.isin(positions, available).all())


def _probe_fits(product: ResolvedLayout, frames: tuple[int, ...]) -> bool:
    probe = product.array("probe")
    return probe is None or len(probe.shape) < 2 or probe.shape[-2:] == frames[-2:]


def read_frame_numbers(contents: ResolvedLayout, quantity: str) -> NDArray[np.int64] | None:
    """Read the numbers by which frames and positions are joined; None where there are none."""
    array = contents.array(quantity)
    if array is None:
        return None
    if array.dtype.kind not in "iu" or len(array.shape) != 1:
        raise InputError(
            f"{contents.tree.file}: expected a list of whole numbers in {array.path}, "
            f"got {array.dtype} {array.shape}."
        )
    return array.read().astype(np.int64)


def _best_named(file: Path, others: list[Path]) -> Path | None:
    """Return the only neighbour, or the one that shares most words and numbers with the file."""
    if len(others) < 2:
        return others[0] if others else None
    own = _words(file)
    ranked = sorted(others, key=lambda p: len(own & _words(p)), reverse=True)
    first, second = (len(own & _words(p)) for p in ranked[:2])
    return ranked[0] if first > second else None


def _words(file: Path) -> set[str]:
    return set(re.findall(r"[a-z]+|\d+", file.stem.lower()))


def find_positions_table(file: Path, frames: int) -> Table | None:
    """Find the one table beside a file that can be of a scan of so many frames.

    Raises
    ------
    InputError
        When several can, and none is named like the file.
    """
    read = (read_table(path) for path in neighbours(file, ENDINGS))
    found = [table for table in read if table is not None]
    tables = [table for table in found if table.fits(frames)]
    if not tables:
        alike = (table for table in found if _words(table.file) <= _words(file))
        tables = [cut for table in alike if (cut := table.cut_to(frames)) is not None]
    best = _best_named(file, [t.file for t in tables])
    if tables and best is None:
        names = ", ".join(t.file.name for t in tables)
        raise InputError(
            f"{file}: several tables of positions beside it fit ({names}); name the one that "
            "belongs to it alike, or move the others."
        )
    return next((t for t in tables if t.file == best), None) or _table_of_points(file, frames)


def _table_of_points(file: Path, frames: int) -> Table | None:
    """Find the text files beside a scan that have one of its points each, named like its frames."""
    words = file.stem.split("_")
    own = {"_".join(words[: len(words) - k]) for k in range(3)}
    listed: dict[tuple[int, int], Path] = {}
    folder = file.resolve().parent
    with suppress(OSError):
        for path in islice(folder.glob("*.dat"), _MOST_ENTRIES):
            name = _POINT.fullmatch(path.stem)
            if name is not None and name[1] in own and path.resolve().is_relative_to(folder):
                listed[int(name[2]), int(name[3])] = path
    if len(listed) < 2 or len(listed) != frames:
        return None
    named = [_POINT.fullmatch(path.stem) for path in series_of(file, single=True)]
    shown = {(int(name[2]), int(name[3])) for name in named if name is not None}
    if len(shown) == frames and shown != set(listed):
        return None  # as many of each, but not of the same points
    return read_points([path for _, path in sorted(listed.items())])


def parts_of_series(contents: ResolvedLayout) -> list[ResolvedLayout]:
    """Open the other files of a scan that was written as one file for each line or point.

    Their names differ in the last number only, or, for one frame a file, in
    the last two (line and point).

    Returns
    -------
    list of Contents
        In the order of the numbers, with `contents` among them; the caller
        closes their trees.  Empty where there are no others.
    """
    array = contents.array("frames")
    if array is None:
        return []
    parts: list[ResolvedLayout] = []
    for file in series_of(contents.tree.file, single=len(array.shape) == 2):
        same = _same(file, contents.tree.file)
        part = contents if same else _opened(file)
        frames = None if part is None else part.array("frames")
        if part is None or frames is None or frames.shape[-2:] != array.shape[-2:]:
            for opened in (*parts, *(() if part is None else (part,))):
                if opened is not contents:
                    opened.tree.close()
            return []
        parts.append(part)
    return parts if len(parts) > 1 else []


def series_of(file: Path, *, single: bool) -> list[Path]:
    """List files whose names differ from this one's in the last number (or two) only, in order."""
    numbers = r"(\d+)_(\d+)" if single else r"(\d+)"
    own = re.fullmatch(rf"(.*?){numbers}(\D*)", file.name.removesuffix(file.suffix))
    if own is None:
        return []
    prefix, tail = own.group(1), own.groups()[-1] + file.suffix
    pattern = re.compile(re.escape(prefix) + numbers + re.escape(tail))
    found = []
    with suppress(OSError):
        for path in file.resolve().parent.iterdir():
            match = pattern.fullmatch(path.name)
            if match is not None:
                found.append((tuple(map(int, match.groups())), path))
    if len(found) > _MOST_PARTS:
        logger.info("%s: %d files are named like it, too many for a scan.", file, len(found))
        return []
    return [path for _, path in sorted(found)]
