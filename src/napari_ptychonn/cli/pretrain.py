"""``napari-ptychonn pretrain``, and its former name ``practise``."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptychonn.cli.console import load_scan, print_status
from napari_ptychonn.cli.options import (
    DeviceOption,
    MaskContrastOption,
    MaskOption,
    PositionsOption,
    SeedOption,
    StepsOption,
    must_be_writable,
)
from napari_ptychonn.cli.train import (
    AttendedOption,
    OutputOption,
    ProcessesOption,
    ProgressOption,
    launch_processes,
    progress_printer,
    train_here,
)
from napari_ptychonn.data.bad_pixels import CONTRAST

if TYPE_CHECKING:
    from napari_ptychonn.data.reconstruction import Reconstruction
    from napari_ptychonn.data.scan import Scan
    from napari_ptychonn.network.training.pretraining import Pretraining


def pretrain(
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
    steps: StepsOption = None,
    positions: PositionsOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    processes: ProcessesOption = 1,
    progress: ProgressOption = False,
    attended: AttendedOption = False,
) -> None:
    """Pretrain a network on simulated samples in a measured beam, before any reconstruction.

    `train --resume` continues with measured frames.
    """
    must_be_writable(output, beam, reconstruction, positions)
    from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
    from napari_ptychonn.network.training.pretraining import Pretraining
    from napari_ptychonn.tasks.train import pretraining_task

    say = progress_printer(processes)
    pretraining = Pretraining(phase=phase, amplitude=amplitude, points=points, seed=seed)
    contrast = mask_contrast if mask else None
    made, truth = _simulate_scan(
        pretraining,
        beam,
        reconstruction,
        counts,
        lambda: load_scan(beam, contrast, say, positions=positions),
        say,
    )
    options = TrainingOptions(seed=seed)
    task = pretraining_task(
        made,
        truth,
        training=options if steps is None else replace(options, steps=steps),
        network=NetworkOptions(),
        device=device,
    )
    say(f"{made.name}: {task.region.description}: {task.region.counts}")
    if processes > 1:
        launch_processes(context, processes, attended=attended)
        return
    train_here(task, output, attended=attended, progress=progress, say=say)


@functools.wraps(pretrain)
def practise(*arguments: Any, **options: Any) -> None:
    """Former name of `pretrain`."""
    print_status("warning: 'practise' is deprecated; the command is called 'pretrain' now.")
    warnings.warn("'practise' is called 'pretrain' now", DeprecationWarning, stacklevel=2)
    pretrain(*arguments, **options)


practise.__name__ = "practise"


def _simulate_scan(
    pretraining: Pretraining,
    beam: str,
    reconstruction: str | None,
    counts: float | None,
    read: Callable[[], Scan],
    say: Callable[[str], None],
) -> tuple[Scan, Reconstruction]:
    """Simulate a scan with the probe of a scan, or of a reconstruction."""
    from napari_ptychonn.io import describe, list_reconstructions, read_reconstruction

    about = describe(beam)
    if about.kind in ("reconstruction", "result"):
        return pretraining.simulate_for_reconstruction(read_reconstruction(beam), counts)
    scan = read()
    found: Reconstruction | None = None
    if reconstruction is not None or list_reconstructions(beam):
        found = read_reconstruction(reconstruction or beam)
    # A probe that merely came with the scan may be what a reconstruction began with.
    if found is None or found.probe is None:
        say(f"probe: the one that came with {scan.name}; a reconstructed one would be better")
        return pretraining.simulate_for_scan(scan, scan.probe, counts)
    say(f"probe: the one of {found.name}")
    return pretraining.simulate_for_scan(scan, found.probe, counts)
