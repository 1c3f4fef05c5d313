"""What runs in the background, as plain generators: they only yield values, and never touch Qt."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.aligned_images import CHANNELS
from napari_ptychonn.comparison.report import Report
from napari_ptychonn.data.patch_store import PatchBuffer, PatchSet, iterate_batches
from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.stitching.mosaic import Mosaic, MosaicImage
from napari_ptychonn.stitching.uncertainty import Uncertainty

if TYPE_CHECKING:
    from napari_ptychonn.comparison.metrics import Comparison
    from napari_ptychonn.io.layouts.layout import Layout
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.network.training.epochs import Epoch
    from napari_ptychonn.network.training.pretraining import Pretraining
    from napari_ptychonn.reconstruction.iterations import Iteration
    from napari_ptychonn.reconstruction.options import EngineOptions
    from napari_ptychonn.tasks.training_folder import TrainingTask

logger = logging.getLogger(__name__)

PREVIEW_SHARE = 0.04
"""At most this part of the training's time goes into showing how it goes."""

PREVIEW_PAUSE = 1.0
"""Seconds between two previews at least: drawing them costs the window time too."""

PREVIEW_FRAMES = 1000
"""A preview mosaic is made from at most so many frames, evenly chosen."""

PROGRESS_PAUSE = 0.2
"""Seconds between two reports of progress at least."""

SHOWN_PAUSE = 1.0
"""Seconds between two that carry predictions: without a GPU each is drawn for a tenth of one."""

ShouldStop = Callable[[], bool]


@dataclass(frozen=True, kw_only=True, eq=False)
class Preview:
    """What the best model so far makes of the scan; `mosaic` is None for a glance at few points."""

    predictions: PatchSet
    mosaic: MosaicImage | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectPreview:
    """It is time to look at the object of the last `Iteration`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress:
    """Predictions so far: `done` of `total` frames; now and then those since the last time."""

    done: int
    total: int
    predictions: PatchSet | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicted:
    """A whole prediction run, and its numbers where there is something to compare with."""

    result: Result
    report: Report | None

    @property
    def comparison(self) -> Comparison | None:
        """The report's numbers."""
        return None if self.report is None else self.report.comparison


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """What one file turned out to hold; at least one of these is there.

    `names` are the reconstructions that the file offers after ``::``; `layout`
    is how it was read, and `places` the file (or 'FILE::DATASET') that its positions are from,
    where somebody chose that by hand.
    """

    path: Path
    scan: Scan | None = None
    reconstruction: Reconstruction | None = None
    names: tuple[str, ...] = ()
    layout: Layout | None = None
    places: str | None = None
    result: Result | None = None
    model: TrainedModel | None = None


@dataclass(frozen=True, kw_only=True)
class Unrecognised:
    """A file with datasets in it that is no scan by itself, and why, in one sentence.

    `partly` when a reconstruction in it is opened all the same.
    """

    path: Path
    sentence: str
    partly: bool = False


def training_job(
    scan: Scan,
    reconstruction: Reconstruction,
    region: TrainingRegion,
    options: TrainingOptions,
    network: NetworkOptions | None,
    device: str,
    should_stop: ShouldStop,
    *,
    resume: TrainedModel | None = None,
    looked_at: Callable[[], int] = lambda: 0,
    processes: int = 0,
) -> Iterator[Epoch | Preview]:
    """Train, and show now and then what the best model makes of the scan.

    Parameters
    ----------
    scan, reconstruction, region, options, network, device, resume
        See `napari_ptychonn.network.training.epochs.train`.
    should_stop : callable
        Asked before every batch; True ends with one last Epoch.
    looked_at : callable
        The scan point that is on screen.
    processes : int
        Processes of their own that train together; 0 to train in this one.

    Yields
    ------
    Epoch
        Every epoch.
    Preview
        Not more often than once a second, and within `PREVIEW_SHARE` of the time.
    """
    from napari_ptychonn.tasks.training_folder import TrainingTask

    task = TrainingTask(
        scan=scan,
        reconstruction=reconstruction,
        region=region,
        options=options,
        network=network,
        device=device,
        resume=resume,
    )
    yield from _watched(task, processes, scan, reconstruction, should_stop, looked_at)


