"""Reading a result of this program back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.data.patch_store import LazyPatches, PatchSet
from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.result import Result
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array, Tree
from napari_ptychonn.io.layouts.optics import read_optics
from napari_ptychonn.io.layouts.resolved import match
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.positions.positions import read_positions
from napari_ptychonn.io.readers.geometry import Pair, centre_shift, read_probe, window_shape
from napari_ptychonn.io.sandbox.opening import open_tree
from napari_ptychonn.stitching.mosaic import MosaicImage
from napari_ptychonn.stitching.uncertainty import Uncertainty

PREDICTIONS = "predictions"
MOSAIC = "mosaic"

READ_AT_ONCE = 2**28
"""Bytes of predictions up to which they are read when the file is opened."""


def is_result(tree: Tree) -> bool:
    """Whether a file holds single-shot predictions and a mosaic."""
    return tree.exists(f"{PREDICTIONS}/indexes") and tree.exists(f"{MOSAIC}/amplitude")


def read_result(path: str | Path) -> Result:
    """Read predictions and their mosaic.

    Parameters
    ----------
    path : str or Path
        What `write_result` wrote, under any name.

    Raises
    ------
    InputError
        When it is something else, or damaged.
    """
    with open_tree(Location.parse(path)) as tree:
        return build_result(tree)


def build_result(tree: Tree) -> Result:
    """Read the result in an open file; see `read_result`."""
    contents = match(tree)
    if contents is None or not is_result(tree):
        raise InputError(
            f"{tree.file} is not a result: expected the groups 'predictions' and 'mosaic'."
        )
    predictions = _predictions(tree)
    mosaic = _mosaic(tree)
    probe = read_probe(contents)
    positions = read_positions(contents)
    window = None if probe is None else window_shape(contents)
    shift = centre_shift(contents.layout, window) * np.asarray(mosaic.pixel_size)
    if len(positions) != len(predictions):
        raise InputError(
            f"{tree.file}: expected a position for each of {len(predictions)} predictions, "
            f"got {len(positions)}."
        )
    optics = read_optics(contents)[0]
    return Result(
        predictions=predictions,
        positions=positions.values + shift,
        mosaic=mosaic,
        unit=positions.unit,
        probe=probe,
        uncertainty=_trust(tree, predictions, mosaic),
        held_out=_optional(tree, f"{PREDICTIONS}/held_out", 1, np.int64),
        optics=optics,
        name=contents.text("title") or tree.file.stem,
        provenance=_provenance(tree),
        seconds=_number(tree, "seconds"),
    )


def _predictions(tree: Tree) -> PatchSet:
    indices = _array(tree, f"{PREDICTIONS}/indexes", 1, np.int64)
    amplitude, phase = (
        _there(tree, f"{PREDICTIONS}/{channel}", 3) for channel in ("amplitude", "phase")
    )
    if not (amplitude.shape == phase.shape and len(indices) == amplitude.shape[0]):
        raise InputError(
            f"{tree.file}: {len(indices)} indexes, amplitude {amplitude.shape} and phase "
            f"{phase.shape} in the group 'predictions' do not belong together."
        )
    residual = _optional(tree, f"{PREDICTIONS}/residual", 1, np.float32)
    _check_shape(tree, f"{PREDICTIONS}/residual", residual, indices.shape)
    if 2 * math.prod(amplitude.shape) * np.dtype(np.float32).itemsize > READ_AT_ONCE:
        return LazyPatches(
            indices=indices,
            amplitude=LazyFrames(amplitude.source()),
            phase=LazyFrames(phase.source()),
            residual=residual,
        )
    return Predictions(
        indices=indices,
        amplitude=amplitude.read().astype(np.float32),
        phase=phase.read().astype(np.float32),
        residual=residual,
    )


def _mosaic(tree: Tree) -> MosaicImage:
    channels = {c: _array(tree, f"{MOSAIC}/{c}", 2, np.float32) for c in
                ("amplitude", "phase", "weight", "spread")}  # fmt: skip
    if len({c.shape for c in channels.values()}) != 1:
        raise InputError(f"{tree.file}: the images in the group 'mosaic' differ in shape.")
    return MosaicImage(
        overlap_std=channels.pop("spread"),
        **channels,
        pixel_size=_pair(tree, "pixel_size"),
        origin=_pair(tree, "origin"),
    )


def _trust(tree: Tree, predictions: PatchSet, mosaic: MosaicImage) -> Uncertainty | None:
    """What the file says about it; None where it was written before there was such a thing."""
    spread = _optional(tree, f"{PREDICTIONS}/spread", 1, np.float32)
    if spread is None:
        return None
    residual_map = _optional(tree, f"{MOSAIC}/residual", 2, np.float32)
    _check_shape(tree, f"{PREDICTIONS}/spread", spread, predictions.indices.shape)
    _check_shape(tree, f"{MOSAIC}/residual", residual_map, mosaic.phase.shape)
    return Uncertainty(
        indices=predictions.indices,
        overlap_std=spread,
        diffraction_residual=predictions.residual,
        residual_map=residual_map,
        residual_limit=_number(tree, "residual_limit"),
    )


def _number(tree: Tree, name: str) -> float | None:
    value = tree.attribute(PREDICTIONS, name)
    if value is None:
        return None
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "iuf":
        raise InputError(f"{tree.file}: expected one number as {name} of 'predictions'.")
    return float(number.reshape(-1)[0])


def _pair(tree: Tree, name: str) -> Pair:
    value = np.asarray(tree.attribute(MOSAIC, name))
    if value.shape != (2,) or value.dtype.kind not in "iuf":
        raise InputError(f"{tree.file}: expected two numbers (y, x) as {name} of 'mosaic'.")
    return float(value[0]), float(value[1])


def _there(tree: Tree, path: str, ndim: int) -> Array:
    array = tree.array(path)
    if array is None or len(array.shape) != ndim or array.dtype.kind not in "iuf":
        got = "nothing" if array is None else f"{array.dtype} {array.shape}"
        raise InputError(f"{tree.file}: expected {ndim} axes of numbers in {path}, got {got}.")
    return array


def _array(tree: Tree, path: str, ndim: int, dtype: Any) -> NDArray[Any]:
    return _there(tree, path, ndim).read().astype(dtype)


def _optional(tree: Tree, path: str, ndim: int, dtype: Any) -> NDArray[Any] | None:
    return _array(tree, path, ndim, dtype) if tree.exists(path) else None


def _check_shape(
    tree: Tree, path: str, found: NDArray[Any] | None, expected: tuple[int, ...]
) -> None:
    if found is not None and found.shape != expected:
        raise InputError(f"{tree.file}: expected shape {expected} in {path}, got {found.shape}.")


def _provenance(tree: Tree) -> dict[str, Any]:
    array = tree.array("provenance")
    if array is None:
        return {}
    try:
        text = array.read().reshape(-1)[0]
        found = json.loads(text)
    except (ValueError, TypeError, IndexError, RecursionError) as error:
        raise InputError(f"{tree.file}: provenance is not JSON.") from error
    return found if isinstance(found, dict) else {}
