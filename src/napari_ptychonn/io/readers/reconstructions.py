"""Reconstructed objects: which a file holds, and how one is read."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Unit
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.autodetect.recognise import (
    object_groups,
    object_path,
    recognise,
    recognise_object,
    why_not_labels,
)
from napari_ptychonn.io.containers.tree import Tree
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.layouts.optics import read_optics
from napari_ptychonn.io.layouts.resolved import ResolvedLayout, match, match_entry
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.positions.matching import FrameMatching
from napari_ptychonn.io.positions.positions import Positions, read_positions
from napari_ptychonn.io.readers.geometry import (
    Pair,
    centre_shift,
    pixel_size,
    read_object,
    read_probe,
    window_shape,
)
from napari_ptychonn.io.readers.neighbours import neighbour_with_positions, read_frame_numbers
from napari_ptychonn.io.sandbox.opening import open_tree

logger = logging.getLogger(__name__)

PREFERRED = "epie"
ROOT = "/"
_ALGORITHMS = {"epie": "ePIE", "rpie": "rPIE", "pie": "PIE", "lsqml": "LSQML", "dm": "DM"}


def list_reconstructions(path: str | Path, layout: Layout | None = None) -> tuple[str, ...]:
    """List the reconstructions of a file, by the names that go after '::'.

    Parameters
    ----------
    path : str or Path
        A file, or 'FILE::/group' for what lies in that group.
    layout : Layout, optional
        How the file is laid out, instead of what it would be recognised as.

    Returns
    -------
    tuple of str
        Sorted; '/' is the file as a whole.
    """
    location = Location.parse(path)
    with open_tree(location) as tree:
        return tuple(sorted(find_objects(tree, location.group, layout)))


def choose(names: list[str]) -> tuple[str, str | None]:
    """Return the default one of several reconstructions, and a sentence that says which."""
    chosen = PREFERRED if PREFERRED in names else names[0]
    if len(names) == 1:
        return chosen, None
    others = ", ".join(n for n in names if n != chosen)
    return chosen, f"Of several reconstructions, {chosen} is used (others: {others})."


def _as_given(tree: Tree, layout: Layout | None) -> ResolvedLayout | None:
    return None if layout is None else ResolvedLayout(tree=tree, layout=layout)


def find_objects(
    tree: Tree, group: str, layout: Layout | None = None
) -> dict[str, tuple[str, str]]:
    """Map the name of each reconstruction to its (group, path of the object).

    Raises
    ------
    InputError
        When `group` does not exist or holds none.
    """
    if group and not tree.exists(group):
        raise InputError(f"{tree.file}: there is no group /{group}.")
    found = object_groups(tree)
    declared = _as_given(tree, layout) or match_entry(tree, group) or match_entry(tree)
    if (
        declared is not None
        and declared.layout.has_object
        and (path := object_path(declared)) is not None
    ):
        # The layout knows best; what its group holds is not listed twice.
        found = [(declared.group, path), *(f for f in found if f[1] != path)]
    inside = [f for f in found if not group or f[0] == group or f[0].startswith(f"{group}/")]
    if group and not inside:
        held = ", ".join(sorted({g or ROOT for g, _ in found})) or "none"
        raise InputError(f"{tree.file}: no reconstruction in /{group}; the file has: {held}.")
    return {g or ROOT: (g, p) for g, p in inside}


def resolve_object(
    tree: Tree, found: tuple[str, str], layout: Layout | None = None
) -> ResolvedLayout:
    """Find the layout of one of `find_objects`.

    Parameters
    ----------
    tree : Tree
        The file.
    found : tuple of str
        (group, path of the object).
    layout : Layout, optional
        How the file is laid out, where that is known.
    """
    group, path = found
    declared = _as_given(tree, layout)
    if declared is not None and object_path(declared) == path:
        return declared
    contents = match(tree, group)
    if contents is not None and object_path(contents) is not None:
        return contents
    return recognise_object(tree, group, path)


def neighbouring_product(tree: Tree) -> ResolvedLayout:
    """Find the product beside a file of diffraction frames; the caller closes its tree.

    Raises
    ------
    InputError
        When there is none.
    """
    contents = match_entry(tree)
    product = None
    if contents is not None and contents.has("frames") and not contents.has_positions:
        product = neighbour_with_positions(contents)
    why = None if contents is None else why_not_labels(contents)
    if product is None and why is not None:
        raise InputError(f"{tree.file}: {why}.")
    if product is None:
        raise InputError(f"{tree.file}: holds no reconstruction (a complex 'object' was expected).")
    return product


def has_own_numbering(tree: Tree) -> bool:
    """Whether the file was written by this program, whose files list scan points already."""
    return tree.attribute("", "creator") is not None and tree.exists("probe_position_x_m")


def build_reconstruction(
    contents: ResolvedLayout, name: str, matching: FrameMatching | None
) -> Reconstruction:
    """Read an object and what belongs to it.

    Parameters
    ----------
    contents : ResolvedLayout
        Where the object, its probe and its positions are.
    name : str
        Its name in the file, '/' for the file as a whole.
    matching : FrameMatching or None
        How the scan of the same file numbers its points, to translate frame numbers.

    Raises
    ------
    InputError
        When it cannot be placed.
    """
    image, notes = read_object(contents)
    for note in notes:
        logger.info("%s: %s", contents.description, note)
    stored = _stored_positions(contents)
    optics = read_optics(contents)[0]
    unit, pixel = _pixel(contents, stored, pixel_size(contents, optics, window_shape(contents)))
    indices, positions = _listed(contents, stored, matching, pixel, unit)
    return Reconstruction(
        object=image,
        pixel_size=pixel,
        origin=_origin(contents, image.shape, pixel, positions),
        unit=unit,
        probe=read_probe(contents),
        indices=indices,
        positions=positions,
        optics=optics,
        algorithm=_algorithm(contents, name),
        iterations=_iterations(contents),
        name=_title(contents, name),
        source=contents.tree.file,
        seconds=_seconds(contents),
    )


def _stored_positions(contents: ResolvedLayout) -> Positions | None:
    if contents.has_positions:
        return read_positions(contents)
    if contents.layout.has_positions and contents.layout.name != "object as recognised":
        return None
    try:
        scan = recognise(contents.tree)
        return read_positions(scan) if scan.has_positions else None
    except InputError:
        return None


def _pixel(
    contents: ResolvedLayout, stored: Positions | None, size: Pair | None
) -> tuple[Unit, Pair]:
    """Unit and pixel size that the object and its positions are given in."""
    marked = contents.text("unit")
    if marked == "pixel":
        return "pixel", (1.0, 1.0)
    if size is not None:
        return "m", size
    if stored is None or stored.unit == "pixel":
        return "pixel", (1.0, 1.0)
    raise InputError(
        f"{contents.description}: the positions are in metres, but the file does not say how "
        "large an "
        "object pixel is."
    )


def _listed(
    contents: ResolvedLayout,
    stored: Positions | None,
    matching: FrameMatching | None,
    pixel: Pair,
    unit: Unit,
) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    if stored is None or not len(stored):
        return None, None
    scale = np.asarray(pixel)
    values = stored.values * scale if stored.unit == "pixel" and unit == "m" else stored.values
    values = values + centre_shift(contents.layout, window_shape(contents)) * scale
    numbers = read_frame_numbers(contents, "position_indexes")
    if numbers is None:
        numbers = np.arange(len(values), dtype=np.int64)
    if len(numbers) != len(values):
        raise InputError(
            f"{contents.description}: expected {len(values)} frame numbers for {len(values)} "
            "positions, "
            f"got {len(numbers)}."
        )
    points, known = (numbers, np.ones(len(numbers), bool))
    if matching is not None:
        points, known = matching.points_of(numbers)
    keep = known & np.isfinite(values).all(axis=1)
    if left := int((~keep).sum()):
        logger.info("%s: %d listed frames are not in the scan.", contents.description, left)
    return points[keep], values[keep]


def _origin(
    contents: ResolvedLayout,
    shape: tuple[int, ...],
    pixel: Pair,
    positions: NDArray[np.float64] | None,
) -> Pair:
    size, scale = np.asarray(shape[-2:]), np.asarray(pixel)
    frame = contents.layout.object_frame
    if frame == "index" or (frame == "guess" and _are_indices(positions, size, scale)):
        return 0.0, 0.0
    declared = _declared_origin(contents, scale)
    if declared is not None:
        return declared
    if frame in ("middle", "element", "matlab"):
        return _around_middle(contents, size, scale)
    centre = np.array([_stored(contents, "centre_y"), _stored(contents, "centre_x")])
    if np.isnan(centre).any():
        middle = np.zeros(2)
        if positions is not None and len(positions):
            middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
            logger.info(
                "%s: the file does not say where the object lies; its middle is put at the "
                "middle of the positions.",
                contents.description,
            )
        centre = np.where(np.isnan(centre), middle, centre)
    y, x = centre - (size - 1) / 2 * scale
    return float(y), float(x)


def _declared_origin(contents: ResolvedLayout, scale: NDArray[np.float64]) -> Pair | None:
    """Position of the object's first pixel, where the file has it."""
    rows, columns = contents.array("rows_y"), contents.array("columns_x")
    if rows is not None and columns is not None:
        return float(rows.read().min()), float(columns.read().min())
    stored = np.array([_stored(contents, "origin_y"), _stored(contents, "origin_x")])
    if np.isnan(stored).any():
        return None
    y, x = stored * (scale if contents.layout.origin_unit == "pixel" else 1.0)
    return float(y), float(x)


