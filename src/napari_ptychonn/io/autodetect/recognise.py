"""Files of unknown layout: find frames, positions, probe, mask and object by shape and name.

What is found is written as a row of the table of layouts, so that it goes
through the same door as every other file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array, Tree
from napari_ptychonn.io.layouts.layout import Field, Layout
from napari_ptychonn.io.layouts.resolved import ResolvedLayout
from napari_ptychonn.io.positions.axis_names import find_axes
from napari_ptychonn.io.positions.columns import Columns

_FRAMES = re.compile(
    r"diff|dp$|data|pattern|frame|intensit|ptychogram|reciprocal|image|arr_0", re.I
)
_POSITIONS = re.compile(r"pos|transl|scan|coord|encoder|points|^xy|^yx", re.I)
_NOT_FRAMES = re.compile(
    r"probe|prb|object|obj$|illum|mask|dark|flat|white|background|predict|mosaic|weight|modes",
    re.I,
)
_PROBE = re.compile(r"probe|prb|illum", re.I)
_OBJECT = re.compile(r"^obj(ect)?(_?guess)?$", re.I)
_MASK = re.compile(r"mask|bad|valid|good", re.I)
_GOOD = re.compile(r"valid|good", re.I)
_X = re.compile(r"^(.*[_-])?x(pos|coords?|[_-].*)?$|^posx$|.*position_x.*", re.I)
_SPECTRA = re.compile(r"fluo|xrf|xspress|vortex|spectr|mca", re.I)
_SMALLEST_FRAME = 8
_LONGEST = 6
_SURE = 1e30
_DEEPEST_DEFAULT = 4
_DIMENSIONS = (2, 3)

_NUMBERS: tuple[tuple[str, str, float], ...] = (
    (r"(photon_)?energy_ev", "energy", 1.0),
    (r"(photon_)?energy_kev", "energy", 1e3),
    (r"wavelength(_m)?", "wavelength", 1.0),
    (r"(wavelength|lambda)_nm", "wavelength", 1e-9),
    (r"(detector_)?(object_)?distance(_m)?", "distance", 1.0),
    (r"(detector_)?(y_pixel_size|pixel_height)(_m)?", "pitch_y", 1.0),
    (r"(detector_)?(x_pixel_size|pixel_width)(_m)?", "pitch_x", 1.0),
)
"""Names of scalars that say, or by custom have, their unit; `optics.py` checks the values."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """An array taken for something, and how sure that is."""

    array: Array
    score: float


def why_not_labels(contents: ResolvedLayout) -> str | None:
    """Say why complex patches, one for each frame, are not used; None where there are none."""
    array = contents.array("frame_labels")
    bare = contents.tree.array("array") if contents.tree.container == "NPY" else None
    if array is None and bare is not None and bare.dtype.kind == "c" and len(bare.shape) > 2:
        array = bare
    if array is None:
        return None
    return (
        f"the complex patches {array.shape} in {array.path}, one for each frame as in PtychoNN's "
        "training data, are not used: labels are cut out of one object (ny, nx), which they "
        "cannot be put together to without their places in it"
    )


def recognise(tree: Tree, group: str = "") -> ResolvedLayout:
    """Find a scan in a file of unknown layout; InputError says what is there instead."""
    arrays = [a for a in tree.arrays() if _is_below(a.path, group)]
    signal = _default_signal(tree)
    candidates = _frames(arrays, signal)
    frames = _best(candidates)
    if frames is None:
        raise InputError(_nothing(tree, arrays))
    lead = frames.shape[:-2]
    positions = _positions(arrays, lead, frames.path.rpartition("/")[0])
    probe, mask = _probe(arrays, frames), _mask(arrays, frames)
    layout = Layout(
        name=f"{tree.container} as recognised",
        require=((frames.path,),),
        container=tree.container,
        frames=Field.at(frames.path),
        **_position_fields(tree, positions),
        position_unit="guess",
        probe=Field.at(probe.path) if probe else None,
        mask=Field.at(mask.path) if mask else None,
        mask_marks="good" if mask and _GOOD.search(_name(mask)) else "bad",
        **_number_fields(arrays),
    )
    found = [f"frames in {frames.path} {frames.shape}"]
    if positions:
        found.append("positions in " + " and ".join(p.path for p in positions))
    found += [f"{what} in {a.path}" for what, a in (("probe", probe), ("mask", mask)) if a]
    notes = [f"The layout is not one of the known ones; found {', '.join(found)}."]
    notes += _note_on_axes(tree, positions)
    if not positions and len(lead) == 1:
        notes += list(tree.problems())
    doubts = _other_stacks(frames, candidates) if frames.path != signal else ()
    return ResolvedLayout(tree=tree, layout=layout, notes=tuple(notes), warnings=doubts)


def recognise_positions(tree: Tree, lead: tuple[int, ...], name: str = "") -> ResolvedLayout:
    """Find positions for the frames of another file.

    Parameters
    ----------
    tree : Tree
        Where to look.
    lead : tuple of int
        Scan axes of the frames: how many there are decides between datasets.
    name : str
        The dataset that is meant, one of y and x where they are apart, or a
        group that it is in; '' to look everywhere.

    Raises
    ------
    InputError
        When there are none.
    """
    arrays = [a for a in tree.arrays() if _is_below(a.path, name)]
    named = tree.array(name) if name else None
    found = _positions(arrays, lead) if named is None else _positions_named(tree, named, lead)
    if not found:
        seen = ", ".join(f"{a.path} {a.shape}" for a in arrays[:4]) or "nothing"
        raise InputError(f"{tree.file}: expected scan positions (n, 2), found only {seen}.")
    layout = Layout(
        name="positions as named" if name else "positions as recognised",
        require=((found[0].path,),),
        container=tree.container,
        **_position_fields(tree, found),
        position_unit="guess",
        notes=(
            f"Positions are those in {' and '.join(a.path for a in found)}.",
            *_note_on_axes(tree, found),
        ),
    )
    return ResolvedLayout(tree=tree, layout=layout, notes=layout.notes)


def paths_of_positions(tree: Tree, lead: tuple[int, ...]) -> list[str]:
    """List the datasets that hold as many points as there are frames, the likeliest first.

    Of coordinates in two arrays, y.
    """
    arrays = list(tree.arrays())
    count = math.prod(lead)
    ranked = sorted(_position_guesses(arrays, lead), key=lambda g: -g.score)
    found = [g.array.path for g in ranked if _coordinates(g.array) == count]
    return [*found, *(a.path for a in _pair(arrays, lead)[:1])]


def _positions_named(tree: Tree, named: Array, lead: tuple[int, ...]) -> list[Array]:
    """The dataset itself, or y and x where it holds one of them."""
    if named.dtype.kind not in "iuf":
        raise InputError(
            f"{tree.file}: expected numbers as positions in {named.path}, got {named.dtype}."
        )
    if len(named.shape) > 1:
        return [named]
    others = [a for a in tree.arrays() if len(a.shape) == 1 and a.path != named.path]
    pairs = (_pair([named, other], lead) for other in others)
    found = next((pair for pair in pairs if pair), None)
    if found is None:
        raise InputError(
            f"{tree.file}: {named.path} {named.shape} holds one coordinate only, and none with "
            "the other in its name has as many values as there are frames."
        )
    return found


def recognise_object(tree: Tree, group: str, object_path: str) -> ResolvedLayout:
    """Find what goes with an object whose group has no known layout."""
    beside = [a for a in tree.arrays() if a.path.rpartition("/")[0] == group]
    probe = next((a for a in beside if a.dtype.kind == "c" and _PROBE.search(_name(a))), None)
    listed = [a for a in beside if _coordinates(a) and _POSITIONS.search(_name(a))]
    index = next((a for a in beside if re.fullmatch(r"ind(ex|ices|exes)", _name(a))), None)
    layout = Layout(
        name="object as recognised",
        require=((object_path,),),
        container=tree.container,
        object=Field.at(object_path),
        probe=Field.at(probe.path) if probe else None,
        **_position_fields(tree, listed[:1]),
        position_indexes=Field.at(index.path) if index and listed else None,
        position_unit="guess",
        object_frame="guess",
    )
    return ResolvedLayout(tree=tree, layout=layout)


def object_groups(tree: Tree) -> list[tuple[str, str]]:
    """List (group, path) of everything that looks like a reconstructed object."""
    found = []
    for array in tree.arrays():
        if array.dtype.kind == "c" and len(array.shape) >= 2:
            group, _, name = array.path.rpartition("/")
            is_alone = tree.container == "NPY" and len(array.shape) == 2
            is_copy = "state_dict" in group.split("/")  # cdtools keeps its parameters besides
            if (_OBJECT.match(name) and not is_copy) or is_alone:
                found.append((group, array.path))
            elif name == "data" and group.rpartition("/")[2] == "image_2":
                found.append((group.rpartition("/")[0], array.path))
    return found


def object_path(contents: ResolvedLayout) -> str | None:
    """Where a layout has its object; None where it has none, or it is not complex."""
    array = contents.array("object")
    if array is not None:
        return array.path if array.dtype.kind == "c" and len(array.shape) >= 2 else None
    amplitude = contents.array("object_amplitude")
    return None if amplitude is None else amplitude.path


def _is_below(path: str, group: str) -> bool:
    return not group or path.startswith(f"{group}/")


def _name(array: Array) -> str:
    return array.path.rpartition("/")[2]


def _best(guesses: Sequence[Guess]) -> Array | None:
    return max(guesses, key=lambda g: g.score).array if guesses else None


def _default_signal(tree: Tree) -> str | None:
    """Path of the data that a NeXus file shows by default, as its attributes say.

    See https://manual.nexusformat.org/datarules.html#find-plottable-data, version 3.
    """
    path = ""
    for _ in range(_DEEPEST_DEFAULT):
        step = tree.attribute(path, "default")
        if not isinstance(step, str) or not step:
            break
        path = f"{path}/{step}".strip("/")
    signal = tree.attribute(path, "signal")
    return f"{path}/{signal}".strip("/") if isinstance(signal, str) and signal else None


def _other_stacks(frames: Array, candidates: Sequence[Guess]) -> tuple[str, ...]:
    """Warn of stacks that could be the frames as well, of as many points or of more."""
    count = math.prod(frames.shape[:-2])
    others = [
        f"{guess.array.path} {guess.array.shape}"
        for guess in candidates
        if guess.array.path != frames.path
        and guess.score >= 1
        and math.prod(guess.array.shape[:-2]) == count
    ]
    if not others:
        return ()
    return (
        f"The frames were taken from {frames.path} {frames.shape}; {', '.join(others)} could be "
        "the frames as well. Assign the datasets yourself if so.",
    )


def _frames(arrays: Sequence[Array], signal: str | None = None) -> list[Guess]:
    found = []
    for array in arrays:
        big = len(array.shape) >= 3 and min(array.shape[-2:]) >= _SMALLEST_FRAME
        if not big or array.dtype.kind not in "iuf" or _NOT_FRAMES.search(_name(array)):
            continue
        likely = 1e6 if _FRAMES.search(_name(array)) else 1.0
        if array.path == signal:
            likely *= _SURE
        *_, ky, kx = array.shape
        if max(ky, kx) > _LONGEST * min(ky, kx) or _SPECTRA.search(array.path):
            likely /= _SURE  # spectra of fluorescence, read only if there is nothing else
        found.append(Guess(array=array, score=likely * math.prod(array.shape)))
    return found


def _coordinates(array: Array) -> int | None:
    """How many points an array of coordinates would have; None when it is none."""
    shape = array.shape
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    if array.dtype.kind not in "iuf":
        return None
    if len(shape) == 3 and shape[-1] == 2:
        return shape[0] * shape[1]
    if len(shape) != 2 or not set(_DIMENSIONS) & set(shape):
        return None
    return shape[0] if shape[1] in _DIMENSIONS else shape[1]


def _positions(
    arrays: Sequence[Array], lead: tuple[int, ...], home: str | None = None
) -> list[Array]:
    best = _best(_position_guesses(arrays, lead, home))
    return [best] if best is not None else _pair(arrays, lead)


def _position_guesses(
    arrays: Sequence[Array], lead: tuple[int, ...], home: str | None = None
) -> list[Guess]:
    """Arrays of both coordinates; `home` is the group that the frames are in."""
    n = math.prod(lead)
    guesses = []
    for array in arrays:
        points = _coordinates(array)
        named = bool(_POSITIONS.search(_name(array)))
        if points is None or not (named or points == n):
            continue
        near = array.path.rpartition("/")[0] == home
        score = 4 * (points == n) + 2 * named + near - 0.1 * array.path.count("/")
        guesses.append(Guess(array=array, score=score))
    return guesses


def _pair(arrays: Sequence[Array], lead: tuple[int, ...]) -> list[Array]:
    """Find y and x that lie in two arrays whose names differ in one letter."""
    n = math.prod(lead)
    by_path = {a.path: a for a in arrays}
    for x in arrays:
        if x.dtype.kind not in "iuf" or not _X.match(_name(x)):
            continue
        base, _, name = x.path.rpartition("/")
        twin = "/".join(p for p in (base, re.sub(r"x(?!.*x)", "y", name)) if p)
        twin = twin if twin in by_path else twin.replace("X", "Y")
        y = by_path.get(twin) or _twin_in_another_unit(x, arrays)
        if y is None or y is x:
            continue
        is_grid = len(lead) == 2 and (math.prod(y.shape), math.prod(x.shape)) == lead
        if is_grid or (math.prod(x.shape) == n and math.prod(y.shape) == n):
            return [y, x]
    return []


def _twin_in_another_unit(x: Array, arrays: Sequence[Array]) -> Array | None:
    """Find 'pos_y_mm' for 'pos_x_um'."""
    home = x.path.rpartition("/")[0]
    for y in arrays:
        if y.path.rpartition("/")[0] == home and y.dtype.kind in "iuf":
            axes = find_axes([_name(y), _name(x)])
            if axes is not None and axes.y == 0 and all(axes.units):
                return y
    return None


def _position_fields(tree: Tree, positions: Sequence[Array]) -> dict[str, Any]:
    if len(positions) == 2:
        return {
            "position_y": Field.at(positions[0].path),
            "position_x": Field.at(positions[1].path),
        }
    if not positions:
        return {}
    path, columns = positions[0].path, Columns.of(tree, positions[0])
    if columns.is_leading:
        return {"positions": Field.at(path), "position_axes": "yx" if columns.y == 0 else "xy"}
    return {
        "position_y": Field.at(path, index=columns.y),
        "position_x": Field.at(path, index=columns.x),
    }


def _note_on_axes(tree: Tree, positions: Sequence[Array]) -> tuple[str, ...]:
    note = Columns.of(tree, positions[0]).note if len(positions) == 1 else None
    return () if note is None else (note,)


def _probe(arrays: Sequence[Array], frames: Array) -> Array | None:
    fitting = [
        Guess(array=a, score=2 * bool(_PROBE.search(_name(a))) - 0.1 * a.path.count("/"))
        for a in arrays
        if a.dtype.kind == "c" and a.shape[-2:] == frames.shape[-2:] and _PROBE.search(a.path)
    ]
    return _best(fitting)


def _mask(arrays: Sequence[Array], frames: Array) -> Array | None:
    fitting = (
        a
        for a in arrays
        if a.shape == frames.shape[-2:] and a.dtype.kind in "iub" and _MASK.search(_name(a))
    )
    return next(fitting, None)


def _number_fields(arrays: Sequence[Array]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for array in arrays:
        # One number, one for each frame or axis, or text ('8.8 keV').
        is_list = len(array.shape) < 2 or math.prod(array.shape) == max(array.shape)
        if not math.prod(array.shape) or not is_list or array.dtype.kind not in "iufOSU":
            continue
        for pattern, quantity, scale in _NUMBERS:
            if re.fullmatch(pattern, _name(array), re.I):
                found.setdefault(quantity, Field.at(array.path, scale=scale))
    return found


def _nothing(tree: Tree, arrays: Sequence[Array]) -> str:
    if problems := tree.problems():
        return problems[0]
    shapes = ", ".join(f"{a.path} {a.shape}" for a in arrays[:4] if math.prod(a.shape) > 1)
    seen = f"found only {shapes}" if shapes else "it holds no arrays"
    return f"{tree.file}: expected diffraction frames (n, ky, kx) or (ny, nx, ky, kx), {seen}."
