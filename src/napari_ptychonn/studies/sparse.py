"""Sparse sampling (Fig. 4 of Cherukara et al. 2020): errors of both methods against the scan step.

ePIE needs the overlap of neighbouring frames and fails without it.  A network
takes one frame at a time: it is trained once, at full sampling, and a larger step
only leaves fewer predictions to average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan, Unit
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.availability import why_not
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.studies.evaluation import Evaluation, Evaluator
from napari_ptychonn.studies.steps import run_prediction, run_reconstruction
from napari_ptychonn.studies.study import Progress, Row, Summary
from napari_ptychonn.studies.subsampling import is_raster, spacing, subsample_scan
from napari_ptychonn.tasks.events import ShouldStop, never
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.tasks.reconstruct import ReconstructTask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_ptychonn.network.model import TrainedModel

EVERY = (1, 2, 3, 4, 5)
"""The paper's steps, in units of the scan's own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SparsePoint:
    """Both methods at one step.

    Attributes
    ----------
    every : int
        The step, in units of the scan's own.
    frames : int
        Number of frames at this step.
    step : float
        Median distance of neighbours, in the scan's unit.
    epie, ptychonn : Evaluation
        Errors against the same reference over the same area.
    epie_seconds, ptychonn_seconds : float
        Time of the iterations; of predicting and stitching.
    """

    every: int
    frames: int
    step: float
    epie: Evaluation
    ptychonn: Evaluation
    epie_seconds: float
    ptychonn_seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseStudy:
    """The finished steps of one scan.

    Attributes
    ----------
    points : tuple of SparsePoint
        In the order of the steps given.
    name : str
        Name of the scan.
    reference : str
        Title of the reconstruction that the errors refer to.
    unit : {'m', 'pixel'}
        Of `SparsePoint.step`.
    settings : dict
        Options, area and way of subsampling, as plain values.
    """

    points: tuple[SparsePoint, ...]
    name: str
    reference: str
    unit: Unit
    settings: dict[str, Any]

    @property
    def title(self) -> str:
        """The scan and the experiment."""
        return f"{self.name}: errors against the scan step"

    @property
    def rows(self) -> list[Row]:
        """One row for each step."""
        return [
            {
                "every": p.every,
                "step": p.step,
                "frames": p.frames,
                "epie_seconds": p.epie_seconds,
                "ptychonn_seconds": p.ptychonn_seconds,
                **p.epie.columns("epie"),
                **p.ptychonn.columns("ptychonn"),
            }
            for p in self.points
        ]

    @property
    def summary(self) -> Summary:
        """Phase errors of both methods."""
        lines = [
            (
                f"×{p.every}",
                str(p.frames),
                f"{p.epie.errors.phase_mae:.3f}",
                f"{p.ptychonn.errors.phase_mae:.3f}",
            )
            for p in self.points
        ]
        return ("step", "frames", "ePIE, rad", "PtychoNN, rad"), lines

    @property
    def sentence(self) -> str:
        """Errors at the first and the last step."""
        if not self.points:
            return "No step is finished."
        first, last = self.points[0], self.points[-1]
        errors = [
            f"{title} {before.errors.phase_mae:.3f} rad at ×{first.every}, "
            f"{after.errors.phase_mae:.3f} at ×{last.every}"
            for title, before, after in (
                ("ePIE", first.epie, last.epie),
                ("PtychoNN", first.ptychonn, last.ptychonn),
            )
        ]
        return f"Phase error: {'; '.join(errors)}."

    def figure(self) -> Figure:
        """Phases at each step, and errors against the step."""
        from napari_ptychonn.studies.figures import sparse

        return sparse(self)


def sparse_study(
    scan: Scan,
    model: TrainedModel,
    reference: Reconstruction,
    *,
    every: Sequence[int] = EVERY,
    options: EngineOptions | None = None,
    device: str = "auto",
    should_stop: ShouldStop = never,
) -> Iterator[Progress | SparseStudy]:
    """Reconstruct and predict a scan with ever larger steps.

    Parameters
    ----------
    scan : Scan
        At full sampling.
    model : TrainedModel
        Trained at full sampling; only the frames to predict are subsampled.
    reference : Reconstruction
        Reconstruction of the full scan, or the truth.
    every : sequence of int
        Steps, in units of the scan's own; see `subsample_scan`.
    options : EngineOptions, optional
        Options of the reconstructions, the same for each step.
    device : str
        See `choose_device`.
    should_stop : callable
        Checked often; True ends the study without the step that is under way.

    Yields
    ------
    Progress
        During each step.
    SparseStudy
        After each step, with all that are finished.

    Raises
    ------
    InputError
        When pty-chi is not installed, or the coarsest step leaves no area to compare.

    Notes
    -----
    Errors are over the convex hull of the held-out points that remain at the
    coarsest step; of all points if the model comes from another scan.
    """
    if missing := why_not():
        raise InputError(missing)
    if not every:
        raise InputError("a sparse-sampling study needs at least one step.")
    options = options or EngineOptions()
    held_out = model.held_out(scan)
    seen = np.arange(len(scan)) if held_out is None or not len(held_out) else held_out
    evaluator = Evaluator(scan, reference, np.intersect1d(subsample_scan(scan, max(every)), seen))
    study = SparseStudy(
        points=(),
        name=scan.name,
        reference=reference.title,
        unit=scan.unit,
        settings={
            "thinning": "every k-th line and point" if is_raster(scan) else "farthest points",
            "judged": "held-out area" if len(seen) < len(scan) else "whole scan",
            "judged_pixels": evaluator.pixels,
            "reference": reference.name,
            "reconstruction": asdict(options),
        },
    )
    for k in every:
        chosen = subsample_scan(scan, k)
        result = yield from run_prediction(
            PredictTask(scan=scan, model=model, indices=chosen, device=device),
            should_stop,
            f"×{k}: PtychoNN",
        )
        if result is None:
            return
        made = yield from run_reconstruction(
            ReconstructTask(scan=scan, options=options, indices=chosen, device=device),
            should_stop,
            f"×{k}: ePIE",
        )
        if made is None:
            return
        point = SparsePoint(
            every=k,
            frames=len(chosen),
            step=spacing(scan.positions[chosen]),
            epie=evaluator.evaluate(made),
            ptychonn=evaluator.evaluate(result.starting_point()),
            epie_seconds=made.seconds or 0.0,
            ptychonn_seconds=result.seconds or 0.0,
        )
        study = replace(study, points=(*study.points, point))
        yield study