def practice_job(
    scan: Scan,
    reconstruction: Reconstruction | None,
    practice: Pretraining,
    options: TrainingOptions,
    network: NetworkOptions | None,
    device: str,
    should_stop: ShouldStop,
    *,
    resume: TrainedModel | None = None,
    looked_at: Callable[[], int] = lambda: 0,
    processes: int = 0,
) -> Iterator[Epoch | Preview]:
    """Train on made-up samples in the beam of a scan, and show what comes of it on that scan.

    Parameters
    ----------
    scan : Scan
        Gives the detector, the count level and, without a reconstruction, the probe.
    reconstruction : Reconstruction or None
        Of any part of it; only its probe is learnt from.
    practice : Practice
        The samples.
    options, network, device, should_stop, resume, looked_at, processes
        See `training_job`.

    Yields
    ------
    Epoch, Preview
        As `training_job` does.
    """
    from napari_ptychonn.tasks.training_folder import TrainingTask

    made, truth = practice.simulate_for_scan(
        scan, None if reconstruction is None else reconstruction.probe
    )
    if should_stop():
        return
    task = TrainingTask(
        scan=made,
        reconstruction=truth,
        region=TrainingRegion.from_indices(made, slice(None), description="made-up samples"),
        options=options,
        network=network,
        device=device,
        resume=resume,
    )
    yield from _watched(task, processes, scan, reconstruction, should_stop, looked_at)


def _watched(
    task: TrainingTask,
    processes: int,
    scan: Scan,
    reconstruction: Reconstruction | None,
    should_stop: ShouldStop,
    looked_at: Callable[[], int],
) -> Iterator[Epoch | Preview]:
    """Train, and show now and then what the best model makes of the scan on screen."""
    positions, origin = _placed(scan, reconstruction)
    allowance = _Allowance()
    unseen = False
    device = task.device
    try:
        for epoch in _epochs(task, processes, should_stop):
            yield epoch
            unseen = unseen or epoch.is_best
            if not unseen or should_stop():
                continue
            if allowance.affords_mosaic():
                look = partial(preview, scan, epoch.best, positions, origin, device, should_stop)
                yield from allowance.spend(look)
                unseen = False
            elif allowance.affords_glance():
                point = np.asarray([looked_at()])
                yield from allowance.spend_little(partial(glance, scan, epoch.best, point, device))
    finally:
        release_memory()


def _epochs(task: TrainingTask, processes: int, should_stop: ShouldStop) -> Iterator[Epoch]:
    """Train here, or in processes of their own."""
    if processes:
        from napari_ptychonn.tasks.training_process import train_beside

        return train_beside(task, processes, should_stop)
    from napari_ptychonn.network.training.epochs import train

    return train(
        task.scan,
        task.reconstruction,
        task.region,
        task.options,
        task.network,
        device=task.device,
        resume=task.resume,
        should_stop=should_stop,
    )


def reconstruct_job(
    scan: Scan,
    options: EngineOptions,
    indices: NDArray[np.int64] | None,
    start: Reconstruction | None,
    device: str,
    should_stop: ShouldStop,
) -> Iterator[Iteration | ObjectPreview]:
    """Reconstruct, and say now and then that the object so far is worth a look.

    Parameters
    ----------
    scan, options, indices, start, device, should_stop
        See `napari_ptychonn.reconstruction.iterations.reconstruct`.

    Yields
    ------
    Iteration
        Every iteration.
    ObjectPreview
        After an iteration with a newer object, not more often than once a second.
    """
    from napari_ptychonn.reconstruction.iterations import reconstruct

    shown: Reconstruction | None = None
    last = float("-inf")
    for iteration in reconstruct(
        scan, options, indices=indices, start=start, device=device, should_stop=should_stop
    ):
        yield iteration
        newer = iteration.reconstruction is not shown
        if newer and time.monotonic() - last >= PREVIEW_PAUSE:
            shown, last = iteration.reconstruction, time.monotonic()
            yield ObjectPreview()


