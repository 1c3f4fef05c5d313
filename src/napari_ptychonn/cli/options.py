"""What can be said on the command line: options that several commands share, and what they mean."""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_ptychonn.data.bad_pixels import LEAST_CONTRAST
from napari_ptychonn.data.crop_bin import SMALLEST
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
    """How to reconstruct."""

    EPIE = "epie"
    RPIE = "rpie"
    LSQML = "lsqml"


class FirstProbe(StrEnum):
    """The probe that a reconstruction begins with."""

    KNOWN = "known"
    ESTIMATED = "estimated"


class Validation(StrEnum):
    """How validation frames are taken out of the chosen ones."""

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
    typer.Option(
        "--mask/--no-mask", help="Leave hot, dead and saturated detector pixels out, or not."
    ),
]
MaskContrastOption = Annotated[
    float,
    typer.Option(
        min=LEAST_CONTRAST,
        help="A pixel is hot or dead when it differs so much from its neighbours: times as much, "
        "or standard deviations less.",
    ),
]

SeedOption = Annotated[int, typer.Option(min=0, help="Same seed, same result.")]
ModelOption = Annotated[Path, typer.Option(metavar="MODEL", help="Written by train.")]
IterationsOption = Annotated[int, typer.Option(min=1, help="Passes over the frames.")]
AlgorithmOption = Annotated[
    Algorithm, typer.Option(help="The paper's ePIE, its regularised form, or LSQML.")
]
FirstProbeOption = Annotated[
    FirstProbe, typer.Option(help="known: that of the start or the scan, where there is one.")
]
PresetOption = Annotated[Preset, typer.Option(help="Network and recipe.")]
StepsOption = Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")]
LabelsOption = Annotated[
    str | None,
    typer.Option(metavar="OBJ", help="Labels: FILE or FILE::/group; the scan's own if absent."),
]
RequiredFramesOption = Annotated[
    slice,
    typer.Option(
        "--frames",
        parser=parse_frames,
        metavar="A:B[:K]",
        help="Frames that may train, as a Python slice: training and validation together.",
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


def chosen_frames(count: int, frames: slice, name: str) -> NDArray[np.int64]:
    """Scan points that a slice selects; at least one."""
    import numpy as np

    chosen = np.arange(count, dtype=np.int64)[frames]
    if not len(chosen):
        raise InputError(f"{name}: --frames selects none of the {count} frames.")
    return chosen


def split_by(validation: Validation | None, preset: Preset, seed: int) -> Split:
    """How validation frames are taken out; the published presets draw them at random."""
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
    """Options of training and network; a resumed network stays as it is."""
    from napari_ptychonn.network.options import NetworkOptions, TrainingOptions

    options = replace(TrainingOptions.preset(preset.value), seed=seed)
    if epochs is not None:
        options = replace(options, epochs=epochs)
    if steps is not None:
        options = replace(options, epochs=0, steps=steps)
    return options, None if resume else NetworkOptions.preset(preset.value)


def must_be_writable(output: Path, *inputs: str | None) -> None:
    """Fail before hours of work, not after them."""
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
