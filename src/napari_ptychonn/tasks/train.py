"""Train a network on a reconstructed region, or pretrain it on simulated samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.tasks.events import (
    Activity,
    EpochEnded,
    ShouldStop,
    TrainingPreview,
    never,
)
from napari_ptychonn.tasks.predict import place_frames, release_memory
from napari_ptychonn.tasks.preview import PreviewBudget, preview_mosaic, preview_point
from napari_ptychonn.tasks.task_folder import load_task, save_task
from napari_ptychonn.tasks.training_process import train_in_process

if TYPE_CHECKING:
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.network.training.epochs import Epoch
    from napari_ptychonn.network.training.pretraining import Pretraining
    from napari_ptychonn.network.training.process_group import ProcessGroup


def _first_point() -> int:
    return 0


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainTask:
    """Train a network on the labels that a reconstruction gives to a region of a scan.

    Attributes
    ----------
    scan, reconstruction, region, network, device, resume
        See `napari_ptychonn.network.training.epochs.train`.
    training : TrainingOptions
        How the weights are fitted.
    processes : int
        Processes of their own that train together; 0 trains in this one.
    shown_point : callable
        The scan point on screen, for previews.
    """

    activity: ClassVar[Activity] = "training"

    scan: Scan
    reconstruction: Reconstruction
    region: TrainingRegion
    training: TrainingOptions = field(default_factory=TrainingOptions)
    network: NetworkOptions | None = None
    device: str = "auto"
    resume: TrainedModel | None = None
    processes: int = 0
    shown_point: Callable[[], int] = _first_point

    def __post_init__(self) -> None:
        if self.processes < 0:
            raise InputError(
                f"the number of training processes must be 0 or more, got {self.processes}.",
                expected="0 or more",
                got=self.processes,
            )

    def run(self, should_stop: ShouldStop = never) -> Iterator[EpochEnded | TrainingPreview]:
        """Train, with previews of the predictions of the best model so far.

        Yields
        ------
        EpochEnded
            Every epoch.
        TrainingPreview
            At most once a second, and within
            `napari_ptychonn.tasks.preview.PREVIEW_SHARE` of the time.
        """
        yield from self.run_with_previews(self.scan, self.reconstruction, should_stop)

    def run_with_previews(
        self, scan: Scan, reconstruction: Reconstruction | None, should_stop: ShouldStop
    ) -> Iterator[EpochEnded | TrainingPreview]:
        """Train, with previews on another scan than the one trained on."""
        positions, anchor = place_frames(scan, reconstruction)
        budget = PreviewBudget()
        unseen = False
        try:
            for epoch in self.epochs(should_stop):
                yield EpochEnded(epoch=epoch)
                unseen = unseen or epoch.is_best
                if not unseen or should_stop():
                    continue
                best = epoch.best
                if budget.affords_mosaic():
                    yield from budget.make_mosaic(
                        partial(
                            preview_mosaic, scan, best, positions, anchor, self.device, should_stop
                        )
                    )
                    unseen = False
                elif budget.affords_point():
                    yield from budget.make_point(
                        partial(preview_point, scan, best, self.shown_point(), self.device)
                    )
        finally:
            release_memory()

    def epochs(
        self, should_stop: ShouldStop = never, team: ProcessGroup | None = None
    ) -> Iterator[Epoch]:
        """Train without previews, here or in processes of their own.

        Parameters
        ----------
        should_stop : callable
            Checked before every batch; True ends with one last epoch.
        team : ProcessGroup, optional
            The processes that this one trains with, where another program started them.
        """
        if self.processes:
            return train_in_process(self, self.processes, should_stop)
        from napari_ptychonn.network.training.data import TrainingSource
        from napari_ptychonn.network.training.epochs import train_in_group
        from napari_ptychonn.network.training.process_group import ProcessGroup

        return train_in_group(
            team or ProcessGroup(),
            TrainingSource(scan=self.scan, reconstruction=self.reconstruction, region=self.region),
            self.training,
            self.network,
            device=self.device,
            resume=self.resume,
            should_stop=should_stop,
        )

    def save(self, folder: Path, should_stop: ShouldStop = never) -> bool:
        """Write the task to a folder; of the frames, only those that training reads.

        Parameters
        ----------
        folder : Path
            Exists.
        should_stop : callable
            Checked before every block of frames.

        Returns
        -------
        bool
            False when it was stopped.

        Raises
        ------
        InputError
            When the disk is too small.
        """
        return save_task(self, folder, should_stop)

    @classmethod
    def load(cls, folder: Path) -> TrainTask:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            When it is not such a folder.
        """
        return cls(**load_task(folder))


@dataclass(frozen=True, kw_only=True, eq=False)
class PretrainTask:
    """Train a network on simulated samples, illuminated by the probe of a scan.

    Attributes
    ----------
    scan : Scan
        Gives the detector, the count level and, without a reconstruction, the probe.
    reconstruction : Reconstruction or None
        Of any part of the scan; only its probe is used.
    pretraining : Pretraining
        The simulated samples.
    training, network, device, resume, processes, shown_point
        See `TrainTask`.
    """

    activity: ClassVar[Activity] = "training"

    scan: Scan
    pretraining: Pretraining
    reconstruction: Reconstruction | None = None
    training: TrainingOptions = field(default_factory=TrainingOptions)
    network: NetworkOptions | None = None
    device: str = "auto"
    resume: TrainedModel | None = None
    processes: int = 0
    shown_point: Callable[[], int] = _first_point

    def run(self, should_stop: ShouldStop = never) -> Iterator[EpochEnded | TrainingPreview]:
        """Simulate, then train with previews on the measured scan."""
        probe = None if self.reconstruction is None else self.reconstruction.probe
        simulated, truth = self.pretraining.simulate_for_scan(self.scan, probe)
        if should_stop():
            return
        task = pretraining_task(
            simulated,
            truth,
            training=self.training,
            network=self.network,
            device=self.device,
            resume=self.resume,
            processes=self.processes,
            shown_point=self.shown_point,
        )
        yield from task.run_with_previews(self.scan, self.reconstruction, should_stop)


def pretraining_task(simulated: Scan, truth: Reconstruction, **options: object) -> TrainTask:
    """Train on all frames of a simulated scan; `options` are those of `TrainTask`."""
    region = TrainingRegion.from_indices(simulated, slice(None), description="simulated samples")
    return TrainTask(scan=simulated, reconstruction=truth, region=region, **options)  # type: ignore[arg-type]
