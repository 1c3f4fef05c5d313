"""Events that tasks yield, and what every task has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from napari_ptychonn.comparison.metrics import Comparison
    from napari_ptychonn.comparison.report import Report
    from napari_ptychonn.consistency.consistency import Consistency
    from napari_ptychonn.data.patch_store import PatchSet
    from napari_ptychonn.data.reconstruction import Reconstruction
    from napari_ptychonn.data.result import Result
    from napari_ptychonn.data.scan import Scan
    from napari_ptychonn.io.layouts.layout import Layout
    from napari_ptychonn.io.sidecars import SidecarSuggestion
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.network.training.epochs import Epoch
    from napari_ptychonn.reconstruction.iterations import Iteration
    from napari_ptychonn.stitching.mosaic import MosaicImage

ShouldStop = Callable[[], bool]
"""Checked before every batch; True ends a task early."""

Activity = Literal[
    "opening",
    "checking",
    "reconstructing",
    "training",
    "predicting",
    "studying",
    "comparing",
    "saving",
]
"""What a task does, as the window shows it."""


def never() -> bool:
    """Run to the end."""
    return False


@dataclass(frozen=True, kw_only=True, eq=False)
class Event:
    """One step of a task."""


class Task(Protocol):
    """Work that runs in the background: frozen, validated, the same for window and command line.

    `run` yields events and touches neither layers, Qt nor the session.
    """

    activity: ClassVar[Activity]

    def run(self, should_stop: ShouldStop = never) -> Iterator[Event]:
        """Do the work, yielding an event for each step."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochEnded(Event):
    """An epoch of a training, with the best model so far."""

    epoch: Epoch


@dataclass(frozen=True, kw_only=True, eq=False)
class IterationEnded(Event):
    """An iteration of a reconstruction, with the object so far."""

    iteration: Iteration


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingPreview(Event):
    """Predictions of the best model so far; `mosaic` is None for a preview of one scan point."""

    predictions: PatchSet
    mosaic: MosaicImage | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectPreview(Event):
    """The object of the last iteration is new enough to be drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictionProgress(Event):
    """`done` of `total` frames are predicted; now and then with those since the last event."""

    done: int
    total: int
    predictions: PatchSet | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictionEnded(Event):
    """A result, and its comparison where there is a reconstruction."""

    result: Result
    report: Report | None = None

    @property
    def comparison(self) -> Comparison | None:
        """The report's numbers."""
        return None if self.report is None else self.report.comparison


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportReady(Event):
    """A result compared with a reconstruction."""

    report: Report


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded(Event):
    """The contents of one file; at least one of scan, reconstruction, result and model.

    Attributes
    ----------
    path : Path
        The file, perhaps with a group after '::'.
    scan, reconstruction, result, model
        What the file holds.
    reconstruction_names : tuple of str
        Reconstructions in the file, to be chosen after ``::``.
    layout : Layout or None
        How the file was read, where that was chosen by hand.
    positions_source : str or None
        The file (or 'FILE::DATASET') of the positions, where that was chosen by hand.
    """

    path: Path
    scan: Scan | None = None
    reconstruction: Reconstruction | None = None
    reconstruction_names: tuple[str, ...] = ()
    layout: Layout | None = None
    positions_source: str | None = None
    result: Result | None = None
    model: TrainedModel | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ReconstructionLoaded(Event):
    """Another reconstruction of the present scan."""

    reconstruction: Reconstruction


@dataclass(frozen=True, kw_only=True, eq=False)
class ConsistencyChecked(Event):
    """Whether a scan and a reconstruction belong together."""

    consistency: Consistency


@dataclass(frozen=True, kw_only=True, eq=False)
class SidecarsFound(Event):
    """Files beside a scan that belong to it."""

    suggestions: tuple[SidecarSuggestion, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class NotRecognised(Event):
    """A file whose datasets must be mapped by hand, and the reason.

    `has_reconstruction` if a reconstruction in it was opened all the same.
    """

    path: Path
    reason: str
    has_reconstruction: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Saved(Event):
    """A file was written."""

    path: Path


@dataclass(frozen=True, kw_only=True, eq=False)
class Failed(Event):
    """The task ended with an error: one sentence for the user."""

    reason: str
