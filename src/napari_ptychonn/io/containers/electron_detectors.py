"""4D-STEM scans of electron detectors: Merlin .mib, EMPAD .raw, Gatan .dm4.

The first two are memory-mapped here.  Gatan's need LibertEM (MIT
licence), an extra: `pip install 'napari-ptychonn[em]'`.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.frame_source import ArraySource, FrameSource
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.in_memory import InMemoryTree, MappedArray
from napari_ptychonn.io.containers.signature import EMPAD_FRAME

_LONGEST_HEADER = 65536
_MERLIN = {"U01": "u1", "U08": "u1", "U16": ">u2", "U32": ">u4", "U64": ">u8"}
_MERLIN_FRAME = b"MQ1,"
_EMPAD_ROWS = 128


class DaskSource:
    """Frames of a dask array, computed when they are read."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape = tuple(int(n) for n in array.shape)
        self.dtype = np.dtype(array.dtype)

    def block(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        """Read one block."""
        return np.asarray(self._array[key].compute(scheduler="synchronous"))

    def close(self) -> None:
        """LibertEM opens its files for each piece."""


def open_electrons(file: Path) -> InMemoryTree:
    """Open a file of an electron detector; the scan is 'frames' (ny, nx, ky, kx).

    Raises
    ------
    InputError
        When it is damaged, or of a kind that needs LibertEM, and that is not installed.
    """
    with file.open("rb") as stream:
        head = stream.read(4)
    if head == _MERLIN_FRAME:
        frames = _merlin(file)
    elif file.suffix.lower() == ".raw":
        frames = _empad(file)
    else:
        frames = _gatan(file)
    return InMemoryTree(file, "4D-STEM", [MappedArray("frames", frames)])


def _merlin(file: Path) -> FrameSource:
    """Map a Merlin file: a text header, which states its own length, precedes each frame."""
    with file.open("rb") as stream:
        words = stream.read(_LONGEST_HEADER).split(b"\0")[0].decode("ascii", "replace").split(",")
    try:
        header, width, height, kind = int(words[2]), int(words[4]), int(words[5]), words[6].strip()
    except (IndexError, ValueError) as error:
        raise InputError(f"{file} is a damaged Merlin file: its header cannot be read.") from error
    if kind not in _MERLIN:
        raise InputError(
            f"{file}: expected Merlin frames of kind {', '.join(_MERLIN)}, got {kind}; raw mode is "
            "not read."
        )
    if not (0 < header <= _LONGEST_HEADER and width > 0 and height > 0):
        raise InputError(f"{file} is a damaged Merlin file: frames of {height} x {width} pixels.")
    frame = np.dtype([("header", f"V{header}"), ("counts", _MERLIN[kind], (height, width))])
    count = file.stat().st_size // frame.itemsize
    if not count:
        raise InputError(f"{file} is truncated: it is shorter than one frame.")
    mapped = np.memmap(file, frame, "r", shape=(count,))
    for number in {count // 2, count - 1}:
        if not mapped["header"][number].tobytes().startswith(_MERLIN_FRAME):
            raise InputError(
                f"{file} is a damaged Merlin file: frame {number} of {count} does not begin with "
                "a header, as frames of one size would."
            )
    return _mapped(_as_raster(mapped["counts"], _merlin_columns(file)))


def _merlin_columns(file: Path) -> int | None:
    """Points of a scan line, from the .hdr beside the frames."""
    beside = file.with_suffix(".hdr")
    if not beside.is_file() or beside.stat().st_size > _LONGEST_HEADER:
        return None
    text = beside.read_text(encoding="ascii", errors="replace")
    columns = re.search(r"Frames per Trigger \(Number\):\s*(\d+)", text)
    return int(columns.group(1)) if columns else None


def _empad(file: Path) -> FrameSource:
    """Map an EMPAD file: float32 frames of 130 rows, the last two of which are not pixels."""
    count = file.stat().st_size // EMPAD_FRAME
    mapped = np.memmap(file, "<f4", "r", shape=(count, 130, 128))[:, :_EMPAD_ROWS]
    columns = re.search(r"x(\d+)_y\d+", file.stem)
    return _mapped(_as_raster(mapped, int(columns.group(1)) if columns else None))


def _mapped(frames: NDArray[Any]) -> ArraySource:
    """Read blocks of a memory map in the byte order of this machine."""
    return ArraySource(frames, mapped=True, dtype=frames.dtype.newbyteorder("="))


def _as_raster(frames: NDArray[Any], columns: int | None) -> NDArray[Any]:
    """Arrange frames in scan lines; a square, or one line, where `columns` does not fit."""
    count = len(frames)
    if not columns or count % columns:
        side = math.isqrt(count)
        columns = side if side**2 == count else count
    return frames.reshape(count // columns, columns, *frames.shape[1:])


def _gatan(file: Path) -> FrameSource:
    try:
        from libertem.api import Context  # type: ignore[import-not-found]
        from libertem.contrib.daskadapter import (  # type: ignore[import-not-found]
            make_dask_array,
        )
    except ImportError as error:
        raise InputError(
            f"{file} is a Gatan file; reading it needs LibertEM: pip install 'napari-ptychonn[em]'."
        ) from error
    try:
        context = Context.make_with("inline")
        array, _ = make_dask_array(context.load("dm", path=str(file)))
    except Exception as error:  # whatever its readers raise on a file that they do not know
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(f"{file} cannot be read by LibertEM ({reason}).") from error
    return DaskSource(array)
