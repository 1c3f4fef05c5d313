"""Find files beside a scan that belong to it; they are suggested, never used unasked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count, format_length
from napari_ptychonn.data.scan import Scan, Unit
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.model_header import read_model_header
from napari_ptychonn.io.containers.signature import container_of
from napari_ptychonn.io.layouts.optics import read_optics
from napari_ptychonn.io.layouts.resolved import ResolvedLayout, match_entry
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.positions.positions import read_positions
from napari_ptychonn.io.positions.tables import ENDINGS, read_table
from napari_ptychonn.io.readers.geometry import pixel_size, window_shape
from napari_ptychonn.io.readers.neighbours import neighbours
from napari_ptychonn.io.readers.reconstructions import choose, list_reconstructions
from napari_ptychonn.io.readers.results import is_result
from napari_ptychonn.io.readers.sources import POSITIONS_FROM
from napari_ptychonn.io.sandbox.opening import open_tree

_ENDINGS = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".cxi", ".ptyr", ".npz", ".npy", ".mat",
            ".tif", ".tiff", ".safetensors", "")  # fmt: skip
_MOST = 8
_SAME = 1e-3
"""Of a step, by which positions may differ and still be the scan's own."""
_TOLERANCE = 0.02
"""Of the pixel size, that two programs may have worked out from rounded numbers."""


@dataclass(frozen=True, kw_only=True)
class SidecarSuggestion:
    """A file beside a scan that fits it by name and by content.

    Attributes
    ----------
    file : Path
        Where it is.
    kind : {'reconstruction', 'model', 'positions'}
        What it could be used as.
    facts : str
        What is known of it, for a person.
    """

    file: Path
    kind: Literal["reconstruction", "model", "positions"]
    facts: str = ""

    @property
    def sentence(self) -> str:
        """One sentence for the user."""
        facts = f" ({self.facts})" if self.facts else ""
        return f"{self.file.name}: may be used as {self.kind}{facts}."


def find_sidecars(scan: Scan) -> tuple[SidecarSuggestion, ...]:
    """Look for reconstructions, models and other positions of a scan in its folder.

    Only files that share the scan's number, or begin with its name, are
    opened, none below the folder, none that is hidden, and no link that leads
    out of it.

    Parameters
    ----------
    scan : Scan
        One that was read from a file.

    Returns
    -------
    tuple of Offer
        By name; what a file says of pixel, frames and window contradicts the
        scan in none of them.
    """
    if scan.source is None:
        return ()
    found: list[SidecarSuggestion] = []
    # Tables last: there may be one for each point of a scan.
    for file in chain(neighbours(scan.source, _ENDINGS), neighbours(scan.source, ENDINGS)):
        if (
            belongs_to_scan(scan.source.stem, file.stem)
            and (offer := _offer(file, scan)) is not None
        ):
            found.append(offer)
            if len(found) == _MOST:
                break
    return tuple(found)


def belongs_to_scan(scan: str, other: str) -> bool:
    """Whether a file may, by its name, belong to a scan: same number, or begins alike.

    Parameters
    ----------
    scan, other : str
        Names without their extensions.
    """
    numbers = re.findall(r"\d+", scan)
    if numbers:
        # The longest number tells scans apart; dates are longer, but all scans of a day have them.
        longest = max(numbers, key=len)
        wanted = {n.lstrip("0") for n in (longest, numbers[-1])}
        return wanted <= {n.lstrip("0") for n in re.findall(r"\d+", other)}
    short, long = sorted((scan.lower(), other.lower()), key=len)
    return bool(re.match(rf"{re.escape(short)}(?![a-z0-9])", long))


