"""``napari-ptychonn train``: in this process, in several, or among those of torchrun."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptychonn.cli.console import (
    discard_status,
    load_reconstruction,
    load_scan,
    print_status,
    progress_bars,
    progress_tracker,
    report_consistency,
    stop_requests,
)
from napari_ptychonn.cli.options import (
    BinOption,
    CorrectOption,
    CropOption,
    DeviceOption,
    LabelsOption,
    MaskContrastOption,
    MaskOption,
    PositionsOption,
    Preset,
    PresetOption,
    RequiredFramesOption,
    ScanArgument,
    SeedOption,
    StepsOption,
    Validation,
    check_writable,
    make_split,
    recipe,
)
from napari_ptychonn.data.bad_pixels import CONTRAST
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.network.training.epochs import Epoch
    from napari_ptychonn.tasks.train import TrainTask

SAVE_PAUSE = 2.0
"""Shortest time between two saves of the best model, seconds: a power cut loses no more."""

ProcessesOption = Annotated[
    int,
    typer.Option(
        min=1, help="Number of processes that train together on this machine: one per GPU, or CPU."
    ),
]
OutputOption = Annotated[
    Path, typer.Option("-o", "--output", metavar="MODEL", help="Model to write.")
]
ProgressOption = Annotated[
    bool, typer.Option("--progress", help="Print one JSON object for each epoch on stdout.")
]
AttendedOption = Annotated[
    bool,
    typer.Option(
        "--attended",
        hidden=True,
        help="Stop when 'stop' arrives on the standard input, or when that ends.",
    ),
]


def train(
    context: typer.Context,
    scan: ScanArgument,
    frames: RequiredFramesOption,
    output: OutputOption,
    reconstruction: LabelsOption = None,
    preset: PresetOption = Preset.DEFAULT,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training frames.")
    ] = None,
    steps: StepsOption = None,
    validation: Annotated[
        Validation | None,
        typer.Option(help="By default blocks; random for the paper's presets."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Continue training this model.")
    ] = None,
    positions: PositionsOption = None,
    correct: CorrectOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    crop: CropOption = None,
    bin: BinOption = 1,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    processes: ProcessesOption = 1,
    progress: ProgressOption = False,
    attended: AttendedOption = False,
) -> None:
    """Train a network on some frames of a scan.

    Ctrl-C stops the training and keeps the best model so far.  Started by
    torchrun, the process trains together with the others.
    """
    if epochs is not None and steps is not None:
        raise typer.BadParameter("give --epochs or --steps, not both.")
    check_writable(output, scan, reconstruction, positions)
    from napari_ptychonn.data.crop_bin import crop_and_bin, crop_and_bin_reconstruction
    from napari_ptychonn.data.region import TrainingRegion

    report = progress_printer(processes)
    contrast = mask_contrast if mask else None
    whole = load_scan(
        scan,
        contrast,
        None if report is print_status else report,
        positions=positions,
        correct=correct,
    )
    measured = crop_and_bin(whole, crop, bin)
    made = load_reconstruction(reconstruction or scan, report, scan=scan, positions=positions)
    labels = crop_and_bin_reconstruction(made, whole, crop, bin)
    if processes == 1:
        report_consistency(measured, labels, None if report is print_status else report)
    region = TrainingRegion.from_indices(measured, frames, make_split(validation, preset, seed))
    report(f"{measured.name}: {region.description}: {region.counts}")
    if processes > 1:
        launch_processes(context, processes, attended=attended)
        return
    from napari_ptychonn.tasks.train import TrainTask

    start = _model(resume) if resume is not None else None
    options, network = recipe(preset, epochs, steps, seed, start)
    task = TrainTask(
        scan=measured,
        reconstruction=labels,
        region=region,
        training=options,
        network=network,
        device=device,
        resume=start,
    )
    train_here(task, output, attended=attended, progress=progress, report=report)


def train_task(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of a training task.")],
    output: OutputOption,
    processes: ProcessesOption = 1,
    progress: ProgressOption = False,
    attended: AttendedOption = False,
) -> None:
    """Run a training task that was saved to a folder."""
    report = progress_printer(processes)
    if processes > 1:
        launch_processes(context, processes, attended=attended)
        return
    from napari_ptychonn.tasks.train import TrainTask

    train_here(TrainTask.load(folder), output, attended=attended, progress=progress, report=report)


def train_here(
    task: TrainTask,
    output: Path,
    *,
    attended: bool,
    progress: bool,
    report: Callable[[str], None],
) -> None:
    """Train in this process, with the others of its group; the first one reports and saves."""
    from napari_ptychonn.network.training.process_group import joined

    with joined() as team, stop_requests(attended=attended, report=report) as stop:
        run = task.epochs(stop, team)
        if not team.leads:
            for _ in run:
                pass
            return
        best = follow_training(run, output, progress=progress)
    summary = f"{output}: {format_losses(best)}"
    if progress:
        print_status(summary)
    else:
        print(summary)


def launch_processes(context: typer.Context, processes: int, *, attended: bool) -> None:
    """Run this same command in several processes that train together.

    Raises
    ------
    typer.Exit
        If the first of them failed; it has printed why.
    """
    from napari_ptychonn.processes.subprocess_runner import command_line
    from napari_ptychonn.tasks.launcher import FirstMemberError, run_processes

    command = command_line(*context.obj, "--processes", "1", "--attended")
    with stop_requests(attended=attended) as stop:
        try:
            run_processes(command, processes, stop)
        except FirstMemberError:
            raise typer.Exit(1) from None


def follow_training(
    epochs: Iterable[Epoch], output: Path, *, progress: bool = False
) -> TrainedModel:
    """Show progress, and save the best model regularly and however the training ends.

    Parameters
    ----------
    epochs : iterable of Epoch
        The training.
    output : Path
        Model file.
    progress : bool
        Print one JSON line per epoch for another program, instead of a progress bar.
    """
    best: TrainedModel | None = None
    unsaved, last = True, -math.inf
    with progress_bars() as bars:
        track = progress_tracker(bars)
        try:
            for epoch in epochs:
                best = epoch.best
                unsaved = unsaved or epoch.is_best
                due = unsaved and time.monotonic() - last >= SAVE_PAUSE
                if due := due or epoch.remaining == 0:
                    best.save(output)
                    unsaved, last = False, time.monotonic()
                if progress:
                    from napari_ptychonn.tasks.epoch_lines import format_epoch

                    print(format_epoch(epoch, saved=due), flush=True)
                    continue
                for message in epoch.messages:
                    print_status(message)
                track("training", epoch.step, epoch.steps, _format_epoch(epoch))
        except Exception:
            if best is not None:
                print_status(f"the best model so far is kept in {output}")
            raise
        finally:
            if best is not None and unsaved:
                best.save(output)
    if best is None:
        raise InputError("the training was stopped before its first epoch.")
    return best


def format_losses(model: TrainedModel) -> str:
    """Return the number of epochs and the best validation loss as one line."""
    checked = [
        (entry["validation_loss"], entry["number"])
        for entry in model.history
        if entry["validation_loss"] is not None
    ]
    count = format_count(len(model.history), "epoch")
    if not checked:
        return count
    loss, number = min(checked)
    return f"{count}, best validation loss {loss:.4f} in epoch {number}"


def progress_printer(processes: int) -> Callable[[str], None]:
    """Return the printer of status lines: of several processes only the first one prints.

    Raises
    ------
    InputError
        If torchrun has already started several processes.
    """
    from napari_ptychonn.network.training.process_group import rank

    place = rank()
    if place is None:
        return print_status if processes == 1 else discard_status
    if processes > 1:
        raise InputError("torchrun starts the processes of this training; omit --processes.")
    return print_status if place == 0 else discard_status


def _model(path: Path) -> TrainedModel:
    from napari_ptychonn.network.model import TrainedModel

    return TrainedModel.load(path)


def _format_epoch(epoch: Epoch) -> str:
    checked = "" if epoch.validation_loss is None else f", validation {epoch.validation_loss:.4f}"
    return f"loss {epoch.train_loss:.4f}{checked}"
