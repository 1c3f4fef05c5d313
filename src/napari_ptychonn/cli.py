"""The command line: the same core as the dock, for scripts and tonight's fifty scans.

What is asked for goes to stdout, everything else to stderr; exit code 0, 1
for an error in one sentence, 2 for wrong usage.  torch is imported by the
commands that compute, so that ``--help`` and ``info`` are there at once.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol

import typer

from napari_ptychonn.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.progress import Progress

    from napari_ptychonn.core.model import TrainedModel
    from napari_ptychonn.core.options import NetworkOptions, TrainingOptions
    from napari_ptychonn.core.reconstruction import Reconstruction
    from napari_ptychonn.core.region import Split
    from napari_ptychonn.core.result import Result
    from napari_ptychonn.core.training import Epoch

app = typer.Typer(
    name="napari-ptychonn",
    help="Train PtychoNN on part of a ptychography scan and predict the rest.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_FEW = 8
"""Longer lists are told by their length; --json has them all."""


class Track(Protocol):
    """Shows how far something has got."""

    def __call__(self, what: str, done: int, total: int, status: str = "") -> None:
        """Show `done` of `total` for `what`."""


class Preset(StrEnum):
    """Named networks with their recipes."""

    DEFAULT = "default"
    PAPER = "paper"
    PAPER_KERAS = "paper-keras"


class Validation(StrEnum):
    """How validation frames are taken out of the chosen ones."""

    BLOCKS = "blocks"
    RANDOM = "random"


def parse_frames(text: str) -> slice:
    """Read 'A:B' or 'A:B:K', each part optional, as Python would.

    Raises
    ------
    typer.BadParameter
        When it is not a slice.
    """
    parts = text.split(":")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or (len(numbers) == 3 and numbers[2] == 0):
        raise typer.BadParameter(f"expected A:B or A:B:K (a Python slice), got {text!r}.")
    return slice(*numbers)


ScanArgument = Annotated[
    str, typer.Argument(metavar="SCAN", help="Scan file, or FILE::/group inside it.")
]
FramesOption = Annotated[
    slice | None,
    typer.Option(
        "--frames",
        parser=parse_frames,
        metavar="A:B[:K]",
        help="Scan indices, as a Python slice.",
    ),
]
DeviceOption = Annotated[
    str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps, xpu.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")
]


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
    as_json: JsonOption = False,
) -> None:
    """Say what was recognised in a file, with every warning."""
    from napari_ptychonn.io import describe

    description = describe(scan).as_dict()
    if as_json:
        _print_json(description)
        return
    notes = description.pop("notes", ())
    _print_fields(description)
    for note in notes:
        print(f"note: {note}")


@app.command()
def train(
    scan: ScanArgument,
    frames: Annotated[
        slice,
        typer.Option(
            "--frames",
            parser=parse_frames,
            metavar="A:B[:K]",
            help="Training and validation frames together, as a Python slice.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="MODEL", help="Model to write.")
    ],
    reconstruction: Annotated[
        str | None,
        typer.Option(metavar="OBJ", help="Labels: FILE or FILE::/group; the scan's own if absent."),
    ] = None,
    preset: Annotated[Preset, typer.Option(help="Network and recipe.")] = Preset.DEFAULT,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training frames.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps, instead of epochs.")
    ] = None,
    validation: Annotated[
        Validation | None,
        typer.Option(help="Blocks by default; random for the paper's presets."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Go on training this model.")
    ] = None,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same model.")] = 0,
) -> None:
    """Train a network on some frames of a scan.

    Ctrl-C ends the training early and keeps the best model so far.
    """
    if epochs is not None and steps is not None:
        raise typer.BadParameter("give --epochs or --steps, not both.")
    _must_be_writable(output, scan, reconstruction)
    from napari_ptychonn.core.region import TrainingRegion
    from napari_ptychonn.io import read_scan

    measured = read_scan(scan)
    labels = _read_reconstruction(reconstruction or scan)
    region = TrainingRegion.from_indices(measured, frames, _split(validation, preset, seed))
    notice(f"{measured.name}: {region.description}: {region.counts}")
    start = _model(resume) if resume is not None else None
    options, network = _recipe(preset, epochs, steps, seed, start)

    from napari_ptychonn.core.training import train as epochs_of

    with _stop_requests() as stop:
        best = _watch(
            epochs_of(
                measured,
                labels,
                region,
                options,
                network,
                device=device,
                resume=start,
                should_stop=stop,
            ),
            output,
        )
    print(f"{output}: {_told_losses(best)}")


@app.command()
def predict(
    scan: ScanArgument,
    model: Annotated[Path, typer.Option(metavar="MODEL", help="Written by train.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="RESULT.h5", help="Result to write.")
    ],
    frames: FramesOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Predict frames of a scan one by one, and stitch the mosaic."""
    _must_be_writable(output, scan, str(model))
    from napari_ptychonn.io import read_scan, write_result

    measured = read_scan(scan)
    trained = _model(model)
    indices = None if frames is None else _chosen(len(measured), frames, measured.name)

    from napari_ptychonn.core.device import choose_device
    from napari_ptychonn.jobs import Predicted, predict_job

    where = choose_device(device)
    notice(f"predicting on {where.name}: {where.reason}")
    total = len(measured) if indices is None else len(indices)
    with _progress() as progress:
        track = _tracker(progress)
        for step in predict_job(measured, trained, None, indices, where.name, lambda: False):
            if isinstance(step, Predicted):
                result = step.result
            else:
                track("predicting", step.done, total)
    write_result(output, result)
    if result.trust is not None:
        notice(result.trust.sentence)
    height, width = result.mosaic.phase.shape
    print(f"{output}: {len(result.predictions)} frames, mosaic {height} x {width} pixels")