def predict_job(
    scan: Scan,
    model: TrainedModel,
    reconstruction: Reconstruction | None,
    indices: NDArray[np.int64] | None,
    device: str,
    should_stop: ShouldStop,
) -> Iterator[Progress | Predicted]:
    """Predict frames and stitch them on the way, then compare.

    Predictions that are too many for memory go to a temporary file
    (`napari_ptychonn.data.patch_store`), and no frame is ever kept.

    Parameters
    ----------
    scan : Scan
        Frames.
    model : TrainedModel
        Made from frames of the same shape.
    reconstruction : Reconstruction or None
        Where the frames lie, and what to compare with.
    indices : ndarray of int64 or None
        (m,) scan points; all for None.
    device : str
        See `choose_device`.
    should_stop : callable
        Asked before every batch; what was predicted until then becomes the result.

    Yields
    ------
    Progress
        At most five a second.
    Predicted
        At the end, unless nothing was predicted.
    """
    total = len(scan) if indices is None else len(indices)
    positions, anchor = _placed(scan, reconstruction)
    mosaic, predicted = _grid(model, scan, positions, anchor), PatchBuffer(total)
    shown, seconds = 0, 0.0
    last = last_shown = float("-inf")
    try:
        began = time.perf_counter()
        for batch in model.predict(scan, indices, device=device, should_stop=should_stop):
            predicted.add(batch)
            mosaic.add(batch, positions[batch.indices])
            seconds += time.perf_counter() - began
            if time.monotonic() - last >= PROGRESS_PAUSE:
                newest = None
                if time.monotonic() - last_shown >= SHOWN_PAUSE:
                    newest, shown = predicted.patches(shown), len(predicted)
                yield Progress(done=len(predicted), total=total, predictions=newest)
                last = time.monotonic()
                last_shown = last_shown if newest is None else last
            began = time.perf_counter()
        if len(predicted):
            patches = predicted.patches()
            yield finished(scan, model, reconstruction, patches, seconds, mosaic.image())
    finally:
        release_memory()


def compare_job(
    result: Result, reconstruction: Reconstruction, should_stop: ShouldStop = lambda: False
) -> Iterator[Report]:
    """Compare a result with another reconstruction."""
    del should_stop  # seconds at most, and nothing that could be kept of half of it
    yield _report(result, reconstruction)


def load_job(
    path: str | Path, should_stop: ShouldStop = lambda: False
) -> Iterator[Opened | Unrecognised]:
    """Open a file of any kind that this plugin understands."""
    from napari_ptychonn.io.mapping.inspect import holds_datasets

    del should_stop  # reading is lazy, so there is nothing long to interrupt
    try:
        opened = open_path(path)
    except InputError as error:
        if not holds_datasets(path):
            raise
        yield Unrecognised(path=Path(path), sentence=str(error))
        return
    yield opened
    if (lacking := half_a_scan(opened)) is not None:
        yield lacking


def half_a_scan(opened: Opened) -> Unrecognised | None:
    """Say what is missing where only the reconstruction of a file was opened, not its frames."""
    from napari_ptychonn.io.mapping.inspect import missing_from_scan

    if opened.reconstruction is None or opened.scan is not None:
        return None
    sentence = missing_from_scan(opened.path)
    if sentence is None:
        return None
    return Unrecognised(path=opened.path, sentence=sentence, partly=True)


def simulate_job(should_stop: ShouldStop = lambda: False) -> Iterator[Opened]:
    """Make the simulated sample scan."""
    del should_stop
    yield simulated()


