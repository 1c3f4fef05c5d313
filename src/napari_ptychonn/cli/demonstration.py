"""The demonstration: a simulated scan from frames to pictures, by the same doors as real data."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction, read_scan, write_result
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.tasks.events import PredictionEnded, PredictionProgress
from napari_ptychonn.tasks.predict import PredictTask

if TYPE_CHECKING:
    from napari_ptychonn.comparison.metrics import Comparison
    from napari_ptychonn.network.model import TrainedModel

POINTS = (48, 48)
TRAINING_LINES = 30
STEPS = 500
LONGEST_TRAINING = 210.0
"""Seconds; a very slow machine stops here with the best model so far."""

SCAN_FILE = "simulated_scan.h5"
MODEL_FILE = "model.safetensors"
RESULT_FILE = "RESULT.h5"
COMPARISON_FILE = "comparison.json"
FIGURE_FILES = ("loss.png", "single_shots.png", "mosaics.png")

RECONSTRUCTION_GROUP = "degraded_truth"


class Track(Protocol):
    """Shows how far something has got."""

    def __call__(self, what: str, done: int, total: int, status: str = "") -> None:
        """Show `done` of `total` for `what`."""


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """What to simulate and how long to train; the defaults end in minutes on two cores.

    Attributes
    ----------
    points : tuple of int
        Scan points (ny, nx).
    training_lines : int
        The first so many lines are trained on, the rest is held out.
    steps : int
        Optimiser steps.
    device : str
        See `napari_ptychonn.compute.device.choose_device`.
    seed : int
        Of the sample and the training.
    """

    points: tuple[int, int] = POINTS
    training_lines: int = TRAINING_LINES
    steps: int = STEPS
    device: str = "auto"
    seed: int = 0

    def run(
        self,
        folder: Path,
        say: Callable[[str], None],
        track: Track,
        should_stop: Callable[[], bool],
    ) -> list[Path]:
        """Leave scan, model, result, comparison and pictures in a folder; return their paths.

        Parameters
        ----------
        folder : Path
            Made when missing; files of an earlier demonstration are replaced.
        say : callable
            Told one sentence at a time.
        track : Track
            Told how far each part is.
        should_stop : callable
            Asked during training; True goes on with the best model so far.
        """
        _make_folder(folder)
        simulated = Simulation(points=self.points, seed=self.seed).run()
        file = write_scan(folder / SCAN_FILE, simulated.scan, simulated.reconstruction)
        scan, reconstruction = read_scan(file), read_reconstruction(file)
        say(f"{len(scan)} frames simulated; the labels are {reconstruction.algorithm}")
        width = self.points[1]
        region = TrainingRegion.from_indices(scan, slice(0, self.training_lines * width))
        say(f"training on {region.description}: {region.counts}")
        model = self._train(scan, reconstruction, region, say, track, should_stop)
        model.save(folder / MODEL_FILE)
        predicted = self._predict(scan, reconstruction, model, track)
        write_result(folder / RESULT_FILE, predicted.result)
        if predicted.comparison is not None:
            say(predicted.comparison.sentence)
            _write_json(folder / COMPARISON_FILE, predicted.comparison)
        pictures = draw(folder, scan, reconstruction, region, model, predicted)
        names = (SCAN_FILE, MODEL_FILE, RESULT_FILE, COMPARISON_FILE)
        return [folder / name for name in names] + pictures

    def _train(
        self,
        scan: Scan,
        reconstruction: Reconstruction,
        region: TrainingRegion,
        say: Callable[[str], None],
        track: Track,
        should_stop: Callable[[], bool],
    ) -> TrainedModel:
        from napari_ptychonn.network.training.epochs import train

        options = TrainingOptions(steps=self.steps, seed=self.seed)
        deadline = time.monotonic() + LONGEST_TRAINING
        model = None
        for epoch in train(
            scan,
            reconstruction,
            region,
            options,
            NetworkOptions(),
            device=self.device,
            should_stop=lambda: should_stop() or time.monotonic() > deadline,
        ):
            for message in epoch.messages:
                say(message)
            track("training", epoch.step, epoch.steps, f"loss {epoch.train_loss:.4f}")
            model = epoch.best
        if model is None:
            raise InputError("The training was stopped before there was any model.")
        return model

    def _predict(
        self, scan: Scan, reconstruction: Reconstruction, model: TrainedModel, track: Track
    ) -> PredictionEnded:
        task = PredictTask(
            scan=scan, model=model, reconstruction=reconstruction, device=self.device
        )
        for step in task.run():
            if isinstance(step, PredictionProgress):
                track("predicting", step.done, step.total)
            else:
                return step
        raise InputError("Nothing was predicted.")


def draw(
    folder: Path,
    scan: Scan,
    reconstruction: Reconstruction,
    region: TrainingRegion,
    model: TrainedModel,
    predicted: PredictionEnded,
) -> list[Path]:
    """Draw the loss curve, single shots and mosaics into a folder."""
    from napari_ptychonn import plots

    result = predicted.result
    held_out = np.intersect1d(region.held_out, result.predictions.indices)
    points = plots.choose_points(scan, reconstruction, held_out, model.patch_shape)
    reference = reconstruction.name
    pictures = (
        plots.plot_losses(model.history),
        plots.plot_single_shots(scan, result, reconstruction, points, reference=reference),
        plots.plot_mosaics(
            scan,
            result,
            reconstruction,
            region,
            comparison=predicted.comparison,
            reference=reference,
        ),
    )
    return [
        plots.save_figure(picture, folder / name)
        for picture, name in zip(pictures, FIGURE_FILES, strict=True)
    ]


def write_scan(path: str | Path, scan: Scan, reconstruction: Reconstruction | None = None) -> Path:
    """Write a scan, and a reconstruction in a group of its own, as one HDF5 file.

    The layout is that of this project's sample data: ``diffraction`` and
    ``positions_m`` (or ``positions_px``) with the optics beside them; the group
    holds ``object``, ``probe``, ``indexes`` and ``positions_px``, the (y, x)
    index in the object of the centre (element N // 2) of each window.

    Parameters
    ----------
    path : str or Path
        Replaced only by a complete file.
    scan : Scan
        Read batch by batch.
    reconstruction : Reconstruction, optional
        With the positions it was made at.
    """
    import h5py

    from napari_ptychonn.atomic_file import replacing

    path = Path(path)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["description"] = " ".join(scan.notes) or scan.name
        file.attrs["name"] = scan.name
        frames = file.create_dataset(
            "diffraction",
            shape=scan.frames.shape,
            dtype=scan.frames.dtype,
            chunks=(1, *scan.frame_shape),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        for start in range(0, len(scan), 256):
            indices = np.arange(start, min(start + 256, len(scan)))
            frames[start : start + len(indices)] = scan.read(indices)
        unit = "px" if scan.unit == "pixel" else "m"
        positions = file.create_dataset(f"positions_{unit}", data=scan.positions)
        positions.attrs["unit"] = "object pixel" if scan.unit == "pixel" else "m"
        positions.attrs["axes"] = "y, x"
        for name, value in _optics(scan).items():
            file[name] = value
        if scan.valid is not None:
            file["valid"] = scan.valid
        if reconstruction is not None:
            _write_object(file.create_group(RECONSTRUCTION_GROUP), reconstruction)
    return path


def show_demo(folder: Path, say: Callable[[str], None]) -> None:
    """Open the demonstration's scan in napari with the dock, until the window is closed.

    Says so, and returns, where there is no screen or no Qt.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        say("no window is opened: this machine has no display (use --headless to say so)")
        return
    try:
        import napari

        viewer = napari.Viewer()
    except (ImportError, RuntimeError) as error:
        say(f"no window is opened: napari or Qt cannot be used here ({error})")
        return
    viewer.open(folder / SCAN_FILE, plugin="napari-ptychonn")
    viewer.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    napari.run()


def _write_object(group: Any, reconstruction: Reconstruction) -> None:
    group.attrs["algorithm"] = reconstruction.algorithm
    group.attrs["name"] = reconstruction.name
    group.attrs["description"] = reconstruction.algorithm
    if reconstruction.iterations is not None:
        group.attrs["iterations"] = reconstruction.iterations
    group["object"] = reconstruction.object
    if reconstruction.probe is not None:
        group["probe"] = reconstruction.probe
    if reconstruction.positions is not None and reconstruction.indices is not None:
        group["indexes"] = reconstruction.indices
        group["positions_px"] = reconstruction.pixel_index(reconstruction.positions)
        group["positions_px"].attrs["meaning"] = (
            "(y, x) index in object of the centre (element N//2) of each probe window"
        )


def _optics(scan: Scan) -> dict[str, float]:
    optics = scan.optics
    pitch = optics.detector_pitch or (None, None)
    energy = None if optics.energy_kev is None else optics.energy_kev * 1e3
    values = {
        "photon_energy_eV": energy,
        "detector_distance_m": optics.detector_distance,
        "detector_pixel_height_m": pitch[0],
        "detector_pixel_width_m": pitch[1],
    }
    return {name: value for name, value in values.items() if value is not None}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}.") from error


def _write_json(path: Path, comparison: Comparison) -> None:
    with _text(path) as file:
        json.dump({"selection": "held out", **comparison.as_dict()}, file, indent=2)


@contextmanager
def _text(path: Path) -> Iterator[Any]:
    try:
        with path.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
