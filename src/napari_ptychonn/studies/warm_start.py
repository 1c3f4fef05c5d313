"""Warm start: an iterative reconstruction that begins with the PtychoNN mosaic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.availability import why_not
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.studies.judge import Evaluation, Evaluator
from napari_ptychonn.studies.stage import Row, ShouldStop, Stage, Summary
from napari_ptychonn.studies.work import never, predicting, reconstructing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.reconstruction.iterations import Iteration

NEAR = 1.1
"""An error is reached when it is at most so many times the one to reach: both runs level off."""

SPARING = 1.04
"""Objects are judged when so many times as many iterations were made: judging takes time too."""

FLAT, FLAT_AND_PROBE, MOSAIC = "flat object", "flat object, model's probe", "PtychoNN mosaic"


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One iteration of a run.

    Attributes
    ----------
    iteration : int
        0 is what the run began with.
    seconds : float
        Of iterating until then.
    misfit : float or None
        See `Iteration.error`; None at iteration 0.
    phase_mae, phase_rms, amplitude_rms : float
        Of the object against the reference, rad and label units.
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
        What it began with.
    points : tuple of CurvePoint
        In the order of iterations.
    last : Judged
        The object that it ended with.
    before : float
        Seconds that making its beginning took: of predicting and stitching.
    """

    beginning: str
    points: tuple[CurvePoint, ...]
    last: Evaluation
    before: float = 0.0

    @property
    def final(self) -> float:
        """Phase error (RMS, rad) that it ended with."""
        return self.points[-1].phase_rms

    def reached(self, phase_rms: float) -> CurvePoint | None:
        """The first point with at most this phase error; None when it never came there."""
        return next((p for p in self.points if p.phase_rms <= phase_rms), None)

    def explained(self, misfit: float) -> CurvePoint | None:
        """The first point with at most this misfit; None when it never came there."""
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
        Of the scan.
    reference : str
        What the errors are against.
    settings : dict
        Options and frames, as plain values.
    """

    curves: tuple[Curve, ...]
    name: str
    reference: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What was studied, on which scan."""
        return f"{self.name}: iterations from the PtychoNN mosaic"

    @property
    def rows(self) -> list[Row]:
        """One row to a judged iteration of each run."""
        return [{"begins_with": c.beginning, **asdict(p)} for c in self.curves for p in c.points]

    @property
    def target(self) -> float:
        """The error to reach: nearly (`NEAR`) that of the flat start with the better probe, rad."""
        flat = [c.final for c in self.curves if c.beginning != MOSAIC]
        return NEAR * min(flat) if flat else 0.0

    @property
    def misfit(self) -> float:
        """The misfit to reach: that which the better flat start ended with."""
        flat = [c.points[-1].misfit for c in self.curves if c.beginning != MOSAIC]
        return min((m for m in flat if m is not None), default=0.0)

    def reached(self) -> dict[str, CurvePoint | None]:
        """When each run came to `target`."""
        return {c.beginning: c.reached(self.target) for c in self.curves}

    @property
    def summary(self) -> Summary:
        """Iterations of each run to the same error against the reference and against the frames."""
        lines = []
        for curve in self.curves:
            points = curve.reached(self.target), curve.explained(self.misfit)
            counts = ("–" if p is None else str(p.iteration) for p in points)
            lines.append((curve.beginning, *counts, f"{curve.final:.4f}"))
        return ("from", f"to {self.target:.4f} rad", "to the same misfit", "at the end, rad"), lines

    @property
    def sentence(self) -> str:
        """How many iterations each beginning needs to the same error."""
        if len(self.curves) < 2:
            return "Fewer than two runs are finished."
        told = []
        for curve in self.curves:
            point = curve.reached(self.target)
            if point is None:
                told.append(f"{curve.beginning}: not in {curve.points[-1].iteration} iterations")
                continue
            extra = f" after {curve.before:.1f} s of predicting" if curve.before else ""
            told.append(
                f"{curve.beginning}: {point.iteration} iterations, {point.seconds:.1f} s{extra}"
            )
        return f"To {self.target:.4f} rad (RMS of the phase): {'; '.join(told)}."

    def figure(self) -> Figure:
        """Error against iterations for each beginning."""
        from napari_ptychonn.studies.pictures import warm_start

        return warm_start(self)


