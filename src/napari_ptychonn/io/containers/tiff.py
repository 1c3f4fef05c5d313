"""Amplitude and phase of an object in two TIFF files, as ePIE scripts leave them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.in_memory import InMemoryArray, InMemoryTree
from napari_ptychonn.io.units import parse_unit

_AMPLITUDE = ("amplitude", "amp", "abs", "magnitude", "mag")
_PHASE = ("phase", "angle", "pha", "arg")
_CENTIMETRE, _INCH = 3, 2
_ORIGIN = re.compile(r"origin_(?P<axis>[yx])_m=(?P<value>[-+.\deE]+)")


def open_tiff(file: Path) -> InMemoryTree:
    """Read one of the two, and the other beside it.

    Raises
    ------
    InputError
        When the name says neither amplitude nor phase, or the other one is missing.
    """
    amplitude, phase = _pair(file)
    arrays: list[InMemoryArray] = []
    attributes: dict[tuple[str, str], Any] = {}
    for name, path in (("amplitude", amplitude), ("phase", phase)):
        image, about = _image(path)
        arrays.append(InMemoryArray(name, image))
        attributes |= {(name, key): value for key, value in about.items()}
    return InMemoryTree(file, "TIFF", list(arrays), attributes)


def _pair(file: Path) -> tuple[Path, Path]:
    name = file.name.lower()
    for own, other in ((_AMPLITUDE, _PHASE), (_PHASE, _AMPLITUDE)):
        found = _word(name, own)
        if found is None:
            continue
        start, stop = found
        names = {f"{name[:start]}{word}{name[stop:]}" for word in other}
        partner = next((p for p in sorted(file.parent.iterdir()) if p.name.lower() in names), None)
        if partner is None:
            raise InputError(
                f"{file}: expected {' or '.join(sorted(names)[:2])} beside it, found none."
            )
        return (file, partner) if own is _AMPLITUDE else (partner, file)
    raise InputError(
        f"{file}: a TIFF image is read as the amplitude or phase of an object, and its name says "
        "neither ('amplitude', 'amp', 'phase', 'angle')."
    )


def _word(name: str, words: tuple[str, ...]) -> tuple[int, int] | None:
    """Find the last whole word of these in a name."""
    found = list(re.finditer(rf"(?<![a-z])(?:{'|'.join(words)})(?![a-z])", name.rsplit(".", 1)[0]))
    return found[-1].span() if found else None


def _image(path: Path) -> tuple[NDArray[Any], dict[str, Any]]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            check_fits_memory(str(path), series.shape, series.dtype)
            image = np.squeeze(series.asarray())
            about = _about(tiff)
    except InputError:
        raise
    except Exception as error:  # tifffile raises what its many decoders raise
        raise InputError(f"{path} is a damaged or unknown TIFF file.") from error
    if image.ndim != 2 or image.dtype.kind not in "iuf":
        raise InputError(f"{path}: expected one image of numbers, got {image.dtype} {image.shape}.")
    return image, about


def _about(tiff: Any) -> dict[str, Any]:
    """Pixel size and place, where the file tells them in units of length."""
    about: dict[str, Any] = {}
    imagej = tiff.imagej_metadata or {}
    tags = tiff.pages[0].tags
    stated = parse_unit(imagej.get("unit"))
    unit = tags["ResolutionUnit"].value if "ResolutionUnit" in tags else None
    metres = {_CENTIMETRE: 1e-2, _INCH: 25.4e-3}.get(int(unit or 0))
    if stated is not None:
        metres = stated.factor if stated.kind == "length" else None
    for tag, name in (("YResolution", "pixel_height_m"), ("XResolution", "pixel_width_m")):
        if metres is None or tag not in tags:
            continue
        above, below = tags[tag].value
        size = below / above * metres if above else 0.0
        # 72 dots an inch is what image programs write who do not know.
        if 0 < size < 1e-5:
            about[name] = size
    for match in _ORIGIN.finditer(str(imagej.get("Info", ""))):
        about[f"origin_{match['axis']}_m"] = float(match["value"])
    return about
