"""Predict frames one by one, stitch the mosaic, and compare it."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.consistency.overlap import check_overlap
from napari_ptychonn.data.patch_store import PatchBuffer, PatchSet, iterate_batches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.compatibility import compare_scans
from napari_ptychonn.stitching.mosaic import Mosaic, MosaicImage
from napari_ptychonn.stitching.uncertainty import Uncertainty
from napari_ptychonn.tasks.compare import make_report
from napari_ptychonn.tasks.events import (
    Activity,
    PredictionEnded,
    PredictionProgress,
    ShouldStop,
    never,
)

if TYPE_CHECKING:
    from napari_ptychonn.comparison.report import Report
    from napari_ptychonn.network.model import TrainedModel

logger = logging.getLogger(__name__)

PROGRESS_PAUSE = 0.2
"""Seconds between two progress events at least."""

PREDICTIONS_PAUSE = 1.0
"""Seconds between two that carry predictions: without a GPU, drawing each takes 0.1 s."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictTask:
    """Predict scan points, stitch them on the way, then compare.

    Predictions that are too many for memory go to a temporary file
    (`napari_ptychonn.data.patch_store`); frames are not kept.

    Attributes
    ----------
    scan : Scan
        Frames and positions.
    model : TrainedModel
        Trained on frames of the same shape.
    reconstruction : Reconstruction or None
        Gives the positions of its frames, and is what the result is compared with.
    indices : ndarray of int64 or None
        (m,) scan points; None for all.
    device : str
        See `napari_ptychonn.compute.device.choose_device`.
    """

    activity: ClassVar[Activity] = "predicting"

    scan: Scan
    model: TrainedModel
    reconstruction: Reconstruction | None = None
    indices: NDArray[np.int64] | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        check_indices(self.scan, self.indices)

    @property
    def total(self) -> int:
        """Number of frames to predict."""
        return len(self.scan) if self.indices is None else len(self.indices)

    def run(
        self, should_stop: ShouldStop = never
    ) -> Iterator[PredictionProgress | PredictionEnded]:
        """Predict; what was predicted when it is stopped becomes the result.

        Yields
        ------
        PredictionProgress
            At most five a second.
        PredictionEnded
            At the end, unless nothing was predicted.
        """
        positions, anchor = place_frames(self.scan, self.reconstruction)
        mosaic = _empty_mosaic(self.model, self.scan, positions, anchor)
        predicted = PatchBuffer(self.total)
        shown, seconds = 0, 0.0
        last = last_shown = float("-inf")
        try:
            began = time.perf_counter()
            for batch in self.model.predict(
                self.scan, self.indices, device=self.device, should_stop=should_stop
            ):
                predicted.add(batch)
                mosaic.add(batch, positions[batch.indices])
                seconds += time.perf_counter() - began
                if time.monotonic() - last >= PROGRESS_PAUSE:
                    newest = None
                    if time.monotonic() - last_shown >= PREDICTIONS_PAUSE:
                        newest, shown = predicted.patches(shown), len(predicted)
                    yield PredictionProgress(
                        done=len(predicted), total=self.total, predictions=newest
                    )
                    last = time.monotonic()
                    last_shown = last_shown if newest is None else last
                began = time.perf_counter()
            if len(predicted):
                result = make_result(
                    self.scan,
                    self.model,
                    self.reconstruction,
                    predicted.patches(),
                    seconds=seconds,
                    mosaic=mosaic.image(),
                )
                yield PredictionEnded(
                    result=result, report=_report_or_none(result, self.reconstruction)
                )
        finally:
            release_memory()


def stitch(
    predictions: PatchSet,
    model: TrainedModel,
    scan: Scan,
    positions: NDArray[np.float64],
    anchor: tuple[float, float] = (0.0, 0.0),
) -> MosaicImage:
    """Average predictions into a mosaic whose grid does not depend on which frames they are.

    Parameters
    ----------
    predictions : Patches or LazyPatches
        Of some frames of `scan`.
    model : TrainedModel
        Gives the weight of the pixels of a patch.
    scan : Scan
        Gives unit and pixel size.
    positions : ndarray of float64
        (n, 2) of all frames of the scan, (y, x).
    anchor : tuple of float
        (y, x) that falls on a pixel of the mosaic.
    """
    mosaic = _empty_mosaic(model, scan, positions, anchor)
    for _, batch in iterate_batches(predictions):
        mosaic.add(batch, positions[batch.indices])
    return mosaic.image()


def make_result(
    scan: Scan,
    model: TrainedModel,
    reconstruction: Reconstruction | None,
    predictions: PatchSet,
    *,
    seconds: float | None = None,
    mosaic: MosaicImage | None = None,
) -> Result:
    """Make a result of predictions, with their uncertainty.

    Parameters
    ----------
    scan, model, reconstruction
        See `PredictTask`.
    predictions : Patches or LazyPatches
        Of some frames of the scan.
    seconds : float, optional
        Time of predicting, and of stitching where `mosaic` is given.
    mosaic : MosaicImage, optional
        Of all the predictions; stitched here if not given.
    """
    positions, anchor = place_frames(scan, reconstruction)
    if mosaic is None:
        began = time.perf_counter()
        mosaic = stitch(predictions, model, scan, positions, anchor)
        seconds = None if seconds is None else seconds + time.perf_counter() - began
    where = positions[predictions.indices]
    overlap = check_overlap(predictions, where, mosaic.pixel_size, model.weight)
    contradiction = None if overlap is None else overlap.warning
    return Result(
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
        warnings=(
            *compare_scans(model, scan),
            *([] if contradiction is None else [contradiction]),
        ),
        name=scan.name,
        provenance=dict(model.provenance),
        seconds=seconds,
    )


def place_frames(
    scan: Scan, reconstruction: Reconstruction | None
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Positions of all frames, and a position that falls on a pixel of the mosaic.

    Returns
    -------
    positions : ndarray of float64
        (n, 2), (y, x): the reconstruction's own for the frames that it lists.
    anchor : tuple of float
        (y, x).
    """
    if reconstruction is None:
        return scan.positions, (0.0, 0.0)
    placed, positions = reconstruction.align_to(scan)
    return positions, placed.origin


def check_indices(scan: Scan, indices: NDArray[np.int64] | None) -> None:
    """Refuse scan points that the scan does not have.

    Raises
    ------
    InputError
        Naming the scan, its number of frames and the first index beyond them.
    """
    if indices is None:
        return
    beyond = indices[(indices < 0) | (indices >= len(scan))]
    if len(beyond):
        raise InputError(
            f"{scan.name}: expected scan points from 0 to {len(scan) - 1}, got {beyond[0]}.",
            expected=(0, len(scan) - 1),
            got=int(beyond[0]),
        )


def release_memory() -> None:
    """Return cached GPU memory to other programs; imports no torch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()  # takes as long as predicting a hundred frames
        torch.cuda.empty_cache()


def _empty_mosaic(
    model: TrainedModel,
    scan: Scan,
    positions: NDArray[np.float64],
    anchor: tuple[float, float],
) -> Mosaic:
    return Mosaic.covering(
        positions, model.patch_shape, model.pixel_size_in(scan), model.weight, anchor
    )


def _report_or_none(result: Result, reconstruction: Reconstruction | None) -> Report | None:
    """Compare where that is possible: predictions are valid without it."""
    if reconstruction is None:
        return None
    try:
        return make_report(result, reconstruction)
    except InputError as error:
        logger.warning("no comparison: %s", error)
        return None
