"""The command line: the same core as the dock, for scripts and tonight's fifty scans.

What is asked for goes to stdout, everything else to stderr; exit code 0, 1
for an error in one sentence, 2 for wrong usage, 130 for a prediction that was
stopped.  torch is imported by the commands that compute, so that ``--help``
and ``info`` are there at once.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from napari_ptychonn.cli.console import (
    load_reconstruction,
    load_scan,
    notice,
    print_json,
    progress_bars,
    stop_requests,
    tracker,
)
from napari_ptychonn.cli.options import (
    Algorithm,
    BinOption,
    CropOption,
    DeviceOption,
    FirstProbe,
    FramesOption,
    JsonOption,
    MaskContrastOption,
    MaskOption,
    PositionsOption,
    ScanArgument,
    chosen_frames,
    must_be_writable,
)
from napari_ptychonn.cli.study import study
from napari_ptychonn.cli.train import practise, train, train_task
from napari_ptychonn.compute.openmp import wait_passively
from napari_ptychonn.data.bad_pixels import CONTRAST
from napari_ptychonn.errors import InputError, LostProcessError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_ptychonn.comparison.profile import Line
    from napari_ptychonn.comparison.report import Report
    from napari_ptychonn.data.result import Result
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.reconstruction import Iteration

app = typer.Typer(
    name="napari-ptychonn",
    help="Train PtychoNN on part of a ptychography scan and predict the rest.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


STOPPED = 130
"""Exit code of a prediction that was stopped: what a shell gives a command that Ctrl-C ended."""

_FEW = 8
"""Longer lists are told by their length; --json has them all."""


def parse_line(text: str) -> Line:
    """Read the two ends of a line, 'Y0,X0:Y1,X1'.

    Raises
    ------
    typer.BadParameter
        When it is something else.
    """
    try:
        (y0, x0), (y1, x1) = (map(float, end.split(",")) for end in text.split(":"))
    except ValueError:
        raise typer.BadParameter(f"expected Y0,X0:Y1,X1 (numbers), got {text!r}.") from None
    return (y0, x0), (y1, x1)


app.add_typer(study)

LOST = 3
"""Exit code of one of several processes of a training when another one is gone."""


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from napari_ptychonn import __version__

        print(f"napari-ptychonn {__version__}")
        raise typer.Exit
    _listen_to_logs()


@app.command()
def info(
    scan: Annotated[str, typer.Argument(metavar="FILE", help="Any file, or FILE::/group.")],
    positions: PositionsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what was recognised in a file, with every warning."""
    from napari_ptychonn.io import describe

    description = describe(scan, beside=True, positions=positions).as_dict()
    if as_json:
        print_json(description)
        return
    notes, warnings = description.pop("notes", ()), description.pop("warnings", ())
    companions = description.pop("companions", ())
    _print_fields(description)
    for companion in companions:
        print(f"beside it: {companion}")
    for warning in warnings:
        print(f"warning: {warning}")
    for note in notes:
        print(f"note: {note}")


