"""Options that several commands share, declared once, and the values made from them."""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptychonn.data.bad_pixels import LEAST_CONTRAST
from napari_ptychonn.data.crop_bin import SMALLEST
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_ptychonn.data.region import Split
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.network.options import NetworkOptions, TrainingOptions


class Preset(StrEnum):
    """Named networks with their recipes."""

    DEFAULT = "default"
    PAPER = "paper"
    PAPER_KERAS = "paper-keras"


class Algorithm(StrEnum):
    """Reconstruction algorithms."""

    EPIE = "epie"
    RPIE = "rpie"
    LSQML = "lsqml"


class FirstProbe(StrEnum):
    """Initial probe of a reconstruction."""

    KNOWN = "known"
    ESTIMATED = "estimated"


class Validation(StrEnum):
    """How validation frames are chosen."""

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

MaskOption = Annotated[
    bool,
    typer.Option("--mask/--no-mask", help="Mask hot, dead and saturated detector pixels, or not."),
]
MaskContrastOption = Annotated[
    float,
    typer.Option(
        min=LEAST_CONTRAST,
        help="Threshold for bad pixels: hot at so many times the counts of the neighbours, dead at "
        "so many standard deviations below them.",
    ),
]

SeedOption = Annotated[
    int, typer.Option(min=0, help="Random seed; the same seed gives the same result.")
]
ModelOption = Annotated[Path, typer.Option(metavar="MODEL", help="Written by train.")]
IterationsOption = Annotated[int, typer.Option(min=1, help="Passes over the frames.")]
AlgorithmOption = Annotated[
    Algorithm, typer.Option(help="The paper's ePIE, its regularised form, or LSQML.")
]
FirstProbeOption = Annotated[
    FirstProbe, typer.Option(help="known: that of the start or the scan, if there is one.")
]
PresetOption = Annotated[Preset, typer.Option(help="Network and training options.")]
StepsOption = Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")]
LabelsOption = Annotated[
    str | None,
    typer.Option(
        metavar="OBJ", help="Labels: FILE or FILE::/group; by default that in the scan file."
    ),
]
RequiredFramesOption = Annotated[
    slice,
    typer.Option(
        "--frames",
        parser=parse_frames,
        metavar="A:B[:K]",
        help="Training region as a Python slice of scan indices: training and validation frames.",
    ),
]

PositionsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE[::DATASET]",
        help="Scan positions of another file instead of the scan's own: .csv .txt .dat .mda, or a "
        "dataset of an HDF5, NumPy or MATLAB file.",
    ),
]

CropOption = Annotated[
    int | None,
    typer.Option(
        min=SMALLEST, help="Detector pixels along each axis to read around the zero frequency."
    ),
]
BinOption = Annotated[
    int, typer.Option("--bin", min=1, help="Detector pixels along each axis to sum while reading.")
]


CorrectOption = Annotated[
    str | None,
    typer.Option(
        metavar="CORRECTION",
        help="Correct a scan that is read with a wrong orientation, scale or centre, as warnings "
        "and info name it: frames-transpose, frames-flip-rows, frames-flip-columns, "
        "frames-shift=ROWS:COLUMNS, positions-exchange, positions-flip-y, positions-flip-x, "
        "positions-scale=FACTOR, positions-about-zero, joined by commas.",
    ),
]


def select_frames(count: int, frames: slice, name: str) -> NDArray[np.int64]:
    """Return the scan points that a slice selects: (m,) int64, m ≥ 1."""
    import numpy as np

    chosen = np.arange(count, dtype=np.int64)[frames]
    if not len(chosen):
        raise InputError(f"{name}: --frames selects none of the {format_count(count, 'frame')}.")
    return chosen


def make_split(validation: Validation | None, preset: Preset, seed: int) -> Split:
    """Return the validation split; the published presets draw the frames at random."""
    from napari_ptychonn.data.region import Split

    published = preset is not Preset.DEFAULT
    kind = validation or (Validation.RANDOM if published else Validation.BLOCKS)
    return Split(kind="random" if kind is Validation.RANDOM else "blocks", seed=seed)


def recipe(
    preset: Preset,
    epochs: int | None,
    steps: int | None,
    seed: int,
    resume: TrainedModel | None,
) -> tuple[TrainingOptions, NetworkOptions | None]:
    """Return the options of training and network; a resumed network keeps its own."""
    from napari_ptychonn.network.options import NetworkOptions, TrainingOptions

    options = replace(TrainingOptions.preset(preset.value), seed=seed)
    if epochs is not None:
        options = replace(options, epochs=epochs)
    if steps is not None:
        options = replace(options, epochs=0, steps=steps)
    return options, None if resume else NetworkOptions.preset(preset.value)


def check_writable(output: Path, *inputs: str | None) -> None:
    """Refuse an output that cannot be written, before hours of work.

    Raises
    ------
    InputError
        If the output is a folder, one of the inputs, or in a folder that is missing
        or read-only.
    """
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
