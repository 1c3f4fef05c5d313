"""Weights of the published PyTorch networks, made into a model of this package.

The notebooks of github.com/mcherukara/PtychoNN (PyTorch/CNN_encoder_decoder)
and edgePtychoNN save the state dict of `recon_model`: an encoder, `decoder1`
for the amplitude, `decoder2` for the phase.  That is the preset 'paper' here,
layer by layer.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.ptychonn import PtychoNN
from napari_ptychonn.stitching.mosaic import window_weight

_PARTS = {"encoder": "encoder", "decoder1": "amplitude", "decoder2": "phase"}
_NAME = re.compile(r"(?:module\.|model\.)*(encoder|decoder1|decoder2)\.(\d+)\.(weight|bias)")
_UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, AttributeError,
               TypeError, pickle.UnpicklingError, zipfile.BadZipFile)  # fmt: skip


def read_published(path: str | Path, scan: Scan, *, crop: int | None = None) -> TrainedModel:
    """Make a model of published weights, for the frames of one scan.

    Parameters
    ----------
    path : str or Path
        A `.pth` file with a state dict.  Nothing in it is executed.
    scan : Scan
        Gives frame shape and object pixel size, which the file of weights lacks.
    crop : int, optional
        Detector pixels along each axis kept around the zero frequency, before they are
        mean-binned to 64: 192 of 256 in the paper.  By default the largest possible.

    Returns
    -------
    TrainedModel
        Predicts in a 64 x 64 patch of the scan's object pixels.

    Raises
    ------
    InputError
        When the file is damaged, contains more than weights, or weights of another
        network.
    """
    path = Path(path)
    stored = _layers(path, _state(path))
    options = _options(path, stored)
    state = dict(PtychoNN(options).state_dict())
    expected = {name: tuple(value.shape) for name, value in state.items() if "label" not in name}
    if (found := {name: tuple(value.shape) for name, value in stored.items()}) != expected:
        raise InputError(f"{path}: {_difference(expected, found)}.", file=path)
    if not all(torch.isfinite(value).all() for value in stored.values()):
        raise InputError(f"{path}: some of the weights are not finite numbers.", file=path)
    # The outputs are taken as they are: label_mean stays 0, label_spread 1.
    state |= {name: value.to(torch.float32) for name, value in stored.items()}
    return TrainedModel(
        options=options,
        preprocessing=_preprocessing(scan, options.size, crop),
        state=state,
        pixel_size=scan.pixel_size or (1.0, 1.0),
        unit="pixel" if scan.pixel_size is None else scan.unit,
        weight=window_weight((options.size, options.size)),
        provenance={"imported_from": path.name, "network": "PtychoNN as published (PyTorch)"},
    )


def _state(path: Path) -> Mapping[str, Any]:
    """Read a state dict and nothing else."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.", file=path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} holds more than weights (a whole pickled network?), which is never opened; "
            "save its state_dict() instead.",
            file=path,
        ) from error
    except _UNREADABLE as error:
        raise InputError(f"{path} is not a readable file of PyTorch weights.", file=path) from error
    for key in ("state_dict", "model_state_dict"):
        if isinstance(held, Mapping) and isinstance(held.get(key), Mapping):
            held = held[key]
    if not isinstance(held, Mapping) or not held:
        raise InputError(f"{path}: expected weights by name, got {type(held).__name__}.", file=path)
    return held


def _layers(path: Path, state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Give each array the name that it has here."""
    layers: dict[str, Tensor] = {}
    for name, value in state.items():
        match = _NAME.fullmatch(str(name))
        if match is None or not isinstance(value, Tensor) or not value.is_floating_point():
            raise InputError(
                f"{path}: expected the weights of encoder, decoder1 and decoder2, found {name!r}; "
                "this is not one of the published PyTorch networks.",
                file=path,
            )
        part, number, kind = match.groups()
        layers[f"{_PARTS[part]}.{number}.{kind}"] = value
    return layers


def _options(path: Path, stored: Mapping[str, Tensor]) -> NetworkOptions:
    """Find the width of the network; everything else is as published."""
    from dataclasses import replace

    first = stored.get("encoder.0.weight")
    if first is None or first.ndim != 4 or first.shape[1] != 1 or not 1 <= len(first) <= 1024:
        raise InputError(
            f"{path}: expected a first convolution of one channel (n, 1, 3, 3).", file=path
        )
    return replace(NetworkOptions.preset("paper"), width=len(first))


def _difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    for name in sorted({*expected, *found}):
        if name not in found:
            return f"the layer {name} is missing"
        if name not in expected:
            return f"the layer {name} is not in the published network"
        if expected[name] != found[name]:
            return f"expected shape {expected[name]} of {name}, got {found[name]}"
    return "the same layers"


def _preprocessing(scan: Scan, size: int, crop: int | None) -> Preprocessing:
    if crop is None:
        crop = min(scan.frame_shape) // size * size
    if crop < size or crop % size or crop > min(scan.frame_shape):
        raise InputError(
            f"frames of {scan.frame_shape[0]} x {scan.frame_shape[1]} pixels cannot be cropped to "
            f"{crop}: expected a multiple of {size}."
        )
    top, left = (n // 2 - crop // 2 for n in scan.frame_shape)
    return Preprocessing(
        frame_shape=scan.frame_shape,
        window=(top, left, crop, crop),
        bin=crop // size,
        size=size,
        scaling="raw",
    ).masked_as(scan)
