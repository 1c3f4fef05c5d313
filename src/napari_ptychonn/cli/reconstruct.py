"""``napari-ptychonn reconstruct``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptychonn.cli.console import (
    load_reconstruction,
    load_scan,
    print_json,
    print_status,
    progress_bars,
    progress_tracker,
    report_consistency,
    stop_requests,
)
from napari_ptychonn.cli.options import (
    Algorithm,
    AlgorithmOption,
    BinOption,
    CorrectOption,
    CropOption,
    DeviceOption,
    FirstProbe,
    FirstProbeOption,
    FramesOption,
    IterationsOption,
    JsonOption,
    MaskContrastOption,
    MaskOption,
    PositionsOption,
    ScanArgument,
    SeedOption,
    check_writable,
    select_frames,
)
from napari_ptychonn.data.bad_pixels import CONTRAST
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.reconstruction import Iteration
    from napari_ptychonn.tasks.events import IterationEnded, ObjectPreview


def reconstruct(
    scan: ScanArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OBJ.h5", help="Reconstruction to write.")
    ],
    algorithm: AlgorithmOption = Algorithm.EPIE,
    iterations: IterationsOption = 100,
    frames: FramesOption = None,
    modes: Annotated[
        int,
        typer.Option(min=0, help="Incoherent probe modes; 0: as many as the initial probe has."),
    ] = 0,
    position_correction: Annotated[
        bool, typer.Option("--position-correction", help="Refine the scan positions too.")
    ] = False,
    first_probe: FirstProbeOption = FirstProbe.KNOWN,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Continue a reconstruction, or start from the mosaic of a result.",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=0, help="Frames per update of the object; 0: automatic.")
    ] = 0,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: automatic.")] = 0,
    positions: PositionsOption = None,
    correct: CorrectOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    crop: CropOption = None,
    bin: BinOption = 1,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Reconstruct object and probe from the frames of a scan with pty-chi.

    Ctrl-C stops it and keeps the object so far.
    """
    from napari_ptychonn.reconstruction import EngineOptions, why_not

    if missing := why_not():
        raise InputError(missing)
    check_writable(output, scan, positions, None if _is_reconstruction(start) else start)
    from napari_ptychonn.data.crop_bin import crop_and_bin, crop_and_bin_reconstruction

    whole = load_scan(scan, mask_contrast if mask else None, positions=positions, correct=correct)
    measured = crop_and_bin(whole, crop, bin)
    indices = None if frames is None else select_frames(len(measured), frames, measured.name)
    before = None
    if start is not None:
        made = load_reconstruction(start, scan=scan, positions=positions)
        before = crop_and_bin_reconstruction(made, whole, crop, bin)
        report_consistency(measured, before)
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

    from napari_ptychonn.tasks.reconstruct import ReconstructTask

    task = ReconstructTask(
        scan=measured, options=options, indices=indices, start=before, device=device
    )
    with stop_requests("the object so far") as stop:
        last = _follow_iterations(task.run(stop), output)
    report = _summarise(scan, output, last)
    if as_json:
        print_json(report)
    else:
        iterations_made = format_count(report["iterations"], "iteration")
        count = format_count(report["frames"], "frame")
        print(
            f"{output}: {report['algorithm']}, {iterations_made} of {count}, "
            f"error {last.error:.4g}, {last.seconds:.1f} s"
        )


def _follow_iterations(events: Iterable[IterationEnded | ObjectPreview], output: Path) -> Iteration:
    """Show the progress, and save the object however the reconstruction ends."""
    from napari_ptychonn.io import write_reconstruction
    from napari_ptychonn.tasks.events import ObjectPreview

    last: Iteration | None = None
    with progress_bars() as progress:
        track = progress_tracker(progress)
        try:
            for event in events:
                if isinstance(event, ObjectPreview):
                    continue
                last = event.iteration
                for message in last.messages:
                    print_status(message)
                track("reconstructing", last.number, last.total, f"error {last.error:.4g}")
        except Exception:
            if last is not None:
                made = last.reconstruction.iterations
                print_status(
                    f"the object after {format_count(made or 0, 'iteration')} is kept in {output}"
                )
            raise
        finally:
            if last is not None:
                write_reconstruction(output, last.reconstruction)
    if last is None:
        raise InputError("the reconstruction was stopped before its first iteration.")
    return last


def _summarise(scan: str, output: Path, last: Iteration) -> dict[str, Any]:
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
    """Whether a file holds only a reconstruction, so that it may be replaced."""
    from napari_ptychonn.io import describe

    return start is not None and "::" not in start and describe(start).kind == "reconstruction"
