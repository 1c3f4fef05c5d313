"""Training size (Fig. 5 of Cherukara et al. 2020): how good a network is after so many frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.report import compare_result
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import Split, TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.studies.judge import Evaluator
from napari_ptychonn.studies.stage import Row, ShouldStop, Stage, Summary, finite
from napari_ptychonn.studies.work import never, predicting, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_ptychonn.comparison.metrics import Comparison

SIZES = (100, 200, 400, 800, 1600, 3200, 6400, 12800, 16000)
"""Offered as far as there are frames: a little more than the paper's range."""

SMALLEST = 10
"""Frames; fewer leave nothing once validation frames and their gap are taken out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SizePoint:
    """One training.

    Attributes
    ----------
    frames : int
        Chosen: training, validation and the gap between them.
    trained, validated : int
        Of them.
    steps : int
        Of the optimiser.
    seconds : float
        Of training; reading frames and cutting labels are not counted.
    comparison : Comparison
        Of the held-out frames, the same for all sizes.
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
        In the order asked for.
    name : str
        Of the scan.
    reference : str
        What the errors are against.
    settings : dict
        Options and test frames, as plain values.
    """

    points: tuple[SizePoint, ...]
    name: str
    reference: str
    settings: dict[str, Any]

    @property
    def title(self) -> str:
        """What was studied, on which scan."""
        return f"{self.name}: as the training set grows"

    @property
    def rows(self) -> list[Row]:
        """One row to a training."""
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
        """Fewest against most frames."""
        if not self.points:
            return "No training is finished."
        told = [
            f"{p.comparison.mosaic.phase_mae:.3f} rad after {p.frames} frames ({p.seconds:.0f} s)"
            for p in {id(p): p for p in (self.points[0], self.points[-1])}.values()
        ]
        return f"Held-out phase error of the mosaic: {', '.join(told)}."

    def figure(self) -> Figure:
        """Held-out mosaics, errors and times against the number of frames."""
        from napari_ptychonn.studies.pictures import size

        return size(self)


def default_sizes(frames: int) -> tuple[int, ...]:
    """Those of `SIZES` that fit into a training region, and the whole of it."""
    return (*(size for size in SIZES if size < frames), frames)


def size_study(
    scan: Scan,
    labels: Reconstruction,
    pool: NDArray[np.int64],
    *,
    sizes: Sequence[int] | None = None,
    options: TrainingOptions | None = None,
    network: NetworkOptions | None = None,
    split: Split | None = None,
    reference: Reconstruction | None = None,
    device: str = "auto",
    should_stop: ShouldStop | None = None,
) -> Iterator[Stage | SizeStudy]:
    """Train on ever more frames, and predict the same held-out ones.

    Parameters
    ----------
    scan : Scan
        Frames.
    labels : Reconstruction
        To train on.
    pool : ndarray of int64
        Scan points that may train; every training takes the first of them, as
        they come during a scan.  All others are held out.
    sizes : sequence of int, optional
        How many; `default_sizes` if not given.
    options, network, split : optional
        Recipe, network and validation frames: the same for all sizes.
    reference : Reconstruction, optional
        What the errors are against, in the labels' amplitude scale; the labels
        themselves if not given.
    device : str
        See `choose_device`.
    should_stop : callable, optional
        Asked often; True ends the study without the training that is under way.

    Yields
    ------
    Stage
        While it works.
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
    options, network = options or TrainingOptions(), network or NetworkOptions()
    stop = should_stop or never
    against = labels if reference is None else _as_bright(reference, labels, scan, pool)
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
            "training": asdict(options),
            "network": asdict(network),
        },
    )
    for count in sizes:
        region = TrainingRegion.from_indices(
            scan, pool[:count], split, f"the first {count} frames of the training region"
        )
        last = yield from training(
            scan, labels, region, options, network, device, stop, f"{count} frames: training"
        )
        if last is None:
            return
        model = last.best
        result = yield from predicting(
            scan, model, test, device, stop, f"{count} frames: predicting"
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


def _as_bright(
    reference: Reconstruction, labels: Reconstruction, scan: Scan, pool: NDArray[np.int64]
) -> Reconstruction:
    """Give a reference the amplitude scale of the labels, which is that of every prediction.

    Ptychography leaves it free, and single shots are compared without fitting one.
    """
    try:
        scale = Evaluator(scan, reference, pool).judge(labels).aligned.alignment.scale
    except InputError:  # nothing that both have
        return reference
    return replace(reference, object=reference.object / np.float32(scale))


def _row(point: SizePoint) -> Row:
    comparison = point.comparison
    single, lit, mosaic = comparison.single_shot, comparison.illuminated, comparison.mosaic
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
        "lit_phase_mae": lit.phase_mae,
        "lit_amplitude_mae": lit.amplitude_mae,
        "mosaic_phase_mae": mosaic.phase_mae,
        "mosaic_phase_correlation": mosaic.phase_correlation,
        "mosaic_phase_ssim": finite(mosaic.phase_ssim),
        "mosaic_amplitude_mae": mosaic.amplitude_mae,
        "mosaic_amplitude_correlation": mosaic.amplitude_correlation,
        "constant_phase_mae": mosaic.constant_phase_mae,
        "constant_amplitude_mae": mosaic.constant_amplitude_mae,
    }
