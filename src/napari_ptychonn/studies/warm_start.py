"""Warm start: iterative reconstructions that start from the PtychoNN mosaic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.availability import why_not
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.studies.evaluation import Evaluation, Evaluator
from napari_ptychonn.studies.steps import run_prediction, run_reconstruction
from napari_ptychonn.studies.study import Progress, Row, Summary
from napari_ptychonn.tasks.events import ShouldStop, never
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.tasks.reconstruct import ReconstructTask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.reconstruction.iterations import Iteration

NEAR = 1.1
"""Factor by which an error may exceed the target and count as reached: both runs level off."""

SPARING = 1.04
"""Ratio of successive iterations whose objects are compared: comparing takes time too."""

FLAT, FLAT_AND_PROBE, MOSAIC = "flat object", "flat object, model's probe", "PtychoNN mosaic"


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One iteration of a run.

    Attributes
    ----------
    iteration : int
        0 is the start of the run.
    seconds : float
        Time of the iterations so far.
    misfit : float or None
        See `Iteration.error`; None at iteration 0.
    phase_mae, phase_rms, amplitude_rms : float
        Errors of the object against the reference, rad and label units.
    """

    iteration: int
    seconds: float
    misfit: float | None
    phase_mae: float
    phase_rms: float
    amplitude_rms: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One run.

    Attributes
    ----------
    beginning : str
        The start of the run.
    points : tuple of CurvePoint
        In the order of iterations.
    last : Evaluation
        The final object.
    before : float
        Seconds of predicting and stitching the start; 0 for a flat one.
    """

    beginning: str
    points: tuple[CurvePoint, ...]
    last: Evaluation
    before: float = 0.0

    @property
    def final(self) -> float:
        """Final phase error (RMS, rad)."""
        return self.points[-1].phase_rms

    def find_phase_error(self, phase_rms: float) -> CurvePoint | None:
        """The first point with at most this phase error, or None."""
        return next((p for p in self.points if p.phase_rms <= phase_rms), None)

    def find_misfit(self, misfit: float) -> CurvePoint | None:
        """The first point with at most this misfit, or None."""
        iterated = (p for p in self.points if p.misfit is not None and p.misfit <= misfit)
        return next(iterated, None)


@dataclass(frozen=True, kw_only=True, eq=False)
class WarmStartStudy:
    """The finished runs on one scan.

    Attributes
    ----------
    curves : tuple of Curve
        From a flat object, from a flat object with the model's probe, from the mosaic.
    name : str
        Name of the scan.
    reference : str
        Title of the reconstruction that the errors refer to.
    settings : dict
        Options and frames, as plain values.
    """

    curves: tuple[Curve, ...]
    name: str
    reference: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The scan and the experiment."""
        return f"{self.name}: iterations from the PtychoNN mosaic"

    @property
    def rows(self) -> list[Row]:
        """One row for each iteration of a run whose object was compared."""
        return [{"begins_with": c.beginning, **asdict(p)} for c in self.curves for p in c.points]

    @property
    def target(self) -> float:
        """Target phase error, rad: `NEAR` times that of the flat start with the better probe."""
        flat = [c.final for c in self.curves if c.beginning != MOSAIC]
        return NEAR * min(flat) if flat else 0.0

    @property
    def misfit(self) -> float:
        """Target misfit: the final one of the better flat start."""
        flat = [c.points[-1].misfit for c in self.curves if c.beginning != MOSAIC]
        return min((m for m in flat if m is not None), default=0.0)

    def reached(self) -> dict[str, CurvePoint | None]:
        """The point at which each run reached `target`."""
        return {c.beginning: c.find_phase_error(self.target) for c in self.curves}

    @property
    def summary(self) -> Summary:
        """Iterations of each run to the same phase error and to the same misfit of the frames."""
        lines = []
        for curve in self.curves:
            points = curve.find_phase_error(self.target), curve.find_misfit(self.misfit)
            counts = ("–" if p is None else str(p.iteration) for p in points)
            lines.append((curve.beginning, *counts, f"{curve.final:.4f}"))
        return ("from", f"to {self.target:.4f} rad", "to the same misfit", "at the end, rad"), lines

    @property
    def sentence(self) -> str:
        """Iterations from each start to the same error."""
        if len(self.curves) < 2:
            return "Fewer than two runs are finished."
        runs = []
        for curve in self.curves:
            point = curve.find_phase_error(self.target)
            if point is None:
                runs.append(
                    f"{curve.beginning}: not in "
                    f"{format_count(curve.points[-1].iteration, 'iteration')}"
                )
                continue
            extra = f" after {curve.before:.1f} s of predicting" if curve.before else ""
            runs.append(
                f"{curve.beginning}: {format_count(point.iteration, 'iteration')}, "
                f"{point.seconds:.1f} s{extra}"
            )
        return f"To {self.target:.4f} rad (RMS of the phase): {'; '.join(runs)}."

    def figure(self) -> Figure:
        """Error against iterations for each beginning."""
        from napari_ptychonn.studies.figures import warm_start

        return warm_start(self)


