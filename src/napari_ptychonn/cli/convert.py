"""``napari-ptychonn convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_ptychonn.cli.options import (
    PositionsOption,
    check_writable,
)


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
            help="File to write: .h5 .cxi .nxs .ptyr .npz .tiff for an object, .onnx for a model.",
        ),
    ],
    scan: Annotated[
        str | None,
        typer.Option(
            metavar="SCAN",
            help="With a reconstruction: write ptychodus training data. With weights: a scan "
            "that they are meant for.",
        ),
    ] = None,
    positions: PositionsOption = None,
    crop: Annotated[
        int | None,
        typer.Option(min=64, help="With weights: detector pixels to keep along each axis."),
    ] = None,
) -> None:
    """Convert an object, a result or a model to the format of another program."""
    check_writable(output, source, scan, positions)
    from napari_ptychonn.tasks.convert import convert as converted

    for file in converted(source, output, scan=scan, positions=positions, crop=crop):
        print(file)
