"""``napari-ptychonn train`` and ``practise``: here, among torchrun's processes, or in several."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptychonn.cli.console import (
    load_reconstruction,
    load_scan,
    notice,
    progress_bars,
    silence,
    stop_requests,
    tracker,
)
from napari_ptychonn.cli.options import (
    BinOption,
    CropOption,
    DeviceOption,
    MaskContrastOption,
    MaskOption,
    PositionsOption,
    Preset,
    ScanArgument,
    Validation,
    must_be_writable,
    parse_frames,
    recipe,
    split_by,
)
from napari_ptychonn.data.bad_pixels import CONTRAST
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.data.reconstruction import Reconstruction
    from napari_ptychonn.data.scan import Scan
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.network.training.epochs import Epoch
    from napari_ptychonn.network.training.pretraining import Pretraining
    from napari_ptychonn.tasks.training_folder import TrainingTask

SAVE_PAUSE = 2.0
"""Seconds between two savings of the best model at least, lest a power cut takes it all."""

ProcessesOption = Annotated[
    int,
    typer.Option(
        min=1, help="Train in so many processes of this machine together; one GPU each, or the CPU."
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
        help="Stop at 'stop' on the standard input, and when that ends.",
    ),
]


def train(
    context: typer.Context,
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
    output: OutputOption,
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
    positions: PositionsOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    crop: CropOption = None,
    bin: BinOption = 1,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same model.")] = 0,
    processes: ProcessesOption = 1,
    progress: ProgressOption = False,
    attended: AttendedOption = False,
) -> None:
    """Train a network on some frames of a scan.

    Ctrl-C ends the training early and keeps the best model so far.  Started by
    torchrun, it trains together with the other processes.
    """
    if epochs is not None and steps is not None:
        raise typer.BadParameter("give --epochs or --steps, not both.")
    must_be_writable(output, scan, reconstruction, positions)
    from napari_ptychonn.data.crop_bin import crop_and_bin, crop_and_bin_reconstruction
    from napari_ptychonn.data.region import TrainingRegion

    say = _voice(processes)
    contrast = mask_contrast if mask else None
    whole = load_scan(scan, contrast, None if say is notice else say, positions=positions)
    measured = crop_and_bin(whole, crop, bin)
    made = load_reconstruction(reconstruction or scan, say, scan=scan, positions=positions)
    labels = crop_and_bin_reconstruction(made, whole, crop, bin)
    region = TrainingRegion.from_indices(measured, frames, split_by(validation, preset, seed))
    say(f"{measured.name}: {region.description}: {region.counts}")
    if processes > 1:
        train_in_crew(context, processes, attended=attended)
        return
    from napari_ptychonn.tasks.training_folder import TrainingTask

    start = _model(resume) if resume is not None else None
    options, network = recipe(preset, epochs, steps, seed, start)
    _train(
        TrainingTask(
            scan=measured,
            reconstruction=labels,
            region=region,
            options=options,
            network=network,
            device=device,
            resume=start,
        ),
        output,
        attended=attended,
        progress=progress,
        say=say,
    )


def practise(
    context: typer.Context,
    beam: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A scan, or a reconstruction of any sample in the same beam; FILE::/group.",
        ),
    ],
    output: OutputOption,
    reconstruction: Annotated[
        str | None,
        typer.Option(metavar="OBJ", help="Whose probe; the scan's own if absent."),
    ] = None,
    phase: Annotated[
        float, typer.Option(help="Phase of the thickest part of the sample expected, rad.")
    ] = -1.0,
    amplitude: Annotated[
        float, typer.Option(min=0.01, max=2.0, help="Amplitude there; 1 is the open beam.")
    ] = 0.9,
    counts: Annotated[
        float | None,
        typer.Option(min=1.0, help="Mean counts of a frame; the scan's or the probe's if absent."),
    ] = None,
    points: Annotated[int, typer.Option(min=16, help="Frames made up.")] = 1024,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")] = None,
    positions: PositionsOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of the samples and the training.")] = 0,
    processes: ProcessesOption = 1,
    progress: ProgressOption = False,
    attended: AttendedOption = False,
) -> None:
    """Train a network on made-up samples in a measured beam, before a sample is reconstructed.

    `train --resume` goes on from it with measured frames.
    """
    must_be_writable(output, beam, reconstruction, positions)
    from napari_ptychonn.data.region import TrainingRegion
    from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
    from napari_ptychonn.network.training.pretraining import Pretraining

    say = _voice(processes)
    practice = Pretraining(phase=phase, amplitude=amplitude, points=points, seed=seed)
    contrast = mask_contrast if mask else None
    made, truth = _practice_scan(
        practice,
        beam,
        reconstruction,
        counts,
        lambda: load_scan(beam, contrast, say, positions=positions),
        say,
    )
    region = TrainingRegion.from_indices(made, slice(None), description="made-up samples")
    say(f"{made.name}: {region.description}: {region.counts}")
    if processes > 1:
        train_in_crew(context, processes, attended=attended)
        return
    from napari_ptychonn.tasks.training_folder import TrainingTask

    options = TrainingOptions(seed=seed)
    task = TrainingTask(
        scan=made,
        reconstruction=truth,
        region=region,
        options=options if steps is None else replace(options, steps=steps),
        network=NetworkOptions(),
        device=device,
    )
    _train(task, output, attended=attended, progress=progress, say=say)


def train_task(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Written by the window.")],
    output: OutputOption,
    processes: ProcessesOption = 1,
    progress: ProgressOption = False,
    attended: AttendedOption = False,
) -> None:
    """Train what a window has left in a folder."""
    say = _voice(processes)
    if processes > 1:
        train_in_crew(context, processes, attended=attended)
        return
    from napari_ptychonn.tasks.training_folder import TrainingTask

    _train(TrainingTask.load(folder), output, attended=attended, progress=progress, say=say)


def _train(
    task: TrainingTask,
    output: Path,
    *,
    attended: bool,
    progress: bool,
    say: Callable[[str], None],
) -> None:
    """Train in this process, with the others of its team; the first one tells and saves."""
    from napari_ptychonn.network.training.data import TrainingSource
    from napari_ptychonn.network.training.epochs import train_in_group
    from napari_ptychonn.network.training.process_group import joined

    with joined() as team, stop_requests(attended=attended, say=say) as stop:
        run = train_in_group(
            team,
            TrainingSource(scan=task.scan, reconstruction=task.reconstruction, region=task.region),
            task.options,
            task.network,
            device=task.device,
            resume=task.resume,
            should_stop=stop,
        )
        if not team.leads:
            for _ in run:
                pass
            return
        best = watch(run, output, progress=progress)
    told = f"{output}: {told_losses(best)}"
    if progress:
        notice(told)
    else:
        print(told)


def train_in_crew(context: typer.Context, processes: int, *, attended: bool) -> None:
    """Run this same command in several processes that train together.

    Raises
    ------
    typer.Exit
        When the first of them has said what is wrong.
    """
    from napari_ptychonn.processes.program import command_line
    from napari_ptychonn.tasks.launcher import FirstMemberError, run_crew

    command = command_line(*context.obj, "--processes", "1", "--attended")
    with stop_requests(attended=attended) as stop:
        try:
            run_crew(command, processes, stop)
        except FirstMemberError:
            raise typer.Exit(1) from None


def watch(epochs: Iterable[Epoch], output: Path, *, progress: bool = False) -> TrainedModel:
    """Show the training, and save the best model now and then, and however it ends.

    Parameters
    ----------
    epochs : iterable of Epoch
        The training.
    output : Path
        Model file.
    progress : bool
        Whether a program follows, line by line, instead of a person.
    """
    best: TrainedModel | None = None
    unsaved, last = True, -math.inf
    with progress_bars() as bars:
        track = tracker(bars)
        try:
            for epoch in epochs:
                best = epoch.best
                unsaved = unsaved or epoch.is_best
                due = unsaved and time.monotonic() - last >= SAVE_PAUSE
                if due := due or epoch.remaining == 0:
                    best.save(output)
                    unsaved, last = False, time.monotonic()
                if progress:
                    from napari_ptychonn.tasks.epoch_lines import line_of

                    print(line_of(epoch, saved=due), flush=True)
                    continue
                for message in epoch.messages:
                    notice(message)
                track("training", epoch.step, epoch.steps, _told_epoch(epoch))
        except Exception:
            if best is not None:
                notice(f"the best model so far is kept in {output}")
            raise
        finally:
            if best is not None and unsaved:
                best.save(output)
    if best is None:
        raise InputError("The training was stopped before there was any model.")
    return best


def told_losses(model: TrainedModel) -> str:
    """How long a model was trained, and how good it is, in one line."""
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


def _voice(processes: int) -> Callable[[str], None]:
    """Who tells a person what goes on: of several processes the first, and not who starts them.

    Raises
    ------
    InputError
        When somebody else has already started several.
    """
    from napari_ptychonn.network.training.process_group import rank

    place = rank()
    if place is None:
        return notice if processes == 1 else silence
    if processes > 1:
        raise InputError("torchrun has started the processes of this training; omit --processes.")
    return notice if place == 0 else silence


def _practice_scan(
    practice: Pretraining,
    beam: str,
    reconstruction: str | None,
    counts: float | None,
    read: Callable[[], Scan],
    say: Callable[[str], None],
) -> tuple[Scan, Reconstruction]:
    """The made-up scan in the beam of a scan, or in that of a reconstruction."""
    from napari_ptychonn.io import describe, list_reconstructions, read_reconstruction

    about = describe(beam)
    if about.kind in ("reconstruction", "result"):
        return practice.simulate_for_reconstruction(read_reconstruction(beam), counts)
    scan = read()
    found: Reconstruction | None = None
    if reconstruction is not None or list_reconstructions(beam):
        found = read_reconstruction(reconstruction or beam)
    # A probe that merely came with the scan may be what a reconstruction began with.
    if found is None or found.probe is None:
        say(f"beam: the probe that came with {scan.name}; a reconstructed one would be better")
        return practice.simulate_for_scan(scan, scan.probe, counts)
    say(f"beam: the probe of {found.name}")
    return practice.simulate_for_scan(scan, found.probe, counts)


def _model(path: Path) -> TrainedModel:
    from napari_ptychonn.network.model import TrainedModel

    return TrainedModel.load(path)


def _told_epoch(epoch: Epoch) -> str:
    checked = "" if epoch.validation_loss is None else f", validation {epoch.validation_loss:.4f}"
    return f"loss {epoch.train_loss:.4f}{checked}"
