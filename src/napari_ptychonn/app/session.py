"""The session: scan, reconstruction, model, results and running task, with their signals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatchmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.data.crop_bin import (
    crop_and_bin,
    crop_and_bin_reconstruction,
    matches_uncropped,
)
from napari_ptychonn.data.patch_store import PatchSet
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.stitching.mosaic import MosaicImage
from napari_ptychonn.studies.events import StudyProgressed, StudyUpdated
from napari_ptychonn.tasks.events import (
    Activity,
    EpochEnded,
    Event,
    IterationEnded,
    Loaded,
    NotRecognised,
    ObjectPreview,
    PredictionEnded,
    PredictionProgress,
    ReconstructionLoaded,
    ReportReady,
    TrainingPreview,
)

if TYPE_CHECKING:
    from napari_ptychonn.comparison.profile import Line
    from napari_ptychonn.comparison.report import Report
    from napari_ptychonn.io.layouts.layout import Layout
    from napari_ptychonn.network.model import TrainedModel


@dataclass(frozen=True, kw_only=True)
class ErrorPoint:
    """One iteration of a reconstruction as the error curve shows it."""

    number: int
    error: float


@dataclass(frozen=True, kw_only=True)
class LossPoint:
    """One epoch as the loss curve shows it; `validation` is None without validation frames."""

    number: int
    train: float
    validation: float | None


@dataclass(frozen=True, kw_only=True)
class AutosavedModel:
    """A model that was opened from the folder of autosaved ones."""

    path: Path
    model: TrainedModel


class Session:
    """The mutable state behind one dock, with signals; only the main thread may change it.

    Signals are named after what happened; panels and views connect themselves
    and read the new value from the session.  `apply` takes the events of tasks.

    Attributes
    ----------
    scan : Scan or None
        What is loaded.
    full_scan : Scan or None
        The scan with uncropped, unbinned frames; `crop` and `bin` made `scan` of it.
    scan_number : int
        How many scans have been loaded: the same as long as it is the same scan,
        however its frames are masked, cropped or binned.
    crop, bin : int
        See `napari_ptychonn.data.crop_bin.crop_and_bin`.
    path : Path or None
        What was opened, perhaps with a group after '::'.
    positions_source : str or None
        The file (or 'FILE::DATASET') that its positions are from, if chosen by hand.
    layout : Layout or None
        How its file was read, if chosen by hand.
    reconstruction : Reconstruction or None
        The chosen one, placed under the scan.
    object_so_far : Reconstruction or None
        Of the reconstruction that runs; `reconstruction` once it has ended.
    errors : list of ErrorPoint
        Of the last reconstruction that was made here.
    positions : ndarray of float64
        (n, 2) where each frame lies, in the scan's unit: the reconstruction's
        own positions where it has some.
    region : TrainingRegion or None
        Which frames train.
    model : TrainedModel or None
        The best so far, or the one that was opened.  It outlives its scan.
    unsaved : bool
        Whether `model` was trained here and is in no file yet.
    losses : list of LossPoint
        Of the last training.
    predictions, mosaic
        What is on screen: previews while training, then the result's.
    result : Result or None
        The last complete prediction run.
    report : Report or None
        `result` against `reconstruction`.
    line : tuple or None
        ((y, x), (y, x)) in the scan's unit, across which both are read.
    point : int
        The scan point that is looked at.
    device : str
        Where networks are trained and run; see `choose_device`.
    running : str
        The activity of the main task ('training', …), or ''.
    """

    scan_loaded = Signal()
    mask_changed = Signal()
    reconstruction_chosen = Signal()
    iteration_finished = Signal(object)
    object_changed = Signal()
    region_chosen = Signal()
    point_moved = Signal(int)
    running_changed = Signal(str)
    task_finished = Signal(str, str)
    epoch_finished = Signal(object)
    prediction_progressed = Signal(object)
    predictions_changed = Signal()
    model_changed = Signal()
    result_changed = Signal()
    report_changed = Signal()
    report_outdated = Signal()
    study_progressed = Signal(object)
    line_chosen = Signal()
    file_loaded = Signal(object)
    file_not_recognised = Signal(object)

    def __init__(self) -> None:
        self.scan: Scan | None = None
        self.full_scan: Scan | None = None
        self.scan_number = 0
        self.crop: int | None = None
        self.bin = 1
        self._full_reconstruction: Reconstruction | None = None
        self.path: Path | None = None
        self.positions_source: str | None = None
        self.layout: Layout | None = None
        self.reconstruction: Reconstruction | None = None
        self.object_so_far: Reconstruction | None = None
        self.errors: list[ErrorPoint] = []
        self.positions: NDArray[np.float64] = np.empty((0, 2))
        self.reconstruction_names: tuple[str, ...] = ()
        self.region: TrainingRegion | None = None
        self.model: TrainedModel | None = None
        self.unsaved = False
        self.autosaved: AutosavedModel | None = None
        self.losses: list[LossPoint] = []
        self.point = 0
        self.running = ""
        self.device = "auto"
        self.predictions: PatchSet | None = None
        self.mosaic: MosaicImage | None = None
        self.result: Result | None = None
        self.report: Report | None = None
        self.line: Line | None = None

    def load_scan(
        self,
        scan: Scan,
        reconstruction_names: tuple[str, ...] = (),
        layout: Layout | None = None,
        path: Path | None = None,
        positions_source: str | None = None,
        reconstruction: Reconstruction | None = None,
    ) -> None:
        """Start over with another scan; the model stays, so that it can predict this one too.

        Raises
        ------
        InputError
            When the reconstruction cannot belong to the scan, which is loaded without it.
        """
        self.full_scan, self.crop, self.bin = scan, None, 1
        self.scan_number += 1
        self.layout, self.reconstruction_names = layout, reconstruction_names
        self.path, self.positions_source = path, positions_source
        self._start_over(scan, reconstruction)

    def crop_and_bin(self, crop: int | None, bin: int) -> None:
        """Start over with more or less of each frame; ignored while something uses the scan.

        A reconstruction of whole frames stays chosen, brought to what is read.

        Parameters
        ----------
        crop, bin : int
            See `napari_ptychonn.data.crop_bin.crop_and_bin`.

        Raises
        ------
        InputError
            When too little of the frames would be left; nothing is changed then.
        """
        if self.full_scan is None or self.running:
            return
        self._read_again(self.full_scan, crop, bin)

    def correct(self, correction: ScanCorrection) -> None:
        """Start over with a corrected scan; ignored while something uses the scan."""
        if self.full_scan is not None and not self.running:
            self._read_again(correction.apply(self.full_scan), self.crop, self.bin)

    def _read_again(self, full_scan: Scan, crop: int | None, bin: int) -> None:
        scan, made = crop_and_bin(full_scan, crop, bin), self._full_reconstruction
        self.full_scan, self.crop, self.bin = full_scan, crop, bin
        fits = made is not None and matches_uncropped(made, full_scan)
        self._start_over(scan, made if fits else None)

    def _start_over(self, scan: Scan, reconstruction: Reconstruction | None) -> None:
        self.scan, self.positions = scan, scan.positions
        self.reconstruction = self.object_so_far = self._full_reconstruction = None
        self.errors = []
        self.region = None
        self.point = 0
        self._clear_predictions()
        try:
            if reconstruction is not None:
                self._place(reconstruction)
        finally:
            # Once, with the reconstruction: the canvas is built from both.
            self.scan_loaded.emit()

    def mask_above(self, contrast: float | None) -> None:
        """Leave more or fewer faulty detector pixels out; ignored while something uses the scan."""
        if self.scan is None or self.scan.bad_pixels is None or self.running:
            return
        self.scan = self.scan.masked_above(contrast)
        if self.full_scan is not None:
            self.full_scan = self.full_scan.masked_above(contrast)
        self.mask_changed.emit()

    def choose_reconstruction(self, reconstruction: Reconstruction) -> None:
        """Place a reconstruction under the scan.

        Raises
        ------
        InputError
            When it cannot belong to this scan; nothing is changed then.
        """
        if self.scan is None:
            return
        self._place(reconstruction)
        self.reconstruction_chosen.emit()
        self.report_outdated.emit()

    def _place(self, reconstruction: Reconstruction) -> None:
        assert self.scan is not None
        whole, fitting = self.full_scan, reconstruction
        if whole is not None:
            fitting = crop_and_bin_reconstruction(reconstruction, whole, self.crop, self.bin)
        self.reconstruction, self.positions = fitting.align_to(self.scan)
        self._full_reconstruction, self.report = reconstruction, None

    def choose_region(self, region: TrainingRegion | None) -> None:
        """Set which frames train; None while the choice makes no sense."""
        self.region = region
        self.region_chosen.emit()

    def move_to(self, point: int) -> None:
        """Look at a scan point; ignored outside the scan."""
        if self.scan is None or point == self.point or not 0 <= point < len(self.scan):
            return
        self.point = point
        self.point_moved.emit(point)

    def start_task(self, activity: Activity) -> bool:
        """Claim the one main task; False while another one runs."""
        if self.running:
            return False
        if activity == "training":
            self.losses = []
        elif activity == "reconstructing":
            self.object_so_far, self.errors = None, []
        self.running = activity
        self.running_changed.emit(activity)
        return True

    def finish_task(self, reason: str = "", *, same_scan: bool = True) -> None:
        """Release the main task.

        Parameters
        ----------
        reason : str
            One sentence if the task failed.
        same_scan : bool
            Whether the task was about the present scan; `task_finished` is
            emitted only then.
        """
        if activity := self.running:
            self.running = ""
            self.running_changed.emit("")
            if same_scan or reason:
                self.task_finished.emit(activity, reason)

    @singledispatchmethod
    def apply(self, event: Event) -> None:
        """Take an event of a task: keep what it carries and emit the signals that follow."""
        raise TypeError(f"no handler for {type(event).__name__}")

    @apply.register
    def _(self, event: EpochEnded) -> None:
        epoch = event.epoch
        self.losses.append(
            LossPoint(number=epoch.number, train=epoch.train_loss, validation=epoch.validation_loss)
        )
        changed = self.model is not epoch.best
        self.model = epoch.best
        self.unsaved = True
        self.epoch_finished.emit(epoch)
        if changed:
            self.model_changed.emit()

    @apply.register
    def _(self, event: IterationEnded) -> None:
        iteration = event.iteration
        if not self.errors or self.errors[-1].number < iteration.number:
            self.errors.append(ErrorPoint(number=iteration.number, error=iteration.error))
        self.object_so_far = iteration.reconstruction
        self.iteration_finished.emit(iteration)

    @apply.register
    def _(self, event: ObjectPreview) -> None:
        self.object_changed.emit()

    @apply.register
    def _(self, event: TrainingPreview) -> None:
        self.show_predictions(event.predictions, event.mosaic)

    @apply.register
    def _(self, event: PredictionProgress) -> None:
        self.prediction_progressed.emit(event)
        if event.predictions is not None:
            self.show_predictions(event.predictions, None)

    @apply.register
    def _(self, event: PredictionEnded) -> None:
        self.set_result(event.result, event.report)

    @apply.register
    def _(self, event: ReportReady) -> None:
        self.set_report(event.report)

    @apply.register
    def _(self, event: StudyProgressed | StudyUpdated) -> None:
        self.study_progressed.emit(event)

    @apply.register
    def _(self, event: ReconstructionLoaded) -> None:
        self.choose_reconstruction(event.reconstruction)

    @apply.register
    def _(self, event: Loaded) -> None:
        self.file_loaded.emit(event)

    @apply.register
    def _(self, event: NotRecognised) -> None:
        self.file_not_recognised.emit(event)

    def show_predictions(self, predictions: PatchSet | None, mosaic: MosaicImage | None) -> None:
        """Show previews; None keeps what is shown."""
        self.predictions = predictions if predictions is not None else self.predictions
        self.mosaic = mosaic if mosaic is not None else self.mosaic
        self.predictions_changed.emit()

    def set_model(self, model: TrainedModel, *, unsaved: bool = False) -> None:
        """Use a model that was opened, or that was trained on another scan."""
        self.model, self.unsaved = model, unsaved
        self.model_changed.emit()

    def mark_saved(self, model: TrainedModel) -> None:
        """Record that a model is in a file now."""
        if model is self.model:
            self.unsaved = False

    def set_result(self, result: Result, report: Report | None = None) -> None:
        """Keep a complete result and show it; `report` compares it with the reconstruction."""
        self.result = result
        self.predictions, self.mosaic = result.predictions, result.mosaic
        self.predictions_changed.emit()
        self.result_changed.emit()
        self.set_report(report)

    def load_result(self, result: Result) -> None:
        """Keep a result out of a file, which is still to be compared."""
        self.set_result(result)
        self.report_outdated.emit()

    def set_report(self, report: Report | None) -> None:
        """Keep the comparison of `result` with `reconstruction`."""
        self.report = report
        self.report_changed.emit()

    def choose_line(self, line: Line | None) -> None:
        """Say along which line both mosaics are read; None for the one that the report offers."""
        self.line = line
        self.line_chosen.emit()

    def _clear_predictions(self) -> None:
        self.predictions = self.mosaic = self.result = self.report = None
        self.line = None
