"""Save a training task to a folder, from which another process loads it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Optics, Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.tasks.events import ShouldStop, never

if TYPE_CHECKING:
    from napari_ptychonn.tasks.train import TrainTask

FRAMES, ARRAYS, TASK, RESUME = "frames.npy", "arrays.npz", "task.json", "resume.safetensors"

SLAB = 32 * 2**20
"""Bytes of frames read at once."""

RESERVE = 256 * 2**20
"""Bytes that are left free on the disk."""

_SETS = ("train", "validation", "gap", "held_out")


def save_task(task: TrainTask, folder: Path, should_stop: ShouldStop = never) -> bool:
    """Write a training task; see `napari_ptychonn.tasks.train.TrainTask.save`."""
    scan, made = task.scan, task.reconstruction
    arrays = {
        "positions": scan.positions,
        "valid": scan.valid,
        "probe": scan.probe,
        "made_object": made.object,
        "made_probe": made.probe,
        "made_indices": made.indices,
        "made_positions": made.positions,
    } | {name: getattr(task.region, name) for name in _SETS}
    known: dict[str, Any] = {k: v for k, v in arrays.items() if v is not None}
    np.savez(folder / ARRAYS, **known)
    if task.resume is not None:
        task.resume.save(folder / RESUME)
    (folder / TASK).write_text(json.dumps(_plain_values(task)), encoding="utf-8")
    indices = np.concatenate([task.region.train, task.region.validation])
    return _write_frames(scan, indices, folder, should_stop)


def load_task(folder: Path) -> dict[str, Any]:
    """Read the fields of a training task that `save_task` wrote.

    Raises
    ------
    InputError
        If the folder holds no training task.
    """
    try:
        values: dict[str, Any] = json.loads((folder / TASK).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            arrays = dict(stored)
        frames = np.load(folder / FRAMES, mmap_mode="r", allow_pickle=False)
        return _restore_fields(values, arrays, frames, folder / RESUME)
    except (OSError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{folder}: expected a folder that holds a training task.", file=folder
        ) from error


def _plain_values(task: TrainTask) -> dict[str, Any]:
    scan, made = task.scan, task.reconstruction
    return {
        "scan": {
            "unit": scan.unit,
            "pixel_size": scan.pixel_size,
            "name": scan.name,
            "optics": asdict(scan.optics),
        },
        "reconstruction": {
            "pixel_size": made.pixel_size,
            "origin": made.origin,
            "unit": made.unit,
            "algorithm": made.algorithm,
            "iterations": made.iterations,
            "name": made.name,
        },
        "region": task.region.description,
        "training": asdict(task.training),
        "network": None if task.network is None else asdict(task.network),
        "device": task.device,
    }


def _restore_fields(
    values: dict[str, Any], arrays: dict[str, NDArray[Any]], frames: NDArray[Any], resume: Path
) -> dict[str, Any]:

    from napari_ptychonn.network.model import TrainedModel

    about, made = values["scan"], values["reconstruction"]
    scan = Scan(
        frames=frames,
        positions=arrays["positions"],
        unit=about["unit"],
        pixel_size=_pair(about["pixel_size"]),
        valid=arrays.get("valid"),
        probe=arrays.get("probe"),
        optics=Optics(
            **about["optics"] | {"detector_pitch": _pair(about["optics"]["detector_pitch"])}
        ),
        name=about["name"],
    )
    reconstruction = Reconstruction(
        object=arrays["made_object"],
        probe=arrays.get("made_probe"),
        indices=arrays.get("made_indices"),
        positions=arrays.get("made_positions"),
        **made | {key: _pair(made[key]) for key in ("pixel_size", "origin")},
    )
    region = TrainingRegion(**{name: arrays[name] for name in _SETS}, description=values["region"])
    network = values["network"]
    return {
        "scan": scan,
        "reconstruction": reconstruction,
        "region": region,
        "training": TrainingOptions(**values["training"]),
        "network": None if network is None else NetworkOptions(**network),
        "device": values["device"],
        "resume": TrainedModel.load(resume) if resume.exists() else None,
    }


def _write_frames(
    scan: Scan, indices: NDArray[np.int64], folder: Path, should_stop: ShouldStop
) -> bool:
    """Write the chosen frames at their places in a sparse file."""
    dtype, (ky, kx) = scan.frames.dtype, scan.frame_shape
    size = ky * kx * dtype.itemsize
    ends = [0, len(scan) - 1]  # the fingerprint of a scan reads these
    needed = np.unique(np.concatenate([indices, ends]))
    _check_disk_space(folder, size * len(needed))
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (len(scan), ky, kx),
    }
    # Written, not memory-mapped: there a full disk is a fatal signal instead of an error.
    with (folder / FRAMES).open("wb") as file:
        np.lib.format.write_array_header_2_0(file, header)
        start = file.tell()
        file.truncate(start + size * len(scan))
        for run in _split_runs(needed, max(1, SLAB // size)):
            if should_stop():
                return False
            file.seek(start + size * int(run[0]))
            file.write(np.ascontiguousarray(scan.read(run), dtype).data)
    return True


def _split_runs(indices: NDArray[np.int64], longest: int) -> list[NDArray[np.int64]]:
    """Cut sorted indices into pieces without a gap in them."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return [run[k : k + longest] for run in runs for k in range(0, len(run), longest)]


def _check_disk_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size + RESERVE > free:
        raise InputError(
            f"the frames take {size / 2**30:.3g} GiB on the disk of temporary files, "
            f"{folder.parent}, which has {free / 2**30:.3g} GiB left; train in napari, choose "
            "fewer frames, or set TMPDIR to another disk."
        )


def _pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (float(values[0]), float(values[1]))