@app.command()
def reconstruct(
    scan: ScanArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OBJ.h5", help="Reconstruction to write.")
    ],
    algorithm: Annotated[
        Algorithm, typer.Option(help="The paper's ePIE, its regularised form, or LSQML.")
    ] = Algorithm.EPIE,
    iterations: Annotated[int, typer.Option(min=1, help="Passes over the frames.")] = 100,
    frames: FramesOption = None,
    modes: Annotated[
        int, typer.Option(min=0, help="Incoherent probe modes; 0: as many as the first probe has.")
    ] = 0,
    position_correction: Annotated[
        bool, typer.Option("--position-correction", help="Refine the scan positions too.")
    ] = False,
    first_probe: Annotated[
        FirstProbe,
        typer.Option(help="known: the start's or the scan's, where there is one."),
    ] = FirstProbe.KNOWN,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Go on with a reconstruction, or begin with the mosaic of a result.",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=0, help="Frames that update the object at once; 0: chosen.")
    ] = 0,
    threads: Annotated[int, typer.Option(min=0, help="On the CPU; 0: chosen.")] = 0,
    positions: PositionsOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    crop: CropOption = None,
    bin: BinOption = 1,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of the order of the frames.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Reconstruct object and probe from the frames of a scan, by pty-chi.

    Ctrl-C ends it early and keeps the object as it is then.
    """
    from napari_ptychonn.reconstruction import EngineOptions, why_not

    if missing := why_not():
        raise InputError(missing)
    must_be_writable(output, scan, positions, None if _is_reconstruction(start) else start)
    from napari_ptychonn.data.crop_bin import crop_and_bin, crop_and_bin_reconstruction

    whole = load_scan(scan, mask_contrast if mask else None, positions=positions)
    measured = crop_and_bin(whole, crop, bin)
    indices = None if frames is None else chosen_frames(len(measured), frames, measured.name)
    before = None
    if start is not None:
        made = load_reconstruction(start, scan=scan, positions=positions)
        before = crop_and_bin_reconstruction(made, whole, crop, bin)
    options = EngineOptions(
        algorithm=algorithm.value,
        iterations=iterations,
        modes=modes,
        position_correction=position_correction,
        first_probe=first_probe.value,
        batch_size=batch_size,
        threads=threads,
        seed=seed,
    )

    from napari_ptychonn.reconstruction import reconstruct as iterations_of

    with stop_requests("the object so far") as stop:
        last = _watch_object(
            iterations_of(
                measured, options, indices=indices, start=before, device=device, should_stop=stop
            ),
            output,
        )
    report = _told_reconstruction(scan, output, last)
    if as_json:
        print_json(report)
    else:
        print(
            "{output}: {algorithm}, {iterations} iterations of {frames} frames, "
            "error {error:.4g}, {seconds:.1f} s".format(**report)
        )


app.command()(train)
app.command()(practise)
app.command(hidden=True)(train_task)


@app.command()
def predict(
    scan: ScanArgument,
    model: Annotated[Path, typer.Option(metavar="MODEL", help="Written by train.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="RESULT.h5",
            help="Result to write; .cxi .nxs .ptyr .npz .tiff: mosaic only.",
        ),
    ],
    frames: FramesOption = None,
    positions: PositionsOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    crop: CropOption = None,
    bin: BinOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Predict frames of a scan one by one, and stitch the mosaic.

    Ctrl-C ends it early, writes what is predicted by then, and exits with 130.
    """
    must_be_writable(output, scan, positions, str(model))
    from napari_ptychonn.io import write_result

    measured = load_scan(
        scan, mask_contrast if mask else None, positions=positions, crop=crop, bin=bin
    )
    trained = _model(model)
    indices = None if frames is None else chosen_frames(len(measured), frames, measured.name)

    from napari_ptychonn.compute.device import choose_device
    from napari_ptychonn.tasks.jobs import Predicted, predict_job

    where = choose_device(device)
    notice(f"predicting on {where.name}: {where.reason}")
    total = len(measured) if indices is None else len(indices)
    result: Result | None = None
    with stop_requests("what is predicted by then") as stop, progress_bars() as progress:
        track = tracker(progress)
        for step in predict_job(measured, trained, None, indices, where.name, stop):
            if isinstance(step, Predicted):
                result = step.result
            else:
                track("predicting", step.done, total)
    if result is None:
        notice("stopped before anything was predicted; nothing is written")
        raise typer.Exit(STOPPED)
    written = write_result(output, result)
    if result.uncertainty is not None:
        notice(result.uncertainty.sentence)
    height, width = result.mosaic.phase.shape
    files = ", ".join(map(str, written))
    print(f"{files}: {len(result.predictions)} frames, mosaic {height} x {width} pixels")
    if len(result.predictions) < total:
        notice(f"stopped as asked: {len(result.predictions)} of {total} frames are predicted")
        raise typer.Exit(STOPPED)