def simulated(points: tuple[int, int] = (32, 32)) -> Opened:
    """The simulated scan with its degraded truth in the place of an ePIE."""
    from napari_ptychonn.simulation.scan import simulate_scan

    scan, reconstruction = simulate_scan(points)
    return Opened(path=Path(scan.name), scan=scan, reconstruction=reconstruction)


def open_path(path: str | Path) -> Opened:
    """Open a scan, a reconstruction, a result or a model, whichever the file is.

    Raises
    ------
    InputError
        When it is none of them, with the sentence that says why.
    """
    from napari_ptychonn.io import describe

    kind = describe(path).kind
    if kind == "model":
        from napari_ptychonn.network.model import TrainedModel

        return Opened(path=Path(path), model=TrainedModel.load(path))
    if kind == "result":
        from napari_ptychonn.io import read_result

        return Opened(path=Path(path), result=read_result(path))
    if kind == "reconstruction":
        from napari_ptychonn.io import list_reconstructions, read_reconstruction

        return Opened(
            path=Path(path),
            reconstruction=read_reconstruction(path),
            names=list_reconstructions(path),
        )
    return open_scan(path)


def positions_job(
    path: Path, layout: Layout | None, positions: str, should_stop: ShouldStop
) -> Iterator[Opened]:
    """Open a scan once more, with the positions of another file."""
    del should_stop
    yield open_scan(path, layout, positions)


def open_scan(
    path: str | Path, layout: Layout | None = None, positions: str | None = None
) -> Opened:
    """Open a scan and the reconstruction that comes with it.

    Parameters
    ----------
    path : str or Path
        See `napari_ptychonn.io.read_scan`.
    layout : Layout, optional
        How the file is laid out, where somebody chose that; an object that cannot
        be placed is then only told of.
    positions : str, optional
        A file (or 'FILE::DATASET') whose positions are used instead of the scan's own.
    """
    from napari_ptychonn.io import list_reconstructions, read_reconstruction, read_scan

    scan = read_scan(path, layout, positions=positions)
    try:
        names = list_reconstructions(path, layout)
    except InputError:
        names = ()
    reconstruction = None
    try:
        reconstruction = read_reconstruction(path, layout, positions=positions) if names else None
    except InputError as error:
        if layout is None:
            raise
        scan = replace(scan, notes=(f"The object is not used: {error}", *scan.notes))
    return Opened(
        path=Path(path),
        scan=scan,
        reconstruction=reconstruction,
        names=names,
        layout=layout,
        places=positions,
    )


