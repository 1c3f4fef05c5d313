"""Illumination of a patch by the probe: weights and width."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def illumination_weight(
    probe: NDArray[np.complex64], shape: tuple[int, int], floor: float = 0.02
) -> NDArray[np.float32]:
    """Blurred probe intensity over a patch, 1 at its largest.

    Parameters
    ----------
    probe : ndarray of complex64
        (modes, py, px), at the patch's pixel size.
    shape : tuple of int
        Pixels of the patch; probe and patch are centred on element N // 2.
    floor : float
        Least weight, so that every pixel has some.

    Returns
    -------
    ndarray of float32
        `shape`.

    Notes
    -----
    The blur (a sixteenth of the patch) includes the surroundings of the probe, which
    shape the frame through the probe's tails.
    """
    from scipy.ndimage import gaussian_filter

    intensity = gaussian_filter(np.sum(np.abs(probe) ** 2, axis=0), min(shape) / 16)
    weight = _centred(np.asarray(intensity, np.float32), shape)
    return np.asarray(np.maximum(weight / weight.max(), floor), np.float32)


def illumination_width(probe: NDArray[np.complex64], share: float = 0.9) -> float:
    """Diameter in pixels of the disc around the centre of mass with most of the probe's power.

    Parameters
    ----------
    probe : ndarray of complex64
        (modes, py, px), not all zero.
    share : float
        Of the power.
    """
    power = np.sum(np.abs(probe.astype(np.complex128)) ** 2, axis=0)
    power /= power.sum()
    y, x = np.indices(power.shape)
    radius = np.hypot(y - (power * y).sum(), x - (power * x).sum()).ravel()
    order = np.argsort(radius)
    reached = int(np.searchsorted(np.cumsum(power.ravel()[order]), share))
    return float(2 * radius[order[min(reached, len(order) - 1)]] + 1)


def convolve_centred(
    image: NDArray[Any], kernel: NDArray[Any], centre: tuple[int, int] | None = None
) -> NDArray[Any]:
    """Sum of kernels centred on each pixel of an image, times the pixel: (ny, nx).

    Parameters
    ----------
    image : ndarray
        (ny, nx).
    kernel : ndarray
        (ky, kx).
    centre : tuple of int, optional
        Element of the kernel; N // 2 by default.
    """
    from scipy.signal import fftconvolve

    (ny, nx), (ky, kx) = image.shape, kernel.shape
    top, left = (ky // 2, kx // 2) if centre is None else centre
    full = fftconvolve(image, kernel.astype(np.float64), mode="full")
    return np.asarray(full[top : top + ny, left : left + nx])


def _centred(image: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Crop or zero-pad around element N // 2."""
    result = np.zeros(shape, np.float32)
    to, source = zip(
        *(
            (
                slice(max(0, n // 2 - m // 2), max(0, n // 2 - m // 2) + min(n, m)),
                slice(max(0, m // 2 - n // 2), max(0, m // 2 - n // 2) + min(n, m)),
            )
            for n, m in zip(shape, image.shape, strict=True)
        ),
        strict=True,
    )
    result[to] = image[source]
    return result
