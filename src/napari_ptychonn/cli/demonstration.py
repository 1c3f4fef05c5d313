"""The demonstration: a simulated scan from frames to figures, read and written as real data."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction, read_scan, write_result
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.tasks.events import PredictionEnded, PredictionProgress
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.tasks.train import TrainTask

if TYPE_CHECKING:
    from napari_ptychonn.cli.console import Track
    from napari_ptychonn.comparison.metrics import Comparison
    from napari_ptychonn.network.model import TrainedModel

POINTS = (48, 48)
TRAINING_LINES = 30
STEPS = 500
LONGEST_TRAINING = 210.0
"""Time limit of the training, seconds: a very slow machine keeps the best model so far."""

SCAN_FILE = "simulated_scan.h5"
MODEL_FILE = "model.safetensors"
RESULT_FILE = "RESULT.h5"
COMPARISON_FILE = "comparison.json"
FIGURE_FILES = ("loss.png", "single_shots.png", "mosaics.png")

RECONSTRUCTION_GROUP = "degraded_truth"


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """Size of the simulation and of the training; the defaults take minutes on two cores.

    Attributes
    ----------
    points : tuple of int
        Scan points (ny, nx).
    training_lines : int
        Number of lines to train on, from the first; the others are held out.
    steps : int
        Optimiser steps.
    device : str
        See `napari_ptychonn.compute.device.choose_device`.
    seed : int
        Seed of the sample and of the training.
    """

    points: tuple[int, int] = POINTS
    training_lines: int = TRAINING_LINES
    steps: int = STEPS
    device: str = "auto"
    seed: int = 0

    def run(
        self,
        folder: Path,
        report: Callable[[str], None],
        track: Track,
        should_stop: Callable[[], bool],
    ) -> list[Path]:
        """Write scan, model, result, comparison and figures to a folder; return their paths.

        Parameters
        ----------
        folder : Path
            Created if missing; files of an earlier demonstration are replaced.
        report : callable
            Called with one sentence at a time.
        track : Track
            Shows the progress of each part.
        should_stop : callable
            Checked during training; True continues with the best model so far.
        """
        _make_folder(folder)
        simulated = Simulation(points=self.points, seed=self.seed).run()
        file = write_scan(folder / SCAN_FILE, simulated.scan, simulated.reconstruction)
        scan, reconstruction = read_scan(file), read_reconstruction(file)
        frames = format_count(len(scan), "frame")
        report(f"simulated {frames}; the labels are {reconstruction.algorithm}")
        width = self.points[1]
        region = TrainingRegion.from_indices(scan, slice(0, self.training_lines * width))
        report(f"training on {region.description}: {region.counts}")
        model = self._train(scan, reconstruction, region, report, track, should_stop)
        model.save(folder / MODEL_FILE)
        predicted = self._predict(scan, reconstruction, model, track)
        write_result(folder / RESULT_FILE, predicted.result)
        if predicted.comparison is not None:
            report(predicted.comparison.sentence)
            _write_json(folder / COMPARISON_FILE, predicted.comparison)
        pictures = draw(folder, scan, reconstruction, region, model, predicted)
        names = (SCAN_FILE, MODEL_FILE, RESULT_FILE, COMPARISON_FILE)
        return [folder / name for name in names] + pictures

    def _train(
        self,
        scan: Scan,
        reconstruction: Reconstruction,
        region: TrainingRegion,
        report: Callable[[str], None],
        track: Track,
        should_stop: Callable[[], bool],
    ) -> TrainedModel:
        deadline = time.monotonic() + LONGEST_TRAINING
        model = None
        task = TrainTask(
            scan=scan,
            reconstruction=reconstruction,
            region=region,
            training=TrainingOptions(steps=self.steps, seed=self.seed),
            network=NetworkOptions(),
            device=self.device,
        )
        for epoch in task.epochs(lambda: should_stop() or time.monotonic() > deadline):
            for message in epoch.messages:
                report(message)
            track("training", epoch.step, epoch.steps, f"loss {epoch.train_loss:.4f}")
            model = epoch.best
        if model is None:
            raise InputError("the training was stopped before its first epoch.")
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
        raise InputError("the prediction was stopped before its first frame.")


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

    The layout is that of this project's sample data: ``diffraction``,
    ``positions_m`` (or ``positions_px``) and the optics at the root; the group
    holds ``object``, ``probe``, ``indexes`` and ``positions_px``, the (y, x)
    index in the object of the centre (element N // 2) of each window.

    Parameters
    ----------
    path : str or Path
        Replaced only by a complete file.
    scan : Scan
        Read batch by batch.
    reconstruction : Reconstruction, optional
        With its own positions.
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


def show_demo(folder: Path, report: Callable[[str], None]) -> None:
    """Open the demonstration's scan in napari with the dock, until the window is closed.

    Without a display or Qt, report why no window opens and return.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        report("no window is opened: this machine has no display (--headless avoids this message)")
        return
    try:
        import napari

        viewer = napari.Viewer()
    except (ImportError, RuntimeError) as error:
        report(f"no window is opened: napari or Qt cannot be used here ({error})")
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
        raise InputError(f"{folder} cannot be created: {error.strerror}.") from error


def _write_json(path: Path, comparison: Comparison) -> None:
    from napari_ptychonn.atomic_file import replacing

    text = json.dumps({"selection": "held out", **comparison.as_dict()}, indent=2)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