@app.command()
def compare(
    result: Annotated[str, typer.Argument(metavar="RESULT.h5", help="Written by predict.")],
    reconstruction: Annotated[
        str, typer.Option(metavar="OBJ", help="What to compare with: FILE or FILE::/group.")
    ],
    frames: FramesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare predictions with a reconstruction.

    Without --frames, the frames that were held out from training count; all
    of them where the result does not know.
    """
    from napari_ptychonn.io import read_result

    predicted = read_result(result)
    reference = _read_reconstruction(reconstruction)
    chosen, which = _compared(predicted, frames)
    comparison = predicted.compare(reference, chosen)
    if comparison.left_out:
        notice(
            f"{comparison.left_out} of {len(chosen)} frames are left out: "
            f"their patches are not on the object of {reference.name}"
        )
    report = {"result": result, "reconstruction": reconstruction, "selection": which}
    report |= comparison.as_dict()
    if as_json:
        _print_json(report)
    else:
        _print_comparison(report)


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
    from napari_ptychonn.demo import Demonstration, show_demo

    demonstration = Demonstration(device=device, seed=seed)
    with _stop_requests() as stop, _progress() as progress:
        files = demonstration.run(output, notice, _tracker(progress), stop)
    for file in files:
        print(file)
    if not headless:
        show_demo(output, say=notice)


def notice(text: str) -> None:
    """Tell a person something that a script does not read."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 1 for an error in one sentence, 2 for wrong usage."""
    try:
        app(arguments, prog_name="napari-ptychonn")
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


def _compared(result: Result, frames: slice | None) -> tuple[NDArray[np.int64], str]:
    """Frames to compare, and what they are."""
    import numpy as np

    predicted = result.predictions.indices
    if frames is not None:
        known = [predicted] if result.held_out is None else [predicted, result.held_out]
        chosen = _chosen(1 + max(int(part.max()) for part in known if len(part)), frames, "result")
        if missing := int((~np.isin(chosen, predicted)).sum()):
            notice(f"{missing} of {len(chosen)} frames are not in the result")
        chosen, which = np.intersect1d(chosen, predicted), "frames"
    elif result.held_out is not None and len(result.held_out):
        chosen, which = np.intersect1d(result.held_out, predicted), "held out"
    else:
        chosen, which = predicted, "all"
    if not len(chosen):
        raise InputError(f"None of the frames to compare ({which}) was predicted.")
    return chosen, which


def _chosen(count: int, frames: slice, name: str) -> NDArray[np.int64]:
    import numpy as np

    chosen = np.arange(count, dtype=np.int64)[frames]
    if not len(chosen):
        raise InputError(f"{name}: --frames selects none of the {count} frames.")
    return chosen


def _read_reconstruction(path: str) -> Reconstruction:
    from napari_ptychonn.io import read_reconstruction

    reconstruction = read_reconstruction(path)
    made = reconstruction.algorithm
    if reconstruction.iterations:
        made += f", {reconstruction.iterations} iterations"
    notice(f"reconstruction: {reconstruction.name} ({made}) of {path}")
    return reconstruction


def _model(path: Path) -> TrainedModel:
    from napari_ptychonn.core.model import TrainedModel

    return TrainedModel.load(path)


def _split(validation: Validation | None, preset: Preset, seed: int) -> Split:
    from napari_ptychonn.core.region import Split

    published = preset is not Preset.DEFAULT
    kind = validation or (Validation.RANDOM if published else Validation.BLOCKS)
    return Split(kind="random" if kind is Validation.RANDOM else "blocks", seed=seed)


def _recipe(
    preset: Preset,
    epochs: int | None,
    steps: int | None,
    seed: int,
    resume: TrainedModel | None,
) -> tuple[TrainingOptions, NetworkOptions | None]:
    """Options of training and network; a resumed network stays as it is."""
    from napari_ptychonn.core.options import NetworkOptions, TrainingOptions

    options = replace(TrainingOptions.preset(preset.value), seed=seed)
    if epochs is not None:
        options = replace(options, epochs=epochs)
    if steps is not None:
        options = replace(options, epochs=0, steps=steps)
    return options, None if resume else NetworkOptions.preset(preset.value)


def _watch(epochs: Iterable[Epoch], output: Path) -> TrainedModel:
    """Show the training, and save the best model however it ends."""
    best: TrainedModel | None = None
    with _progress() as progress:
        track = _tracker(progress)
        try:
            for epoch in epochs:
                best = epoch.best
                for message in epoch.messages:
                    notice(message)
                track("training", epoch.step, epoch.steps, _told_epoch(epoch))
        finally:
            if best is not None:
                best.save(output)
    if best is None:
        raise InputError("The training was stopped before there was any model.")
    return best


def _told_epoch(epoch: Epoch) -> str:
    checked = "" if epoch.validation_loss is None else f", validation {epoch.validation_loss:.4f}"
    return f"loss {epoch.train_loss:.4f}{checked}"


def _told_losses(model: TrainedModel) -> str:
    checked = [
        (entry["validation_loss"], entry["number"])
        for entry in model.history
        if entry["validation_loss"] is not None
    ]
    count = f"{len(model.history)} epochs"
    if not checked:
        return count
    loss, number = min(checked)
    return f"{count}, best validation loss {loss:.4f} in epoch {number}"


def _must_be_writable(output: Path, *inputs: str | None) -> None:
    """Fail before hours of work, not after them."""
    if output.is_dir():
        raise InputError(f"{output} is a folder; expected the name of a file to write.")
    if not output.parent.is_dir():
        raise InputError(f"{output} cannot be written: the folder {output.parent} does not exist.")
    if not os.access(output.parent, os.W_OK):
        raise InputError(f"{output} cannot be written: no permission in {output.parent}.")
    for name in inputs:
        source = Path((name or "").split("::")[0])
        if name and source.exists() and output.exists() and source.samefile(output):
            raise InputError(f"{output} is the input; writing there would destroy it.")


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or a queue's SIGTERM) into a wish to stop; the second one is final."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: Any) -> None:
        del frame
        asked.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)
        notice("stopping after this step; the best model so far is kept")

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Progress bars on stderr where that is a terminal; nothing otherwise."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
    )
    shown = sys.stderr.isatty()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not shown, transient=True) as progress:
        yield progress


