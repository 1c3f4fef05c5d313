"""Previews of a training: predictions of the best model so far, within a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.tasks.events import ShouldStop, TrainingPreview
from napari_ptychonn.tasks.predict import stitch

if TYPE_CHECKING:
    from napari_ptychonn.data.scan import Scan
    from napari_ptychonn.network.model import TrainedModel

PREVIEW_SHARE = 0.04
"""Largest part of the training time that goes into previews."""

PREVIEW_PAUSE = 1.0
"""Seconds between two previews at least: drawing them costs the window time too."""

PREVIEW_FRAMES = 1000
"""Most frames in a preview mosaic, evenly chosen."""


def preview_mosaic(
    scan: Scan,
    model: TrainedModel,
    positions: NDArray[np.float64],
    anchor: tuple[float, float],
    device: str,
    should_stop: ShouldStop,
) -> Iterator[TrainingPreview]:
    """Predict at most `PREVIEW_FRAMES` frames and stitch them; nothing when interrupted."""
    stride = -(-len(scan) // PREVIEW_FRAMES)
    indices = np.arange(0, len(scan), stride)
    batches = list(model.predict(scan, indices, device=device, should_stop=should_stop))
    if batches and not should_stop():
        predictions = Predictions.join(batches)
        mosaic = stitch(predictions, model, scan, positions, anchor)
        yield TrainingPreview(predictions=predictions, mosaic=mosaic)


def preview_point(
    scan: Scan, model: TrainedModel, point: int, device: str
) -> Iterator[TrainingPreview]:
    """Predict the one frame that is on screen."""
    for predictions in model.predict(scan, np.asarray([point]), device=device):
        yield TrainingPreview(predictions=predictions)


class PreviewBudget:
    """Keeps previews within `PREVIEW_SHARE` of the time since its creation."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._spent = 0.0
        self._mosaic_seconds = 0.0
        self._last = float("-inf")

    def affords_mosaic(self) -> bool:
        """True if another mosaic preview fits the time budget."""
        allowed = PREVIEW_SHARE * (time.monotonic() - self._began)
        return self._has_paused() and self._spent + self._mosaic_seconds <= allowed

    def affords_point(self) -> bool:
        """True if a preview of one frame fits the time budget."""
        allowed = PREVIEW_SHARE * (time.monotonic() - self._began)
        return self._has_paused() and self._spent <= allowed

    def make_mosaic(self, make: Callable[[], Iterator[TrainingPreview]]) -> list[TrainingPreview]:
        """Make a mosaic preview and record its time."""
        began = time.monotonic()
        previews = self.make_point(make)
        self._mosaic_seconds = time.monotonic() - began
        return previews

    def make_point(self, make: Callable[[], Iterator[TrainingPreview]]) -> list[TrainingPreview]:
        """Make a preview and charge its time to the budget."""
        began = time.monotonic()
        previews = list(make())
        self._last = time.monotonic()
        self._spent += self._last - began
        return previews

    def _has_paused(self) -> bool:
        return time.monotonic() - self._last >= PREVIEW_PAUSE
