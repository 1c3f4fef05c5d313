"""``napari-ptychonn pretrain``, and its former name ``practise``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptychonn.cli.console import load_scan, print_status
from napari_ptychonn.cli.options import (
    CorrectOption,
    DeviceOption,
    MaskContrastOption,
    MaskOption,
    PositionsOption,
    SeedOption,
    StepsOption,
    check_writable,
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
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A scan, or a reconstruction of any sample with the same probe; FILE::/group.",
        ),
    ],
    output: OutputOption,
    reconstruction: Annotated[
        str | None,
        typer.Option(
            metavar="OBJ",
            help="Reconstruction whose probe is used; by default that in the scan file.",
        ),
    ] = None,
    phase: Annotated[
        float, typer.Option(help="Expected phase of the thickest part of the sample, rad.")
    ] = -1.0,
    amplitude: Annotated[
        float, typer.Option(min=0.01, max=2.0, help="Expected amplitude there; 1 is vacuum.")
    ] = 0.9,
    counts: Annotated[
        float | None,
        typer.Option(
            min=1.0, help="Mean counts of a frame; by default those of the scan or the probe."
        ),
    ] = None,
    points: Annotated[int, typer.Option(min=16, help="Number of simulated frames.")] = 1024,
    steps: StepsOption = None,
    positions: PositionsOption = None,
    correct: CorrectOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    processes: ProcessesOption = 1,
    progress: ProgressOption = False,
    attended: AttendedOption = False,
) -> None:
    """Pretrain a network on simulated samples with a measured probe, before any reconstruction.

    `train --resume` continues with measured frames.
    """
    check_writable(output, source, reconstruction, positions)
    from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
    from napari_ptychonn.network.training.pretraining import Pretraining
    from napari_ptychonn.tasks.train import pretraining_task

    report = progress_printer(processes)
    pretraining = Pretraining(phase=phase, amplitude=amplitude, points=points, seed=seed)
    contrast = mask_contrast if mask else None
    made, truth = _simulate_scan(
        pretraining,
        source,
        reconstruction,
        counts,
        lambda: load_scan(source, contrast, report, positions=positions, correct=correct),
        report,
    )
    options = TrainingOptions(seed=seed)
    task = pretraining_task(
        made,
        truth,
        training=options if steps is None else replace(options, steps=steps),
        network=NetworkOptions(),
        device=device,
    )
    report(f"{made.name}: {task.region.description}: {task.region.counts}")
    if processes > 1:
        launch_processes(context, processes, attended=attended)
        return
    train_here(task, output, attended=attended, progress=progress, report=report)


@functools.wraps(pretrain)
def practise(*arguments: Any, **options: Any) -> None:
    """Former name of `pretrain`."""
    from napari_ptychonn.network.training.process_group import rank

    if not rank():  # of several processes, only the first one
        print_status("DeprecationWarning: 'practise' is now called 'pretrain'.")
    pretrain(*arguments, **options)


practise.__name__ = "practise"


def _simulate_scan(
    pretraining: Pretraining,
    source: str,
    reconstruction: str | None,
    counts: float | None,
    read: Callable[[], Scan],
    report: Callable[[str], None],
) -> tuple[Scan, Reconstruction]:
    """Simulate a scan with the probe of a scan or of a reconstruction."""
    from napari_ptychonn.io import describe, list_reconstructions, read_reconstruction

    about = describe(source)
    if about.kind in ("reconstruction", "result"):
        return pretraining.simulate_for_reconstruction(read_reconstruction(source), counts)
    scan = read()
    found: Reconstruction | None = None
    if reconstruction is not None or list_reconstructions(source):
        found = read_reconstruction(reconstruction or source)
    # The probe in a scan file may only be the initial guess of a reconstruction.
    if found is None or found.probe is None:
        report(f"probe: that of {scan.name}; a reconstructed one would be better")
        return pretraining.simulate_for_scan(scan, scan.probe, counts)
    report(f"probe: that of {found.name}")
    return pretraining.simulate_for_scan(scan, found.probe, counts)
