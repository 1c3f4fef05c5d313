"""What is loaded, chosen, running and produced: the only mutable state, without Qt or napari."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

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

if TYPE_CHECKING:
    from napari_ptychonn.comparison.metrics import Comparison
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


class Session:
    """The state behind one dock.  Only the main thread may call its methods.

    Every change is told by a signal named after what happened; listeners read
    the new value from the session.

    Attributes
    ----------
    scan : Scan or None
        What is loaded.
    whole : Scan or None
        The same with whole frames, of which `crop` and `bin` say how much `scan` has.
    crop, bin : int
        See `napari_ptychonn.data.crop_bin.reduced`.
    path : Path or None
        What was opened, perhaps with a group after '::'.
    places : str or None
        The file (or 'FILE::DATASET') that its positions are from, where somebody chose that.
    layout : Layout or None
        How its file was read, where somebody chose that by hand.
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
    running : str
        What runs in the background: 'reconstructing', 'training', 'predicting',
        'studying', 'opening' or ''.
    """

    scan_loaded = Signal()
    mask_changed = Signal()
    reconstruction_chosen = Signal()
    iteration_finished = Signal(object)
    object_changed = Signal()
    region_chosen = Signal()
    point_moved = Signal(int)
    run_changed = Signal(str)
    epoch_finished = Signal(object)
    predictions_changed = Signal()
    model_changed = Signal()
    result_changed = Signal()
    report_changed = Signal()
    line_chosen = Signal()

    def __init__(self) -> None:
        self.scan: Scan | None = None
        self.whole: Scan | None = None
        self.crop: int | None = None
        self.bin = 1
        self._made: Reconstruction | None = None
        self.path: Path | None = None
        self.places: str | None = None
        self.layout: Layout | None = None
        self.reconstruction: Reconstruction | None = None
        self.object_so_far: Reconstruction | None = None
        self.errors: list[ErrorPoint] = []
        self.positions: NDArray[np.float64] = np.empty((0, 2))
        self.reconstruction_names: tuple[str, ...] = ()
        self.region: TrainingRegion | None = None
        self.model: TrainedModel | None = None
        self.unsaved = False
        self.losses: list[LossPoint] = []
        self.point = 0
        self.running = ""
        self.predictions: PatchSet | None = None
        self.mosaic: MosaicImage | None = None
        self.result: Result | None = None
        self.report: Report | None = None
        self.line: Line | None = None

    @property
    def comparison(self) -> Comparison | None:
        """The report's numbers."""
        return None if self.report is None else self.report.comparison

    def load_scan(
        self,
        scan: Scan,
        reconstruction_names: tuple[str, ...] = (),
        layout: Layout | None = None,
        path: Path | None = None,
        places: str | None = None,
    ) -> None:
        """Start over with another scan; the model stays, so that it can predict this one too."""
        self.whole, self.crop, self.bin = scan, None, 1
        self.layout, self.reconstruction_names = layout, reconstruction_names
        self.path, self.places = path, places
        self._begin_with(scan)

    def read(self, crop: int | None, bin: int) -> None:
        """Start over with more or less of each frame; ignored while something uses the scan.

        A reconstruction of whole frames stays chosen, brought to what is read.

        Parameters
        ----------
        crop, bin : int
            See `napari_ptychonn.data.crop_bin.reduced`.

        Raises
        ------
        InputError
            When too little of the frames would be left; nothing is changed then.
        """
        if self.whole is None or self.running:
            return
        scan = crop_and_bin(self.whole, crop, bin)
        made = self._made
        self.crop, self.bin = crop, bin
        self._begin_with(scan)
        if made is not None and matches_uncropped(made, self.whole):
            self.choose_reconstruction(made)

    def _begin_with(self, scan: Scan) -> None:
        self.scan, self.positions = scan, scan.positions
        self.reconstruction = self.object_so_far = self._made = None
        self.errors = []
        self.region = None
        self.point = 0
        self._forget_predictions()
        self.scan_loaded.emit()

    def mask_above(self, contrast: float | None) -> None:
        """Leave more or fewer faulty detector pixels out; ignored while something uses the scan."""
        if self.scan is None or self.scan.bad_pixels is None or self.running:
            return
        self.scan = self.scan.masked_above(contrast)
        if self.whole is not None:
            self.whole = self.whole.masked_above(contrast)
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
        fitting = reconstruction
        if self.whole is not None:
            fitting = crop_and_bin_reconstruction(reconstruction, self.whole, self.crop, self.bin)
        self.reconstruction, self.positions = fitting.align_to(self.scan)
        self._made = reconstruction
        self.report = None
        self.reconstruction_chosen.emit()

    def choose_region(self, region: TrainingRegion | None) -> None:
        """Say which frames train; None while the choice makes no sense."""
        self.region = region
        self.region_chosen.emit()

    def move_to(self, point: int) -> None:
        """Look at a scan point; ignored outside the scan."""
        if self.scan is None or point == self.point or not 0 <= point < len(self.scan):
            return
        self.point = point
        self.point_moved.emit(point)

    def begin(self, run: str) -> bool:
        """Claim the one background run; False when something runs already."""
        if self.running:
            return False
        if run == "training":
            self.losses = []
        if run == "reconstructing":
            self.object_so_far, self.errors = None, []
        self.running = run
        self.run_changed.emit(run)
        return True

    def end(self) -> None:
        """Say that nothing runs any more."""
        if self.running:
            self.running = ""
            self.run_changed.emit("")

    def record_iteration(self, iteration: Any) -> None:
        """Keep an iteration's error and its object (an `Iteration` of the reconstruction)."""
        if not self.errors or self.errors[-1].number < iteration.number:
            self.errors.append(ErrorPoint(number=iteration.number, error=iteration.error))
        self.object_so_far = iteration.reconstruction
        self.iteration_finished.emit(iteration)

    def show_object(self) -> None:
        """Put the object so far on screen."""
        self.object_changed.emit()

    def record(self, epoch: Any) -> None:
        """Keep an epoch's losses and its best model (an `Epoch` of the training)."""
        self.losses.append(
            LossPoint(number=epoch.number, train=epoch.train_loss, validation=epoch.validation_loss)
        )
        changed = self.model is not epoch.best
        self.model = epoch.best
        self.unsaved = True
        self.epoch_finished.emit(epoch)
        if changed:
            self.model_changed.emit()

    def show(self, predictions: PatchSet | None, mosaic: MosaicImage | None) -> None:
        """Put previews on screen; None leaves what is there."""
        self.predictions = predictions if predictions is not None else self.predictions
        self.mosaic = mosaic if mosaic is not None else self.mosaic
        self.predictions_changed.emit()

    def set_model(self, model: TrainedModel, *, unsaved: bool = False) -> None:
        """Use a model that was opened, or that was trained on another scan."""
        self.model, self.unsaved = model, unsaved
        self.model_changed.emit()

    def model_saved(self) -> None:
        """Say that the model is in a file now."""
        self.unsaved = False

    def set_result(self, result: Result, report: Report | None = None) -> None:
        """Keep a complete result, and show it."""
        self.result = result
        self.predictions, self.mosaic = result.predictions, result.mosaic
        self.predictions_changed.emit()
        self.result_changed.emit()
        self.set_report(report)

    def set_report(self, report: Report | None) -> None:
        """Keep what there is to say of `result` against `reconstruction`."""
        self.report = report
        self.report_changed.emit()

    def choose_line(self, line: Line | None) -> None:
        """Say along which line both mosaics are read; None for the one that the report offers."""
        self.line = line
        self.line_chosen.emit()

    def _forget_predictions(self) -> None:
        self.predictions = self.mosaic = self.result = self.report = None
        self.line = None