def warm_start_study(
    scan: Scan,
    model: TrainedModel,
    reference: Reconstruction,
    *,
    options: EngineOptions | None = None,
    device: str = "auto",
    should_stop: ShouldStop = never,
) -> Iterator[Progress | WarmStartStudy]:
    """Reconstruct the same frames from a flat object and from the mosaic.

    Parameters
    ----------
    scan : Scan
        The frames that the model was not trained on are used; all if it comes
        from another scan.
    model : TrainedModel
        Its probe starts with the mosaic, as for a scan that resembles the one
        before.
    reference : Reconstruction
        The truth, or the best reconstruction available.
    options : EngineOptions, optional
        The same for all runs.
    device : str
        See `choose_device`.
    should_stop : callable
        Checked often; True ends the study without the run that is under way.

    Yields
    ------
    Progress
        During each step.
    WarmStartStudy
        After each run, with all that are finished.

    Raises
    ------
    InputError
        When pty-chi is not installed, or the frames enclose no area.
    """
    if missing := why_not():
        raise InputError(missing)
    options = options or EngineOptions()
    held_out = model.held_out(scan)
    chosen = np.arange(len(scan)) if held_out is None or not len(held_out) else held_out
    evaluator = Evaluator(scan, reference, chosen)
    result = yield from run_prediction(
        PredictTask(scan=scan, model=model, indices=chosen, device=device),
        should_stop,
        "predicting",
    )
    if result is None:
        return
    study = WarmStartStudy(
        curves=(),
        name=scan.name,
        reference=reference.title,
        settings={
            "frames": len(chosen),
            "judged_pixels": evaluator.pixels,
            "reference": reference.name,
            "prediction_seconds": result.seconds,
            "reconstruction": asdict(options),
        },
    )
    for beginning, start in _beginnings(scan, model, result).items():
        record = _Record(evaluator, start)
        probe = options.first_probe if start is None else "known"
        made = yield from run_reconstruction(
            ReconstructTask(
                scan=scan,
                options=replace(options, first_probe=probe),
                indices=chosen,
                start=start,
                device=device,
            ),
            should_stop,
            beginning,
            record.add_iteration,
        )
        if made is None:
            return
        before = (result.seconds or 0.0) if beginning == MOSAIC else 0.0
        study = replace(study, curves=(*study.curves, record.curve(beginning, before)))
        yield study


def _beginnings(
    scan: Scan, model: TrainedModel, result: Result
) -> dict[str, Reconstruction | None]:
    """The start of each run; None lets the engine choose."""
    starts: dict[str, Reconstruction | None] = {FLAT: None}
    if model.probe is not None:
        # One pixel: the object is 1 wherever a start does not reach.
        starts[FLAT_AND_PROBE] = Reconstruction(
            object=np.ones((1, 1), np.complex64),
            pixel_size=model.pixel_size_in(scan),
            unit=scan.unit,
            probe=model.probe,
            algorithm="none",
            name=FLAT,
        )
    return starts | {MOSAIC: result.starting_point()}


class _Record:
    """Compare the objects of a run with the reference as they arrive."""

    def __init__(self, evaluator: Evaluator, start: Reconstruction | None) -> None:
        self._evaluator = evaluator
        self._points: list[CurvePoint] = []
        self._progress: dict[int, tuple[float, float]] = {}
        if start is not None:
            self._add(0, start)

    def add_iteration(self, iteration: Iteration) -> None:
        """Take one iteration; its object may be that of an earlier one."""
        self._progress[iteration.number] = iteration.seconds, iteration.error
        made = iteration.reconstruction
        number = made.iterations or 0
        before = self._points[-1].iteration if self._points else 0
        last = number == iteration.total
        if number in self._progress and (number >= SPARING * before or last) and number > before:
            self._add(number, made)

    def curve(self, beginning: str, before: float) -> Curve:
        """Make the curve of the run."""
        return Curve(
            beginning=beginning, points=tuple(self._points), last=self._last, before=before
        )

    def _add(self, number: int, made: Reconstruction) -> None:
        self._last = self._evaluator.evaluate(made)
        seconds, misfit = self._progress.get(number, (0.0, None))
        self._points.append(
            CurvePoint(
                iteration=number,
                seconds=seconds,
                misfit=misfit,
                phase_mae=self._last.errors.phase_mae,
                phase_rms=self._last.phase_rms,
                amplitude_rms=self._last.amplitude_rms,
            )
        )
