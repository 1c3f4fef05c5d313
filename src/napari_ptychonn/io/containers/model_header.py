"""Looking at a model file without loading it: the header of a safetensors file is JSON."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_ptychonn.errors import InputError

_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, kw_only=True)
class ModelHeader:
    """What the header of a model file says.

    Attributes
    ----------
    tensors : int
        How many arrays.
    parameters : int
        How many numbers in them.
    metadata : dict
        Text by name; values that are JSON are decoded.
    """

    tensors: int
    parameters: int
    metadata: dict[str, Any]


def read_model_header(file: Path) -> ModelHeader:
    """Read the header only; InputError when the file is damaged."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            size = file.stat().st_size
            if length > min(_LONGEST_HEADER, size - 8):
                raise InputError(f"{file} is a truncated model file.")
            header = json.loads(stream.read(length))
        tensors = {k: v for k, v in header.items() if k != "__metadata__"}
        end = max((t["data_offsets"][1] for t in tensors.values()), default=0)
        if end > size - 8 - length:
            raise InputError(f"{file} is a truncated model file.")
        return ModelHeader(
            tensors=len(tensors),
            parameters=sum(_count(t["shape"]) for name, t in tensors.items() if _trained(name)),
            metadata={k: _decoded(v) for k, v in header.get("__metadata__", {}).items()},
        )
    except InputError:
        raise
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError,
            IndexError, RecursionError) as error:  # fmt: skip
        raise InputError(f"{file} is a damaged model file.") from error


def _trained(name: str) -> bool:
    """Tell weights from Adam's moments, and from running means and other buffers."""
    buffers = ("running_mean", "running_var", "num_batches_tracked", "label_mean", "label_spread")
    beam = "network.far_field."
    return name.startswith("network.") and not name.startswith(beam) and not name.endswith(buffers)


def _count(shape: list[int]) -> int:
    count = 1
    for length in shape:
        count *= int(length)
    return count


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
