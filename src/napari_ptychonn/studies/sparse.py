"""Sparse sampling (Fig. 4 of Cherukara et al. 2020): both methods as the step of the scan grows.

ePIE lives on the overlap of neighbouring frames and breaks down when the step
takes it away.  A network sees one frame at a time: it is trained once, at full
sampling, and a larger step only leaves fewer predictions to average.
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
from napari_ptychonn.studies.judge import Evaluation, Evaluator
from napari_ptychonn.studies.stage import Row, ShouldStop, Stage, Summary
from napari_ptychonn.studies.thinning import is_raster, spacing, thinned
from napari_ptychonn.studies.work import never, predicting, reconstructing

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
        Left of the scan.
    step : float
        Median distance of neighbours, in the scan's unit.
    epie, ptychonn : Judged
        Against the same reference over the same area.
    epie_seconds, ptychonn_seconds : float
        Of the iterations, and of predicting and stitching.
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
        In the order asked for.
    name : str
        Of the scan.
    reference : str
        What the errors are against.
    unit : {'m', 'pixel'}
        Of `SparsePoint.step`.
    settings : dict
        Options, area and the way of thinning, as plain values.
    """

    points: tuple[SparsePoint, ...]
    name: str
    reference: str
    unit: Unit
    settings: dict[str, Any]

    @property
    def title(self) -> str:
        """What was studied, on which scan."""
        return f"{self.name}: as the step of the scan grows"

    @property
    def rows(self) -> list[Row]:
        """One row to a step."""
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
        """First against last step."""
        if not self.points:
            return "No step is finished."
        first, last = self.points[0], self.points[-1]
        told = [
            f"{title} {before.errors.phase_mae:.3f} rad at ×{first.every}, "
            f"{after.errors.phase_mae:.3f} at ×{last.every}"
            for title, before, after in (
                ("ePIE", first.epie, last.epie),
                ("PtychoNN", first.ptychonn, last.ptychonn),
            )
        ]
        return f"Phase error: {'; '.join(told)}."

    def figure(self) -> Figure:
        """Phases at each step, and errors against the step."""
        from napari_ptychonn.studies.pictures import sparse

        return sparse(self)


def sparse_study(
    scan: Scan,
    model: TrainedModel,
    reference: Reconstruction,
    *,
    every: Sequence[int] = EVERY,
    options: EngineOptions | None = None,
    device: str = "auto",
    should_stop: ShouldStop | None = None,
) -> Iterator[Stage | SparseStudy]:
    """Reconstruct and predict a scan with ever larger steps.

    Parameters
    ----------
    scan : Scan
        At full sampling.
    model : TrainedModel
        Trained at full sampling; only what it is given to predict is thinned.
    reference : Reconstruction
        Of the full scan, or the truth.
    every : sequence of int
        Steps, in units of the scan's own; see `thinned`.
    options : EngineOptions, optional
        Of the reconstructions: the same for each step.
    device : str
        See `choose_device`.
    should_stop : callable, optional
        Asked often; True ends the study without the step that is under way.

    Yields
    ------
    Stage
        While it works.
    SparseStudy
        After each step, with all that are finished.

    Raises
    ------
    InputError
        When pty-chi is not installed, or the coarsest step leaves no area to compare.

    Notes
    -----
    Errors are over the hull of the held-out points that the coarsest step
    leaves, of all points where the model comes from another scan.
    """
    if missing := why_not():
        raise InputError(missing)
    if not every:
        raise InputError("a study of the step needs at least one step.")
    options = options or EngineOptions()
    stop = should_stop or never
    held_out = model.held_out(scan)
    seen = np.arange(len(scan)) if held_out is None or not len(held_out) else held_out
    judge = Evaluator(scan, reference, np.intersect1d(thinned(scan, max(every)), seen))
    study = SparseStudy(
        points=(),
        name=scan.name,
        reference=reference.title,
        unit=scan.unit,
        settings={
            "thinning": "every k-th line and point" if is_raster(scan) else "farthest points",
            "judged": "held-out area" if len(seen) < len(scan) else "whole scan",
            "judged_pixels": judge.pixels,
            "reference": reference.name,
            "reconstruction": asdict(options),
        },
    )
    for k in every:
        chosen = thinned(scan, k)
        result = yield from predicting(scan, model, chosen, device, stop, f"×{k}: PtychoNN")
        if result is None:
            return
        made = yield from reconstructing(scan, options, chosen, device, stop, f"×{k}: ePIE")
        if made is None:
            return
        point = SparsePoint(
            every=k,
            frames=len(chosen),
            step=spacing(scan.positions[chosen]),
            epie=judge.judge(made),
            ptychonn=judge.judge(result.starting_point()),
            epie_seconds=made.seconds or 0.0,
            ptychonn_seconds=result.seconds or 0.0,
        )
        study = replace(study, points=(*study.points, point))
        yield study