@app.command()
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
            help="Also write FILE: .png .pdf .svg (a figure), .csv .json (numbers and curves); "
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

    Without --frames, the frames that were held out from training count; all
    of them where the result does not know.
    """
    ends = None if line is None else parse_line(line)
    from napari_ptychonn.plots.report_export import check_kind, write_report

    for file in output or ():
        check_kind(file)
        must_be_writable(file, result, reconstruction)
    from napari_ptychonn.comparison.report import Report
    from napari_ptychonn.io import read_result

    predicted = read_result(result)
    reference = load_reconstruction(reconstruction)
    chosen = None if frames is None else _compared(predicted, frames)
    report = Report.from_result(predicted, reference, chosen)
    if left_out := report.comparison.left_out:
        notice(
            f"{left_out} of {report.comparison.frames + left_out} frames are left out: "
            f"their patches are not on the object of {reference.name}"
        )
    if ends is not None and predicted.unit == "m":
        (y0, x0), (y1, x1) = ends
        ends = (y0 * 1e-9, x0 * 1e-9), (y1 * 1e-9, x1 * 1e-9)
    for file in output or ():
        notice(f"wrote {write_report(file, report, ends)}")
    told = {"result": result, "reconstruction": reconstruction, **report.numbers()}
    if as_json:
        print_json(told)
    else:
        _print_comparison(told, report)


@app.command()
def convert(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Reconstruction, result, model, or .pth weights."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=".h5 .cxi .nxs .ptyr .npz .tiff for an object, .onnx for a model.",
        ),
    ],
    scan: Annotated[
        str | None,
        typer.Option(
            metavar="SCAN",
            help="With a reconstruction: write ptychodus training data. With weights: the scan "
            "that they are for.",
        ),
    ] = None,
    positions: PositionsOption = None,
    crop: Annotated[
        int | None,
        typer.Option(min=64, help="With weights: detector pixels to keep along each axis."),
    ] = None,
) -> None:
    """Write an object, a result or a model in the form of another program."""
    must_be_writable(output, source, scan, positions)
    from napari_ptychonn.tasks.convert import convert as converted

    for file in converted(source, output, scan=scan, positions=positions, crop=crop):
        print(file)


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to leave everything.")
    ] = Path("demo"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Only files and pictures, no window.")
    ] = False,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and the training.")] = 0,
) -> None:
    """Simulate a scan, train, predict, compare, draw; open napari."""
    from napari_ptychonn.cli.demonstration import Demonstration, show_demo

    demonstration = Demonstration(device=device, seed=seed)
    with stop_requests() as stop, progress_bars() as progress:
        files = demonstration.run(output, notice, tracker(progress), stop)
    for file in files:
        print(file)
    if not headless:
        show_demo(output, say=notice)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 1 for an error in one sentence, 2 for wrong usage."""
    wait_passively()
    try:
        app(arguments, prog_name="napari-ptychonn", obj=arguments or sys.argv[1:])
    except LostProcessError as error:
        notice(f"error: {error}")
        raise SystemExit(LOST) from None
    except InputError as error:
        notice(f"error: {error}")
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        where = _write_log()
        notice(
            f"error: {type(error).__name__}: {reason[0]}"
            f" (this is a defect of napari-ptychonn; details are in {where})"
        )
    raise SystemExit(1)


def _compared(result: Result, frames: slice) -> NDArray[np.int64]:
    """Those of the frames asked for that were predicted."""
    import numpy as np

    predicted = result.predictions.indices
    known = [predicted] if result.held_out is None else [predicted, result.held_out]
    chosen = chosen_frames(
        1 + max(int(part.max()) for part in known if len(part)), frames, "result"
    )
    if missing := int((~np.isin(chosen, predicted)).sum()):
        notice(f"{missing} of {len(chosen)} frames are not in the result")
    chosen = np.intersect1d(chosen, predicted)
    if not len(chosen):
        raise InputError("None of the frames asked for was predicted.")
    return chosen


