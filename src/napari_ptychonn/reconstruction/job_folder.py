"""The folder through which a reconstruction and its child process share arrays.

Frames go through a file that the child maps into memory: they are neither
pickled nor copied, and a scan larger than memory stays on the disk.  Object,
probe and positions are files that the child overwrites; messages on its
standard output say when there is something new in them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.options import EngineOptions

FRAMES, VALID, JOB = "frames.npy", "valid.npy", "job.json"
OBJECT, PROBE, POSITIONS = "object.npy", "probe.npy", "positions.npy"

SLAB = 32 * 2**20
"""Bytes of frames that are read at once."""

RESERVE = 256 * 2**20
"""Bytes that are left free on the disk."""


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """What an engine refines.

    Attributes
    ----------
    object : ndarray of complex64
        (ny, nx).
    probe : ndarray of complex64
        (modes, py, px), with sum(|probe|²) = mean counts of a frame.
    positions : ndarray of float64
        (m, 2) object index (row, column) of element N // 2 of each frame's window.
    """

    object: NDArray[np.complex64]
    probe: NDArray[np.complex64]
    positions: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the child is asked to do besides the arrays.

    Attributes
    ----------
    options : EngineOptions
        How.
    device : str
        As for `choose_device`.
    resumed : bool
        Whether the object was iterated before, so that nothing is held fixed.
    crowded : int
        More frames than this in a batch would disturb each other.
    """

    options: EngineOptions
    device: str
    resumed: bool
    crowded: int

    def save(self, folder: Path) -> None:
        """Write it as JSON."""
        (folder / JOB).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Job:
        """Read what `save` wrote."""
        values: dict[str, Any] = json.loads((folder / JOB).read_text(encoding="utf-8"))
        return cls(**values | {"options": EngineOptions(**values["options"])})


def write_frames(
    folder: Path,
    scan: Scan,
    indices: NDArray[np.int64],
    should_stop: Callable[[], bool],
) -> NDArray[np.float64] | None:
    """Write frames for the child, zero frequency at the corner, as its transform has it.

    Counts that are negative, not finite, or not to be trusted become 0.

    Returns
    -------
    ndarray of float64 or None
        (ky, kx) mean frame, zero frequency at the centre; None when asked to stop.

    Raises
    ------
    InputError
        When the disk of temporary files is too small.
    """
    ky, kx = scan.frame_shape
    valid = np.ones((ky, kx), np.bool_) if scan.valid is None else scan.valid
    np.save(folder / VALID, scipy.fft.ifftshift(valid))
    _must_fit(folder, 4 * len(indices) * ky * kx)
    total = np.zeros((ky, kx))
    slab = max(1, SLAB // (8 * ky * kx))
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(indices), ky, kx)}
    # Written, not mapped: a full disk then is an error, and not a signal that ends the program.
    with (folder / FRAMES).open("wb") as file:
        np.lib.format.write_array_header_2_0(file, header)
        for first in range(0, len(indices), slab):
            if should_stop():
                return None
            frames = scan.read(indices[first : first + slab]).astype(np.float32)
            np.nan_to_num(frames, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
            np.maximum(frames, 0.0, out=frames)
            frames[:, ~valid] = 0.0
            total += frames.sum(axis=0, dtype=np.float64)
            file.write(scipy.fft.ifftshift(frames, axes=(1, 2)).astype("<f4", copy=False).data)
    return np.asarray(total / len(indices))


def write_state(folder: Path, state: State) -> None:
    """Write what an engine begins with; `overwrite_state` may then follow."""
    np.save(folder / OBJECT, state.object)
    np.save(folder / PROBE, state.probe)
    np.save(folder / POSITIONS, state.positions)


def overwrite_state(folder: Path, state: State) -> None:
    """Replace the state by a newer one of the same shapes, in place."""
    for name, values in _named(state).items():
        stored = np.load(folder / name, mmap_mode="r+")
        stored[...] = values


def read_state(folder: Path) -> State:
    """Read the state, as a copy."""
    return State(**{key: np.load(folder / f"{key}.npy") for key in State.__dataclass_fields__})


def _named(state: State) -> dict[str, NDArray[Any]]:
    return {OBJECT: state.object, PROBE: state.probe, POSITIONS: state.positions}


def _must_fit(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size + RESERVE > free:
        raise InputError(
            f"the frames take {size / 2**30:.3g} GiB on the disk of temporary files, "
            f"{folder.parent}, which has {free / 2**30:.3g} GiB left; choose fewer frames, or set "
            "TMPDIR to another disk."
        )
