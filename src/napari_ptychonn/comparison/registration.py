"""Register two images of one object: remove shift, scale, global phase and phase ramp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.floating[Any]]
ComplexImage = NDArray[np.complexfloating[Any]]

STEPS = 6
"""Gauss-Newton steps of the shift."""

MAX_SHIFT = 5.0
"""Largest shift, pixels; more is a wrong position, not a misalignment."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Transformation of an image to its reference.

    Attributes
    ----------
    shift : tuple of float
        (y, x) pixels by which the image was moved.
    scale : float
        Factor on its amplitude.
    offset : float
        Added to its phase, rad.
    ramp : tuple of float
        (y, x) slope added to its phase, rad per pixel.
    """

    shift: tuple[float, float]
    scale: float
    offset: float
    ramp: tuple[float, float]


def wrap(phase: FloatImage) -> FloatImage:
    """Bring an angle to [−π, π)."""
    return (phase + np.pi) % (2 * np.pi) - np.pi


def phase_offset(difference: FloatImage, weight: FloatImage | None = None) -> float:
    """Angle whose removal minimises the mean absolute phase difference.

    Parameters
    ----------
    difference : ndarray
        Phase differences, rad, of any shape.
    weight : ndarray, optional
        Same shape.

    Returns
    -------
    float
        Circular mean, refined to the (weighted) median around it, rad.
    """
    weight = np.ones_like(difference) if weight is None else weight
    mean = float(np.angle(np.sum(weight * np.exp(1j * difference))))
    around = wrap(difference - mean).ravel()
    order = np.argsort(around)
    share = np.cumsum(weight.ravel()[order])
    middle = min(int(np.searchsorted(share, share[-1] / 2)), len(order) - 1)
    return mean + float(around[order[middle]])


def align(
    image: ComplexImage, reference: ComplexImage, mask: NDArray[np.bool_]
) -> tuple[NDArray[np.complex128], Alignment]:
    """Align an image to its reference by shift, scale, phase offset and phase ramp.

    Parameters
    ----------
    image, reference : ndarray of complex
        (ny, nx), finite inside `mask`.
    mask : ndarray of bool
        (ny, nx), pixels to align by.

    Returns
    -------
    aligned : ndarray of complex128
        `image` after shift, scale, offset and ramp; undefined outside `mask`.
    alignment : Alignment
        The transformation.

    Notes
    -----
    The shift is found by Gauss-Newton steps on the difference inside the mask, as a common
    outline biases a correlation to zero; it is kept only if it reduces the phase
    difference.  The ramp is a plane fitted to the wrapped phase difference.
    """
    filled, target = (np.where(mask, a, a[mask].mean()) for a in (image, reference))
    best, plane = _without_plane(filled, target, mask)
    shift, tried = np.zeros(2), np.zeros(2)
    moved = best
    for _ in range(STEPS):
        tried = np.clip(tried + _shift_step(moved, target, mask), -MAX_SHIFT, MAX_SHIFT)
        moved, moved_plane = _without_plane(_shifted(filled, tried), target, mask)
        if _misfit(moved, target, mask) < _misfit(best, target, mask):
            best, plane, shift = moved, moved_plane, tried
    amplitude, expected = np.abs(best[mask]), np.abs(target[mask])
    scale = float(np.sum(amplitude * expected) / max(np.sum(amplitude**2), 1e-30))
    offset, slope_y, slope_x = plane
    found = Alignment(
        shift=(float(shift[0]), float(shift[1])),
        scale=scale,
        offset=offset,
        ramp=(slope_y, slope_x),
    )
    return best * scale, found


def _shifted(image: ComplexImage, shift: NDArray[np.float64]) -> NDArray[np.complex128]:
    from scipy import ndimage

    return np.asarray(ndimage.shift(image.astype(np.complex128), shift, mode="nearest"))


def _shift_step(
    image: ComplexImage, target: ComplexImage, mask: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Least-squares shift (y, x) that turns `image` into `target`, to first order."""
    from scipy.ndimage import binary_erosion

    inner = binary_erosion(mask, iterations=2)
    if not inner.any():
        return np.zeros(2)
    scale = np.vdot(image[inner], target[inner]) / np.vdot(image[inner], image[inner])
    slopes = np.stack([g[inner] for g in np.gradient(scale * image)], axis=1)
    missing = target[inner] - scale * image[inner]
    normal = (slopes.conj().T @ slopes).real
    moved, *_ = np.linalg.lstsq(normal, (slopes.conj().T @ missing).real, rcond=None)
    return np.asarray(-moved)


def _without_plane(
    image: ComplexImage, target: ComplexImage, mask: NDArray[np.bool_]
) -> tuple[NDArray[np.complex128], tuple[float, float, float]]:
    """Remove the phase plane between two images: offset at pixel (0, 0), slopes (y, x)."""
    rows, columns = np.meshgrid(*map(np.arange, image.shape), indexing="ij")
    basis = np.stack([np.ones(mask.sum()), rows[mask], columns[mask]], axis=1)
    plane = np.zeros(3)
    for _ in range(2):
        rotated = image * np.exp(1j * (plane[0] + plane[1] * rows + plane[2] * columns))
        difference = np.angle(target[mask] * np.conj(rotated[mask]))
        centre = float(np.angle(np.mean(np.exp(1j * difference))))
        fitted, *_ = np.linalg.lstsq(basis, wrap(difference - centre), rcond=None)
        plane = plane + fitted + [centre, 0.0, 0.0]
    rotated = image * np.exp(1j * (plane[0] + plane[1] * rows + plane[2] * columns))
    return rotated, (float(plane[0]), float(plane[1]), float(plane[2]))


def _misfit(image: ComplexImage, target: ComplexImage, mask: NDArray[np.bool_]) -> float:
    return float(np.mean(np.abs(wrap(np.angle(image[mask]) - np.angle(target[mask])))))