def _offer(file: Path, scan: Scan) -> SidecarSuggestion | None:
    try:
        if file.suffix.lower() in ENDINGS:
            return _table(file, scan)
        container = container_of(file)
        if container == "safetensors":
            return _model(file, scan)
        if container in ("text", "unknown", "4D-STEM", "BZ2"):
            return None
        names = list_reconstructions(file)
        if not names:
            return _positions(file, scan)
        with open_tree(Location(file=file)) as tree:
            contents = match_entry(tree)
            if is_result(tree) or (contents is not None and contents.has("frames")):
                return None  # another scan, or what a network made of this one
            facts = None if contents is None else _facts(contents, scan)
    except (InputError, OSError):
        return None
    if contents is None:
        return SidecarSuggestion(
            file=file, kind="reconstruction", facts=choose(list(names))[0].strip("/")
        )
    return (
        None if facts is None else SidecarSuggestion(file=file, kind="reconstruction", facts=facts)
    )


def _table(file: Path, scan: Scan) -> SidecarSuggestion | None:
    table = read_table(file)
    if table is None or not table.fits(len(scan)):
        return None
    return _positions_sidecar(file, table.values, table.unit, scan)


def _positions(file: Path, scan: Scan) -> SidecarSuggestion | None:
    """Offer the positions of a file that has nothing else."""
    with open_tree(Location(file=file)) as tree:
        contents = match_entry(tree)
        if contents is None or contents.has("frames") or not contents.has_positions:
            return None
        positions = read_positions(contents)
    return (
        _positions_sidecar(file, positions.values, positions.unit, scan)
        if len(positions) == len(scan)
        else None
    )


def _positions_sidecar(
    file: Path, values: NDArray[np.float64], unit: Unit, scan: Scan
) -> SidecarSuggestion | None:
    """Offer positions, unless they are what the scan has already."""
    if any(note.startswith(f"{POSITIONS_FROM} {file.name},") for note in scan.notes):
        return None
    if unit == scan.unit and len(values) == len(scan):
        moved = values - scan.positions
        if np.ptp(moved, axis=0).max() < _SAME * max(scan.step, np.finfo(float).tiny):
            return None
    if not np.isfinite(values).any():
        return None
    height, width = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    spans = " x ".join(
        format_length(n, "m") if unit == "m" else f"{n:.4g}" for n in (height, width)
    )
    facts = (
        f"{len(values)} for {format_count(len(scan), 'frame')}, "
        f"{spans}{'' if unit == 'm' else ' pixels'}"
    )
    return SidecarSuggestion(file=file, kind="positions", facts=facts)


def _facts(contents: ResolvedLayout, scan: Scan) -> str | None:
    """List what a file records about its reconstruction; None if it is of another scan."""
    window = window_shape(contents)
    if window is not None and scan.probe is not None and window != scan.frame_shape:
        return None
    pixel = pixel_size(contents, read_optics(contents)[0], window)
    facts = []
    if pixel is not None and contents.layout.position_unit != "pixel":
        ours = scan.pixel_size if scan.unit == "m" else None
        if ours is not None and not all(
            math.isclose(a, b, rel_tol=_TOLERANCE) for a, b in zip(pixel, ours, strict=True)
        ):
            return None
        facts.append(f"pixel {format_length(pixel[0], 'm')}")
    listed = contents.array("positions") or contents.array("position_y")
    if listed is not None:
        count = max(listed.shape)
        numbered = contents.array("position_indexes") is not None
        if count > len(scan) or (count < len(scan) and not numbered):
            return None
        facts.append(f"{count} of {format_count(len(scan), 'frame')}")
    return ", ".join(facts)


def _model(file: Path, scan: Scan) -> SidecarSuggestion | None:
    described = read_model_header(file).metadata.get("model")
    if not isinstance(described, dict):
        return None
    prepared = described.get("preparation")
    shape = prepared.get("frame_shape") if isinstance(prepared, dict) else None
    if not isinstance(shape, list) or tuple(shape) != scan.frame_shape:
        return None
    return SidecarSuggestion(
        file=file, kind="model", facts=f"for frames of {shape[0]} x {shape[1]} pixels"
    )
