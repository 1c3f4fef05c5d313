"""``napari-ptychonn predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptychonn.cli.console import (
    load_scan,
    print_status,
    progress_bars,
    stop_requests,
    tracker,
)
from napari_ptychonn.cli.options import (
    BinOption,
    CropOption,
    DeviceOption,
    FramesOption,
    MaskContrastOption,
    MaskOption,
    ModelOption,
    PositionsOption,
    ScanArgument,
    chosen_frames,
    must_be_writable,
)
from napari_ptychonn.data.bad_pixels import CONTRAST

if TYPE_CHECKING:
    from napari_ptychonn.data.result import Result

STOPPED = 130
"""Exit code of a prediction that was stopped, as a shell gives it after Ctrl-C."""


def predict(
    scan: ScanArgument,
    model: ModelOption,
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
    indices = None if frames is None else chosen_frames(len(measured), frames, measured.name)

    from napari_ptychonn.compute.device import choose_device
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.tasks.events import PredictionEnded
    from napari_ptychonn.tasks.predict import PredictTask

    trained = TrainedModel.load(model)

    where = choose_device(device)
    print_status(f"predicting on {where.name}: {where.reason}")
    task = PredictTask(scan=measured, model=trained, indices=indices, device=where.name)
    result: Result | None = None
    with stop_requests("what is predicted by then") as stop, progress_bars() as progress:
        track = tracker(progress)
        for event in task.run(stop):
            if isinstance(event, PredictionEnded):
                result = event.result
            else:
                track("predicting", event.done, event.total)
    if result is None:
        print_status("stopped before anything was predicted; nothing is written")
        raise typer.Exit(STOPPED)
    written = write_result(output, result)
    if result.uncertainty is not None:
        print_status(result.uncertainty.sentence)
    height, width = result.mosaic.phase.shape
    files = ", ".join(map(str, written))
    print(f"{files}: {len(result.predictions)} frames, mosaic {height} x {width} pixels")
    if len(result.predictions) < task.total:
        print_status(
            f"stopped as asked: {len(result.predictions)} of {task.total} frames are predicted"
        )
        raise typer.Exit(STOPPED)
