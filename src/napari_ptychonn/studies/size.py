"""Training size (Fig. 5 of Cherukara et al. 2020): errors against the number of training frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.report import compare_result
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import Split, TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.studies.evaluation import Evaluator
from napari_ptychonn.studies.steps import run_prediction, run_training
from napari_ptychonn.studies.study import Progress, Row, Summary, finite
from napari_ptychonn.tasks.events import ShouldStop, never
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.tasks.train import TrainTask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_ptychonn.comparison.metrics import Comparison

SIZES = (100, 200, 400, 800, 1600, 3200, 6400, 12800, 16000)
"""Default numbers of training frames: a little more than the paper's range."""

SMALLEST = 10
"""Smallest number of frames: fewer leave none besides validation frames and their gap."""


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """How to train: the same for all sizes.

    Attributes
    ----------
    training : TrainingOptions
        How the weights are fitted.
    network : NetworkOptions
        The network.
    split : Split or None
        How validation frames are taken out of the training region.
    """

    training: TrainingOptions = field(default_factory=TrainingOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    split: Split | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SizePoint:
    """One training.

    Attributes
    ----------
    frames : int
        Training and validation frames and the gap between them.
    trained, validated : int
        Number of training and of validation frames.
    steps : int
        Optimiser steps.
    seconds : float
        Time of training, without reading frames and cutting labels.
    comparison : Comparison
        Comparison of the held-out frames, the same for all sizes.
    """

    frames: int
    trained: int
    validated: int
    steps: int
    seconds: float
    comparison: Comparison


@dataclass(frozen=True, kw_only=True, eq=False)
class SizeStudy:
    """The finished trainings on one scan.

    Attributes
    ----------
    points : tuple of SizePoint
        In the order of the sizes given.
    name : str
        Name of the scan.
    reference : str
        Title of the reconstruction that the errors refer to.
    settings : dict
        Options and test frames, as plain values.
    """

    points: tuple[SizePoint, ...]
    name: str
    reference: str
    settings: dict[str, Any]

    @property
    def title(self) -> str:
        """The scan and the experiment."""
        return f"{self.name}: errors against the number of training frames"

    @property
    def rows(self) -> list[Row]:
        """One row for each training."""
        return [_row(point) for point in self.points]

    @property
    def summary(self) -> Summary:
        """Held-out phase errors, and times."""
        lines = [
            (
                str(p.frames),
                f"{p.comparison.illuminated.phase_mae:.3f}",
                f"{p.comparison.mosaic.phase_mae:.3f}",
                f"{p.seconds:.0f}",
            )
            for p in self.points
        ]
        return ("frames", "in the beam, rad", "mosaic, rad", "training, s"), lines

    @property
    def sentence(self) -> str:
        """Errors with the fewest and with the most frames."""
        if not self.points:
            return "No training is finished."
        errors = [
            f"{p.comparison.mosaic.phase_mae:.3f} rad after {format_count(p.frames, 'frame')} "
            f"({p.seconds:.0f} s)"
            for p in {id(p): p for p in (self.points[0], self.points[-1])}.values()
        ]
        return f"Held-out phase error of the mosaic: {', '.join(errors)}."

    def figure(self) -> Figure:
        """Held-out mosaics, errors and times against the number of frames."""
        from napari_ptychonn.studies.figures import size

        return size(self)


def default_sizes(frames: int) -> tuple[int, ...]:
    """Return those of `SIZES` below the size of a training region, then that size itself."""
    return (*(size for size in SIZES if size < frames), frames)


def size_study(
    scan: Scan,
    labels: Reconstruction,
    pool: NDArray[np.int64],
    *,
    sizes: Sequence[int] | None = None,
    recipe: TrainingRecipe | None = None,
    reference: Reconstruction | None = None,
    device: str = "auto",
    should_stop: ShouldStop = never,
) -> Iterator[Progress | SizeStudy]:
    """Train on more and more frames, and predict the same held-out ones.

    Parameters
    ----------
    scan : Scan
        Frames.
    labels : Reconstruction
        Labels of the trainings.
    pool : ndarray of int64
        (m,) training region; every training takes the first frames of it, as
        during a scan.  All other frames are held out.
    sizes : sequence of int, optional
        Numbers of training frames; `default_sizes` if not given.
    recipe : TrainingRecipe
        Training, network and validation frames: the same for all sizes.
    reference : Reconstruction, optional
        Reconstruction that the errors refer to; the labels if not given.  Its
        amplitude is scaled to that of the labels.
    device : str
        See `choose_device`.
    should_stop : callable
        Checked often; True ends the study without the training that is under way.

    Yields
    ------
    Progress
        During each step.
    SizeStudy
        After each training, with all that are finished.

    Raises
    ------
    InputError
        When a size does not fit into the pool, or nothing is held out.
    """
    sizes = tuple(default_sizes(len(pool)) if sizes is None else sizes)
    if not sizes or min(sizes) < SMALLEST or max(sizes) > len(pool):
        raise InputError(
            f"{scan.name}: expected training sizes from {SMALLEST} to {len(pool)}, the frames of "
            f"the training region; got {', '.join(map(str, sizes)) or 'none'}."
        )
    test = np.setdiff1d(np.arange(len(scan)), pool)
    if not len(test):
        raise InputError(f"{scan.name}: the training region leaves no frames to test on.")
    recipe = recipe or TrainingRecipe()
    against = labels if reference is None else _scale_amplitude(reference, labels, scan, pool)
    if against.indices is not None and not np.isin(test, against.indices).any():
        raise InputError(
            f"{against.name} was made without any of the {len(test)} held-out frames of "
            f"{scan.name}: give a reference of the whole scan."
        )
    study = SizeStudy(
        points=(),
        name=scan.name,
        reference=against.title,
        settings={
            "labels": labels.name,
            "reference": against.name,
            "held_out_frames": len(test),
            "training": asdict(recipe.training),
            "network": asdict(recipe.network),
        },
    )
    for count in sizes:
        region = TrainingRegion.from_indices(
            scan, pool[:count], recipe.split, f"the first {count} frames of the training region"
        )
        last = yield from run_training(
            TrainTask(
                scan=scan,
                reconstruction=labels,
                region=region,
                training=recipe.training,
                network=recipe.network,
                device=device,
            ),
            should_stop,
            f"{format_count(count, 'frame')}: training",
        )
        if last is None:
            return
        result = yield from run_prediction(
            PredictTask(scan=scan, model=last.best, indices=test, device=device),
            should_stop,
            f"{format_count(count, 'frame')}: predicting",
        )
        if result is None:
            return
        point = SizePoint(
            frames=count,
            trained=len(region.train),
            validated=len(region.validation),
            steps=last.step,
            seconds=last.seconds,
            comparison=compare_result(result, against, test),
        )
        study = replace(study, points=(*study.points, point))
        yield study


def _scale_amplitude(
    reference: Reconstruction, labels: Reconstruction, scan: Scan, pool: NDArray[np.int64]
) -> Reconstruction:
    """Scale the amplitude of a reference to that of the labels and so of every prediction.

    Ptychography leaves the scale free, and single shots are compared without fitting one.
    """
    try:
        scale = Evaluator(scan, reference, pool).evaluate(labels).aligned.alignment.scale
    except InputError:  # they have no area in common
        return reference
    return replace(reference, object=reference.object / np.float32(scale))


def _row(point: SizePoint) -> Row:
    comparison = point.comparison
    single, illuminated, mosaic = comparison.single_shot, comparison.illuminated, comparison.mosaic
    return {
        "frames": point.frames,
        "trained": point.trained,
        "validated": point.validated,
        "steps": point.steps,
        "seconds": point.seconds,
        "compared": point.comparison.frames,
        "single_shot_phase_mae": single.phase_mae,
        "single_shot_phase_correlation": single.phase_correlation,
        "single_shot_amplitude_mae": single.amplitude_mae,
        "lit_phase_mae": illuminated.phase_mae,
        "lit_amplitude_mae": illuminated.amplitude_mae,
        "mosaic_phase_mae": mosaic.phase_mae,
        "mosaic_phase_correlation": mosaic.phase_correlation,
        "mosaic_phase_ssim": finite(mosaic.phase_ssim),
        "mosaic_amplitude_mae": mosaic.amplitude_mae,
        "mosaic_amplitude_correlation": mosaic.amplitude_correlation,
        "constant_phase_mae": mosaic.constant_phase_mae,
        "constant_amplitude_mae": mosaic.constant_amplitude_mae,
    }
