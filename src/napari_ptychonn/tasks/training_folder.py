"""The folder through which a training is handed to a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Optics, Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions

FRAMES, ARRAYS, TASK, RESUME = "frames.npy", "arrays.npz", "task.json", "resume.safetensors"

SLAB = 32 * 2**20
"""Bytes of frames that are read at once."""

RESERVE = 256 * 2**20
"""Bytes that are left free on the disk."""

_SETS = ("train", "validation", "gap", "held_out")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingTask:
    """Everything that `napari_ptychonn.network.training.epochs.train` is called with.

    Attributes
    ----------
    scan, reconstruction, region, options, network, device, resume
        As there.
    """

    scan: Scan
    reconstruction: Reconstruction
    region: TrainingRegion
    options: TrainingOptions
    network: NetworkOptions | None
    device: str = "auto"
    resume: TrainedModel | None = None

    def save(self, folder: Path, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Write it; of the frames, only those that training looks at.

        Parameters
        ----------
        folder : Path
            Exists.
        should_stop : callable
            Asked before every piece of the frames.

        Returns
        -------
        bool
            False when it was stopped.

        Raises
        ------
        InputError
            When the disk of temporary files is too small.
        """
        scan, made = self.scan, self.reconstruction
        arrays = {
            "positions": scan.positions,
            "valid": scan.valid,
            "probe": scan.probe,
            "made_object": made.object,
            "made_probe": made.probe,
            "made_indices": made.indices,
            "made_positions": made.positions,
        } | {name: getattr(self.region, name) for name in _SETS}
        known: dict[str, Any] = {k: v for k, v in arrays.items() if v is not None}
        np.savez(folder / ARRAYS, **known)
        if self.resume is not None:
            self.resume.save(folder / RESUME)
        (folder / TASK).write_text(json.dumps(self._words()), encoding="utf-8")
        return self._write_frames(folder, should_stop)

    @classmethod
    def load(cls, folder: Path) -> TrainingTask:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            When it is not such a folder.
        """
        try:
            words: dict[str, Any] = json.loads((folder / TASK).read_text(encoding="utf-8"))
            with np.load(folder / ARRAYS, allow_pickle=False) as stored:
                arrays = dict(stored)
            frames = np.load(folder / FRAMES, mmap_mode="r", allow_pickle=False)
            return cls._restored(words, arrays, frames, folder / RESUME)
        except (OSError, ValueError, LookupError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{folder}: expected a folder that holds a training.") from error

    def _words(self) -> dict[str, Any]:
        scan, made = self.scan, self.reconstruction
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
            "region": self.region.description,
            "options": asdict(self.options),
            "network": None if self.network is None else asdict(self.network),
            "device": self.device,
        }

    @classmethod
    def _restored(
        cls,
        words: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        frames: NDArray[Any],
        resume: Path,
    ) -> TrainingTask:
        about, made = words["scan"], words["reconstruction"]
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
        return cls(
            scan=scan,
            reconstruction=Reconstruction(
                object=arrays["made_object"],
                probe=arrays.get("made_probe"),
                indices=arrays.get("made_indices"),
                positions=arrays.get("made_positions"),
                **made | {key: _pair(made[key]) for key in ("pixel_size", "origin")},
            ),
            region=TrainingRegion(
                **{name: arrays[name] for name in _SETS}, description=words["region"]
            ),
            options=TrainingOptions(**words["options"]),
            network=None if words["network"] is None else NetworkOptions(**words["network"]),
            device=words["device"],
            resume=TrainedModel.load(resume) if resume.exists() else None,
        )

    def _write_frames(self, folder: Path, should_stop: Callable[[], bool]) -> bool:
        """Write the frames of the region at their places; between them the file has holes."""
        scan = self.scan
        dtype, (ky, kx) = scan.frames.dtype, scan.frame_shape
        size = ky * kx * dtype.itemsize
        ends = [0, len(scan) - 1]  # by which a scan is recognised
        wanted = np.unique(np.concatenate([self.region.train, self.region.validation, ends]))
        _must_fit(folder, size * len(wanted))
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": (len(scan), ky, kx),
        }
        # Written, not mapped: a full disk then is an error, and not a signal that ends the program.
        with (folder / FRAMES).open("wb") as file:
            np.lib.format.write_array_header_2_0(file, header)
            start = file.tell()
            file.truncate(start + size * len(scan))
            for run in _runs(wanted, max(1, SLAB // size)):
                if should_stop():
                    return False
                file.seek(start + size * int(run[0]))
                file.write(np.ascontiguousarray(scan.read(run), dtype).data)
        return True


def _runs(indices: NDArray[np.int64], longest: int) -> list[NDArray[np.int64]]:
    """Cut sorted indices into pieces without a gap in them."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return [run[k : k + longest] for run in runs for k in range(0, len(run), longest)]


def _must_fit(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size + RESERVE > free:
        raise InputError(
            f"the frames take {size / 2**30:.3g} GiB on the disk of temporary files, "
            f"{folder.parent}, which has {free / 2**30:.3g} GiB left; train in napari, choose "
            "fewer frames, or set TMPDIR to another disk."
        )


def _pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (float(values[0]), float(values[1]))