def preview(
    scan: Scan,
    model: TrainedModel,
    positions: NDArray[np.float64],
    anchor: tuple[float, float],
    device: str,
    should_stop: ShouldStop,
) -> Iterator[Preview]:
    """Predict (at most `PREVIEW_FRAMES`) frames and stitch them; nothing when interrupted."""
    stride = -(-len(scan) // PREVIEW_FRAMES)
    indices = np.arange(0, len(scan), stride)
    batches = list(model.predict(scan, indices, device=device, should_stop=should_stop))
    if batches and not should_stop():
        predictions = Predictions.join(batches)
        yield Preview(
            predictions=predictions, mosaic=stitch(predictions, model, scan, positions, anchor)
        )


def glance(
    scan: Scan, model: TrainedModel, points: NDArray[np.int64], device: str
) -> Iterator[Preview]:
    """Predict the few points that somebody looks at."""
    for predictions in model.predict(scan, points, device=device):
        yield Preview(predictions=predictions)


def stitch(
    predictions: PatchSet,
    model: TrainedModel,
    scan: Scan,
    positions: NDArray[np.float64],
    anchor: tuple[float, float] = (0.0, 0.0),
) -> MosaicImage:
    """Make the mosaic of some frames, on a grid that is the same whichever frames they are."""
    mosaic = _grid(model, scan, positions, anchor)
    for _, batch in iterate_batches(predictions):
        mosaic.add(batch, positions[batch.indices])
    return mosaic.image()


def finished(
    scan: Scan,
    model: TrainedModel,
    reconstruction: Reconstruction | None,
    predictions: PatchSet,
    seconds: float | None = None,
    mosaic: MosaicImage | None = None,
) -> Predicted:
    """Make a result of predictions, and compare it where a reconstruction is known.

    Parameters
    ----------
    scan, model, reconstruction, predictions
        As in `predict_job`.
    seconds : float, optional
        That predicting took, and stitching where there is a mosaic already.
    mosaic : MosaicImage, optional
        Of all the predictions; stitched here if not given.
    """
    positions, anchor = _placed(scan, reconstruction)
    if mosaic is None:
        began = time.perf_counter()
        mosaic = stitch(predictions, model, scan, positions, anchor)
        seconds = None if seconds is None else seconds + time.perf_counter() - began
    where = positions[predictions.indices]
    result = Result(
        predictions=predictions,
        positions=where,
        mosaic=mosaic,
        uncertainty=Uncertainty.from_predictions(
            predictions, where, mosaic, model.weight, model.residual_limit
        ),
        unit=scan.unit,
        probe=model.probe,
        held_out=model.held_out(scan),
        optics=scan.optics,
        name=scan.name,
        provenance=dict(model.provenance),
        seconds=seconds,
    )
    return Predicted(result=result, report=_reported(result, reconstruction))


def _placed(
    scan: Scan, reconstruction: Reconstruction | None
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Where each frame lies, and a position that falls on a pixel of the mosaic."""
    if reconstruction is None:
        return scan.positions, (0.0, 0.0)
    placed, positions = reconstruction.align_to(scan)
    return positions, placed.origin


def _grid(
    model: TrainedModel,
    scan: Scan,
    positions: NDArray[np.float64],
    anchor: tuple[float, float] = (0.0, 0.0),
) -> Mosaic:
    """Make an empty mosaic that is the same whichever of the frames will be on it."""
    return Mosaic.covering(
        positions, model.patch_shape, model.pixel_size_in(scan), model.weight, anchor
    )


def _report(result: Result, reconstruction: Reconstruction) -> Report:
    """Compare, with the maps that a window shows: they are kept, and here nobody waits for them."""
    report = Report.from_result(result, reconstruction)
    for channel in CHANNELS:
        report.full_mosaic.difference(channel)
    return report


def _reported(result: Result, reconstruction: Reconstruction | None) -> Report | None:
    """Compare where that is possible: the predictions stand without it."""
    if reconstruction is None:
        return None
    try:
        return _report(result, reconstruction)
    except InputError as error:
        logger.warning("no comparison: %s", error)
        return None


def release_memory() -> None:
    """Give cached GPU memory back to other programs; needs no GPU and imports no torch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()  # takes as long as predicting a hundred frames
        torch.cuda.empty_cache()


class _Allowance:
    """Keeps previews within their share of the time."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._spent = 0.0
        self._cost = 0.0
        self._last = float("-inf")

    def affords_mosaic(self) -> bool:
        """Whether another mosaic, as dear as the last one, stays within the share."""
        elapsed = time.monotonic() - self._began
        return self._rested() and self._spent + self._cost <= PREVIEW_SHARE * elapsed

    def affords_glance(self) -> bool:
        """Whether one frame does; it costs next to nothing."""
        return self._rested() and self._spent <= PREVIEW_SHARE * (time.monotonic() - self._began)

    def spend(self, make: Callable[[], Iterator[Preview]]) -> list[Preview]:
        """Make previews and remember what a mosaic costs."""
        began = time.monotonic()
        previews = self.spend_little(make)
        self._cost = time.monotonic() - began
        return previews

    def spend_little(self, make: Callable[[], Iterator[Preview]]) -> list[Preview]:
        """Make previews within the time they are allowed."""
        began = time.monotonic()
        previews = list(make())
        self._last = time.monotonic()
        self._spent += self._last - began
        return previews

    def _rested(self) -> bool:
        return time.monotonic() - self._last >= PREVIEW_PAUSE
