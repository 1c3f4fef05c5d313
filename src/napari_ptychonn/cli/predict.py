"""``napari-ptychonn predict``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptychonn.cli.console import (
    load_scan,
    print_status,
    progress_bars,
    progress_tracker,
    stop_requests,
)
from napari_ptychonn.cli.options import (
    BinOption,
    CorrectOption,
    CropOption,
    DeviceOption,
    FramesOption,
    MaskContrastOption,
    MaskOption,
    ModelOption,
    PositionsOption,
    ScanArgument,
    check_writable,
    select_frames,
)
from napari_ptychonn.data.bad_pixels import CONTRAST
from napari_ptychonn.data.formatting import format_count

if TYPE_CHECKING:
    from napari_ptychonn.data.result import Result

logger = logging.getLogger(__name__)

STOPPED = 130
"""Exit code of a stopped prediction, the one that shells use after Ctrl-C."""


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
    correct: CorrectOption = None,
    mask: MaskOption = True,
    mask_contrast: MaskContrastOption = CONTRAST,
    crop: CropOption = None,
    bin: BinOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Predict frames of a scan one by one, and stitch the mosaic.

    Ctrl-C stops it, writes the frames predicted so far, and exits with 130.
    """
    check_writable(output, scan, positions, str(model))
    from napari_ptychonn.io import write_result

    measured = load_scan(
        scan,
        mask_contrast if mask else None,
        positions=positions,
        correct=correct,
        crop=crop,
        bin=bin,
    )
    indices = None if frames is None else select_frames(len(measured), frames, measured.name)

    from napari_ptychonn.compute.device import choose_device
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.tasks.events import PredictionEnded
    from napari_ptychonn.tasks.predict import PredictTask

    trained = TrainedModel.load(model)

    where = choose_device(device)
    print_status(f"predicting on {where.name}: {where.reason}")
    task = PredictTask(scan=measured, model=trained, indices=indices, device=where.name)
    result: Result | None = None
    with stop_requests("what is predicted so far") as stop, progress_bars() as progress:
        track = progress_tracker(progress)
        for event in task.run(stop):
            if isinstance(event, PredictionEnded):
                result = event.result
            else:
                track("predicting", event.done, event.total)
    if result is None:
        print_status("stopped before the first prediction; nothing is written")
        raise typer.Exit(STOPPED)
    written = write_result(output, result)
    for sentence in result.warnings:
        logger.warning("%s: %s", measured.name, sentence)
    if result.uncertainty is not None:
        print_status(result.uncertainty.sentence)
    height, width = result.mosaic.phase.shape
    files = ", ".join(map(str, written))
    count = format_count(len(result.predictions), "frame")
    print(f"{files}: {count}, mosaic {height} x {width} pixels")
    if len(result.predictions) < task.total:
        print_status(
            f"stopped: {len(result.predictions)} of {format_count(task.total, 'frame')} predicted"
        )
        raise typer.Exit(STOPPED)
