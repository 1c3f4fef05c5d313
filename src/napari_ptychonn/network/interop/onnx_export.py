"""A model's network for programs that run ONNX."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.model import TrainedModel

INPUT, OUTPUTS = "frames", ("amplitude", "phase")


class _LastStage(nn.Module):
    """Amplitude and phase of the network's last stage."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        amplitude, phase = self.network(frames)
        return amplitude, phase


def write_onnx(path: str | Path, model: TrainedModel) -> None:
    """Write the network in ONNX form.

    The input 'frames' is (n, 1, height, width) float32, prepared as the
    metadata entry 'preparation' says (JSON, the fields of `Preprocessing`); the
    outputs 'amplitude' and 'phase' are (n, 1, size, size).

    Parameters
    ----------
    path : str or Path
        Replaced once the new file is complete.
    model : TrainedModel
        Without a probe: ONNX has no complex Fourier transform.

    Raises
    ------
    InputError
        Without the packages onnx and onnxscript, for a network that ONNX
        cannot express, or when the file cannot be written.
    """
    path = Path(path)
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            "writing ONNX needs two more packages: pip install 'napari-ptychonn[onnx]'."
        ) from error
    if model.options.uses_probe:
        raise InputError(
            "a network that uses the probe cannot be written as ONNX, which has no complex "
            "Fourier transform; train one with the scaling sqrt or raw (preset paper)."
        )
    network = _LastStage(model.network())
    _, _, height, width = model.preprocessing.window
    size = model.options.size
    edge = (size, size) if model.preprocessing.scaling != "amplitude" else (height, width)
    example = torch.zeros(2, 1, *edge)
    with replacing(path) as temporary:
        with _quiet():
            torch.onnx.export(
                network,
                (example,),
                temporary,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: torch.export.Dim("n")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        written = onnx.load(temporary)
        onnx.helper.set_model_props(written, _properties(model))
        onnx.save(written, temporary)


def _properties(model: TrainedModel) -> dict[str, str]:
    preprocessing: dict[str, Any] = asdict(model.preprocessing)
    del preprocessing["valid"]
    return {
        "preparation": json.dumps(preprocessing),
        "pixel_size": json.dumps(model.pixel_size),
        "unit": model.unit,
        "provenance": json.dumps(model.provenance),
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the log and warnings of the exporter."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
