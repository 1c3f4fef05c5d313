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
    stop_requests,
    tracker,
)
from napari_ptychonn.cli.options import (
    Algorithm,
    AlgorithmOption,
    BinOption,
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
    chosen_frames,
    must_be_writable,
)
from napari_ptychonn.data.bad_pixels import CONTRAST
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.reconstruction import Iteration


def reconstruct(
    scan: ScanArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OBJ.h5", help="Reconstruction to write.")
    ],
    algorithm: AlgorithmOption = Algorithm.EPIE,
    iterations: IterationsOption = 100,
    frames: FramesOption = None,
    modes: Annotated[
        int, typer.Option(min=0, help="Incoherent probe modes; 0: as many as the first probe has.")
    ] = 0,
    position_correction: Annotated[
        bool, typer.Option("--position-correction", help="Refine the scan positions too.")
    ] = False,
    first_probe: FirstProbeOption = FirstProbe.KNOWN,
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
    seed: SeedOption = 0,
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


def _watch_object(iterations: Iterable[Iteration], output: Path) -> Iteration:
    """Show the reconstruction, and save the object however it ends."""
    from napari_ptychonn.io import write_reconstruction

    last: Iteration | None = None
    with progress_bars() as progress:
        track = tracker(progress)
        try:
            for iteration in iterations:
                for message in iteration.messages:
                    print_status(message)
                last = iteration
                track("reconstructing", last.number, last.total, f"error {last.error:.4g}")
        except Exception:
            if last is not None:
                made = last.reconstruction.iterations
                print_status(f"the object after {made} iterations is kept in {output}")
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