def _around_middle(
    contents: ResolvedLayout, size: NDArray[np.int64], scale: NDArray[np.float64]
) -> Pair:
    """Position of the object's first pixel where positions count from its middle."""
    frame = contents.layout.object_frame
    if frame == "middle":
        middle = (size - 1) / 2
    elif frame == "element":
        middle = (size // 2).astype(np.float64)
    else:  # a window of N pixels begins at ceil((size - N) / 2), counted from 1
        window = np.asarray(window_shape(contents) or (2, 2))
        middle = (-((window - size) // 2) - 1 + window // 2).astype(np.float64)
    y, x = -middle * scale
    return float(y), float(x)


def _are_indices(
    positions: NDArray[np.float64] | None, size: NDArray[np.int64], scale: NDArray[np.float64]
) -> bool:
    if positions is None or not len(positions):
        return True
    index = positions / scale
    return bool((index.min(axis=0) >= 0).all() and (index.max(axis=0) < size).all())


def _stored(contents: ResolvedLayout, quantity: str) -> float:
    """Return a number that may well be 0; NaN where it is missing."""
    try:
        return float(contents.value(quantity))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _algorithm(contents: ResolvedLayout, name: str) -> str:
    declared = contents.text("algorithm")
    if declared:
        return declared
    words = re.findall(r"[a-z]+", name.lower())
    return next((_ALGORITHMS[w] for w in words if w in _ALGORITHMS), "unknown")


def _iterations(contents: ResolvedLayout) -> int | None:
    count = contents.number("iterations")
    return None if count is None else int(count)


def _seconds(contents: ResolvedLayout) -> float | None:
    """Only this program's files have it."""
    value = contents.tree.attribute(contents.group, "seconds")
    return float(value) if isinstance(value, int | float | np.number) and value > 0 else None


def _title(contents: ResolvedLayout, name: str) -> str:
    return contents.text("title") or (contents.tree.file.stem if name == ROOT else name)