def _model(path: Path) -> TrainedModel:
    from napari_ptychonn.network.model import TrainedModel

    return TrainedModel.load(path)


def _watch_object(iterations: Iterable[Iteration], output: Path) -> Iteration:
    """Show the reconstruction, and save the object however it ends."""
    from napari_ptychonn.io import write_reconstruction

    last: Iteration | None = None
    with progress_bars() as progress:
        track = tracker(progress)
        try:
            for iteration in iterations:
                for message in iteration.messages:
                    notice(message)
                last = iteration
                track("reconstructing", last.number, last.total, f"error {last.error:.4g}")
        except Exception:
            if last is not None:
                made = last.reconstruction.iterations
                notice(f"the object after {made} iterations is kept in {output}")
            raise
        finally:
            if last is not None:
                write_reconstruction(output, last.reconstruction)
    if last is None:
        raise InputError("The reconstruction was stopped before there was any object.")
    return last


def _told_reconstruction(scan: str, output: Path, last: Iteration) -> dict[str, Any]:
    made = last.reconstruction
    return {
        "scan": scan,
        "output": str(output),
        "algorithm": made.algorithm,
        "iterations": made.iterations,
        "frames": 0 if made.indices is None else len(made.indices),
        "error": last.error,
        "seconds": last.seconds,
        "object_shape": made.object.shape,
        "pixel_size": made.pixel_size,
        "unit": made.unit,
        "modes": 0 if made.probe is None else len(made.probe),
    }


def _is_reconstruction(start: str | None) -> bool:
    """Whether a file is a reconstruction and nothing else, so that it may be replaced."""
    from napari_ptychonn.io import describe

    return start is not None and "::" not in start and describe(start).kind == "reconstruction"


def _print_comparison(told: dict[str, Any], report: Report) -> None:
    selection = "" if report.selection == "all" else f" ({report.selection})"
    print(f"{told['frames']} frames{selection} of {told['result']}")
    print(f"against {told['reconstruction']}\n")
    rows = (
        ("single-shot, whole patch", "single_shot"),
        ("single-shot, where lit", "lit"),
        ("mosaic", "mosaic"),
    )
    print(
        f"{'':26}{'phase MAE (constant)':>22}{'corr.':>8}{'amplitude MAE (const.)':>25}{'corr.':>8}"
    )
    for title, key in rows:
        e = told[key]
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


def _print_fields(fields: dict[str, Any], indent: str = "") -> None:
    for key, value in fields.items():
        title = f"{indent}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            print(title)
            _print_fields(value, f"{indent}  ")
        elif value not in (None, "", [], ()):
            print(f"{title:<24} {_spoken(value)}")


def _spoken(value: Any) -> str:
    if isinstance(value, list | tuple):
        few = len(value) <= _FEW and not any(isinstance(v, dict | list) for v in value)
        return ", ".join(_spoken(v) for v in value) if few else f"{len(value)} entries"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _listen_to_logs() -> None:
    """Let warnings of the package be seen, and keep those of libraries out of the way."""
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    package = logging.getLogger("napari_ptychonn")
    if not package.handlers:
        handler = _CurrentStderr()
        handler.setFormatter(logging.Formatter("%(message)s"))
        package.addHandler(handler)
    package.setLevel(logging.WARNING)
    package.propagate = False


class _CurrentStderr(logging.Handler):
    """Writes to whatever stderr is now."""

    def emit(self, record: logging.LogRecord) -> None:
        notice(self.format(record))


def _write_log() -> Path:
    """Append the current exception with its traceback to the log file."""
    from datetime import datetime

    from platformdirs import user_log_path

    path = user_log_path("napari-ptychonn", appauthor=False) / "napari-ptychonn.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"\n{datetime.now().astimezone().isoformat()} {sys.argv}\n")
            log.write(traceback.format_exc())
    except OSError:
        return Path(os.devnull)
    return path


if __name__ == "__main__":
    main()