def warm_start_study(
    scan: Scan,
    model: TrainedModel,
    reference: Reconstruction,
    *,
    options: EngineOptions | None = None,
    device: str = "auto",
    should_stop: ShouldStop | None = None,
) -> Iterator[Stage | WarmStartStudy]:
    """Reconstruct the same frames from a flat object and from the mosaic.

    Parameters
    ----------
    scan : Scan
        Of it, the frames that the model was not trained on; all where it
        comes from another scan.
    model : TrainedModel
        Its probe goes with the mosaic, as it would when a scan is followed
        that is like the one before.
    reference : Reconstruction
        The truth, or the best there is.
    options : EngineOptions, optional
        The same for all runs.
    device : str
        See `choose_device`.
    should_stop : callable, optional
        Asked often; True ends the study without the run that is under way.

    Yields
    ------
    Stage
        While it works.
    WarmStartStudy
        After each run, with all that are finished.

    Raises
    ------
    InputError
        When pty-chi is not installed, or the frames enclose no area.
    """
    if missing := why_not():
        raise InputError(missing)
    options, stop = options or EngineOptions(), should_stop or never
    held_out = model.held_out(scan)
    chosen = np.arange(len(scan)) if held_out is None or not len(held_out) else held_out
    judge = Evaluator(scan, reference, chosen)
    result = yield from predicting(scan, model, chosen, device, stop, "predicting")
    if result is None:
        return
    study = WarmStartStudy(
        curves=(),
        name=scan.name,
        reference=reference.title,
        settings={
            "frames": len(chosen),
            "judged_pixels": judge.pixels,
            "reference": reference.name,
            "prediction_seconds": result.seconds,
            "reconstruction": asdict(options),
        },
    )
    for beginning, start in _beginnings(scan, model, result).items():
        record = _Record(judge, start)
        probe = options.first_probe if start is None else "known"
        made = yield from reconstructing(
            scan,
            replace(options, first_probe=probe),
            chosen,
            device,
            stop,
            beginning,
            start=start,
            seen=record.see,
        )
        if made is None:
            return
        before = (result.seconds or 0.0) if beginning == MOSAIC else 0.0
        study = replace(study, curves=(*study.curves, record.curve(beginning, before)))
        yield study


def _beginnings(
    scan: Scan, model: TrainedModel, result: Result
) -> dict[str, Reconstruction | None]:
    """What each run starts from; None lets the engine choose."""
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
    """Judges the objects of a run as they come."""

    def __init__(self, judge: Evaluator, start: Reconstruction | None) -> None:
        self._judge = judge
        self._points: list[CurvePoint] = []
        self._said: dict[int, tuple[float, float]] = {}
        if start is not None:
            self._add(0, start)

    def see(self, iteration: Iteration) -> None:
        """Take one iteration; its object may be an earlier one's."""
        self._said[iteration.number] = iteration.seconds, iteration.error
        made = iteration.reconstruction
        number = made.iterations or 0
        before = self._points[-1].iteration if self._points else 0
        last = number == iteration.total
        if number in self._said and (number >= SPARING * before or last) and number > before:
            self._add(number, made)

    def curve(self, beginning: str, before: float) -> Curve:
        """All that was seen."""
        return Curve(
            beginning=beginning, points=tuple(self._points), last=self._last, before=before
        )

    def _add(self, number: int, made: Reconstruction) -> None:
        self._last = self._judge.judge(made)
        seconds, misfit = self._said.get(number, (0.0, None))
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