def _tracker(progress: Progress) -> Track:
    """Make a callable (what, done, total, status) that keeps one bar for each `what`."""
    bars: dict[str, Any] = {}

    def track(what: str, done: int, total: int, status: str = "") -> None:
        if what not in bars:
            bars[what] = progress.add_task(what, total=total, status=status)
        progress.update(bars[what], completed=done, total=total, status=status)

    return track


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2, allow_nan=False, default=str))


def _print_comparison(report: dict[str, Any]) -> None:
    selection = "" if report["selection"] == "all" else f" ({report['selection']})"
    print(f"{report['frames']} frames{selection} of {report['result']}")
    print(f"against {report['reconstruction']}\n")
    rows = (
        ("single-shot, whole patch", "single_shot"),
        ("single-shot, where lit", "lit"),
        ("mosaic", "mosaic"),
    )
    print(
        f"{'':26}{'phase MAE (constant)':>22}{'corr.':>8}{'amplitude MAE (const.)':>25}{'corr.':>8}"
    )
    for title, key in rows:
        e = report[key]
        phase = f"{_number(e['phase_mae'])} ({_number(e['constant_phase_mae'])}) rad"
        amplitude = f"{_number(e['amplitude_mae'])} ({_number(e['constant_amplitude_mae'])})"
        print(
            f"{title:26}{phase:>22}{_number(e['phase_correlation']):>8}"
            f"{amplitude:>25}{_number(e['amplitude_correlation']):>8}"
        )


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
