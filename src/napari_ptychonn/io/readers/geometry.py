"""From a file's conventions to this program's: centres of windows, pixels and modes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.scan import Optics
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.layouts.optics import metres
from napari_ptychonn.io.layouts.resolved import ResolvedLayout

Pair = tuple[float, float]


def centre_shift(layout: Layout, window: tuple[int, int] | None) -> NDArray[np.float64]:
    """Pixels (y, x) from what a file's position marks to element N // 2 of the window.

    Programs that mark the middle, (N − 1) / 2, are half a pixel off for even
    N and not at all for odd N; where N is unknown it is even.
    """
    sizes = np.asarray(window if window is not None else (2, 2))
    if layout.position_mark == "corner":
        return np.asarray(sizes // 2, dtype=np.float64)
    if layout.position_mark == "middle":
        return np.asarray(sizes // 2 - (sizes - 1) / 2, dtype=np.float64)
    return np.zeros(2)


def pixel_size(
    contents: ResolvedLayout, optics: Optics, frame_shape: tuple[int, int] | None
) -> Pair | None:
    """Size of an object pixel (y, x), m: as the file says, else from the far-field geometry."""
    y, x = (metres(contents, contents.number(name)) for name in ("pixel_y", "pixel_x"))
    if y is not None and x is not None:
        return abs(y), abs(x)
    steps = [_step(contents.array(quantity)) for quantity in ("rows_y", "columns_x")]
    if steps[0] is not None and steps[1] is not None:
        return steps[0], steps[1]
    extent, image = contents.array("extent_xy"), contents.array("object")
    if extent is not None and image is not None and math.prod(extent.shape) >= 2:
        width, height, *_ = (float(v) for v in extent.read().ravel())
        if width > 0 and height > 0:
            return height / image.shape[-2], width / image.shape[-1]
    return optics.object_pixel(frame_shape) if frame_shape is not None else None


def _step(coordinates: Array | None) -> float | None:
    """Distance of neighbouring rows or columns."""
    if coordinates is None or math.prod(coordinates.shape) < 2:
        return None
    return float(np.abs(np.diff(coordinates.read().ravel())).mean()) or None


def window_shape(contents: ResolvedLayout) -> tuple[int, int] | None:
    """Pixels (py, px) of the probe, where there is one."""
    probe = contents.array("probe")
    if probe is None or len(probe.shape) < 2:
        return None
    py, px = probe.shape[-2:]
    return (py, px) if contents.layout.image_axes == "yx" else (px, py)


def read_probe(contents: ResolvedLayout) -> NDArray[np.complex64] | None:
    """Read the probe as (modes, py, px); None where there is none, or only a stand-in."""
    array = contents.array("probe")
    if array is None or len(array.shape) < 2 or array.dtype.kind != "c":
        return None
    probe = _squeezed(_upright(array.read(), contents), 3)
    if probe.ndim == 2:
        probe = probe[np.newaxis]
    if probe.ndim > 3:  # (orthogonal relaxation modes, modes, py, px): the first is the mean
        probe = probe.reshape(-1, *probe.shape[-3:])[0]
    is_known = np.isfinite(probe).all() and probe.any()
    return np.ascontiguousarray(probe, dtype=np.complex64) if is_known else None


def read_object(contents: ResolvedLayout) -> tuple[NDArray[np.complex64], tuple[str, ...]]:
    """Read the object as (ny, nx); several layers are multiplied to the one they look like."""
    image = _object(contents)
    if image.ndim < 2 or image.size == 0:
        raise InputError(
            f"{contents.description}: expected an object (ny, nx), got shape {image.shape}."
        )
    values = _squeezed(_upright(image, contents), 2)
    notes: list[str] = []
    if values.ndim > 2:
        layers = values.reshape(-1, *values.shape[-2:])
        values = layers.prod(axis=0)
        notes.append(f"The {len(layers)} layers of the object were multiplied into one.")
    if bad := int((~np.isfinite(values)).sum()):
        values = np.where(np.isfinite(values), values, 1.0)
        notes.append(f"{format_count(bad, 'pixel')} of the object without a finite value set to 1.")
    return np.ascontiguousarray(values, dtype=np.complex64), tuple(notes)


def _object(contents: ResolvedLayout) -> NDArray[Any]:
    """Read the object as stored: one complex array, or amplitude and phase."""
    array = contents.array("object")
    if array is not None:
        if array.dtype.kind != "c":
            raise InputError(
                f"{contents.description}: expected a complex object in {array.path}, got "
                f"{array.dtype}."
            )
        return array.read()
    amplitude, phase = contents.array("object_amplitude"), contents.array("object_phase")
    if amplitude is None or phase is None:
        raise InputError(f"{contents.description}: expected an object (ny, nx), found none.")
    if amplitude.shape != phase.shape or not {amplitude.dtype.kind, phase.dtype.kind} <= set("iuf"):
        raise InputError(
            f"{contents.description}: expected amplitude and phase of one shape, got "
            f"{amplitude.dtype} "
            f"{amplitude.shape} and {phase.dtype} {phase.shape}."
        )
    return np.asarray(amplitude.read() * np.exp(1j * phase.read().astype(np.float64)))


def _upright(image: NDArray[Any], contents: ResolvedLayout) -> NDArray[Any]:
    """Bring an image of the sample into the order (y, x), both rising."""
    if contents.layout.image_axes == "xy":
        image = np.swapaxes(image, -2, -1)
    for axis, quantity in ((-2, "rows_y"), (-1, "columns_x")):
        coordinates = contents.array(quantity)
        if coordinates is not None and _falls(coordinates):
            image = np.flip(image, axis)
    return image


def _falls(coordinates: Array) -> bool:
    values = coordinates.read().ravel()
    return len(values) > 1 and bool(values[0] > values[-1])


def _squeezed(array: NDArray[Any], ndim: int) -> NDArray[Any]:
    while array.ndim > ndim and array.shape[0] == 1:
        array = array[0]
    return array
