"""``napari-ptychonn compare``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptychonn.cli.console import (
    load_reconstruction,
    print_json,
    print_status,
)
from napari_ptychonn.cli.options import (
    FramesOption,
    JsonOption,
    check_writable,
    select_frames,
)
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_ptychonn.comparison.profile import Line
    from napari_ptychonn.comparison.report import Report
    from napari_ptychonn.data.result import Result

logger = logging.getLogger(__name__)


def parse_line(text: str) -> Line:
    """Parse the two ends of a line, 'Y0,X0:Y1,X1'.

    Raises
    ------
    typer.BadParameter
        If it is anything else.
    """
    try:
        (y0, x0), (y1, x1) = (map(float, end.split(",")) for end in text.split(":"))
    except ValueError:
        raise typer.BadParameter(f"expected Y0,X0:Y1,X1 (numbers), got {text!r}.") from None
    return (y0, x0), (y1, x1)


def compare(
    result: Annotated[str, typer.Argument(metavar="RESULT.h5", help="Written by predict.")],
    reconstruction: Annotated[
        str, typer.Option(metavar="OBJ", help="What to compare with: FILE or FILE::/group.")
    ],
    frames: FramesOption = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Also write FILE: .png .pdf .svg (figure), .csv .json (numbers and curves); "
            "may be repeated.",
        ),
    ] = None,
    line: Annotated[
        str | None,
        typer.Option(
            metavar="Y0,X0:Y1,X1",
            help="Line of the profile in FILE, nm (pixels for a scan in pixels).",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare predictions with a reconstruction.

    By default the frames held out from training are compared; all frames if the
    result does not record which those are.
    """
    ends = None if line is None else parse_line(line)
    from napari_ptychonn.plots.report_export import check_kind, write_report

    for file in output or ():
        check_kind(file)
        check_writable(file, result, reconstruction)
    from napari_ptychonn.io import read_result
    from napari_ptychonn.tasks.compare import CompareTask

    predicted = read_result(result)
    reference = load_reconstruction(reconstruction)
    chosen = None if frames is None else _select_predicted(predicted, frames)
    task = CompareTask(result=predicted, reconstruction=reference, indices=chosen)
    report = next(task.run()).report
    if left_out := report.comparison.left_out:
        print_status(
            f"left out {left_out} of {format_count(report.comparison.frames + left_out, 'frame')}: "
            f"their patches extend beyond the object of {reference.name}"
        )
    if report.positions is not None and (warning := report.positions.warning):
        logger.warning("%s: %s", result, warning)
    if ends is not None and predicted.unit == "m":
        (y0, x0), (y1, x1) = ends
        ends = (y0 * 1e-9, x0 * 1e-9), (y1 * 1e-9, x1 * 1e-9)
    for file in output or ():
        print_status(f"wrote {write_report(file, report, ends)}")
    values = {"result": result, "reconstruction": reconstruction, **report.numbers()}
    if as_json:
        print_json(values)
    else:
        _print_comparison(values, report)


def _select_predicted(result: Result, frames: slice) -> NDArray[np.int64]:
    """Return the chosen frames that were predicted."""
    import numpy as np

    predicted = result.predictions.indices
    known = [predicted] if result.held_out is None else [predicted, result.held_out]
    chosen = select_frames(
        1 + max(int(part.max()) for part in known if len(part)), frames, "result"
    )
    if missing := int((~np.isin(chosen, predicted)).sum()):
        print_status(f"{missing} of {format_count(len(chosen), 'frame')} not in the result")
    chosen = np.intersect1d(chosen, predicted)
    if not len(chosen):
        raise InputError("none of the chosen frames is in the result.")
    return chosen


def _print_comparison(values: dict[str, Any], report: Report) -> None:
    selection = "" if report.selection == "all" else f" ({report.selection})"
    print(f"{format_count(values['frames'], 'frame')}{selection} of {values['result']}")
    print(f"against {values['reconstruction']}\n")
    rows = (
        ("single-shot, whole patch", "single_shot"),
        ("single-shot, illuminated", "lit"),
        ("mosaic", "mosaic"),
    )
    print(
        f"{'':26}{'phase MAE (constant)':>22}{'corr.':>8}{'amplitude MAE (const.)':>25}{'corr.':>8}"
    )
    for title, key in rows:
        e = values[key]
        phase = f"{_number(e['phase_mae'])} ({_number(e['constant_phase_mae'])}) rad"
        amplitude = f"{_number(e['amplitude_mae'])} ({_number(e['constant_amplitude_mae'])})"
        print(
            f"{title:26}{phase:>22}{_number(e['phase_correlation']):>8}"
            f"{amplitude:>25}{_number(e['amplitude_correlation']):>8}"
        )
    mosaic = report.comparison.mosaic
    print(f"\n{'':26}{'PSNR':>22}{'SSIM':>8}{'resolution (1/2 bit)':>25}")
    for title, psnr, ssim, resolution in (
        ("mosaic, phase", mosaic.phase_psnr, mosaic.phase_ssim, mosaic.phase_resolution),
        (
            "mosaic, amplitude",
            mosaic.amplitude_psnr,
            mosaic.amplitude_ssim,
            mosaic.amplitude_resolution,
        ),
    ):
        print(f"{title:26}{f'{psnr:.1f} dB':>22}{_number(ssim):>8}{resolution!s:>25}")
    if report.speed is not None:
        print(f"\n{report.speed.sentence}")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
