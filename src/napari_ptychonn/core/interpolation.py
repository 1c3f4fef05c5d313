"""Cubic convolution: how values between pixels are read, for labels and mosaics alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TAPS = np.arange(-1, 3)
"""Pixels that a value at fraction 0 ≤ f < 1 is made from, relative to the one below it."""


def cubic_weights(fraction: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Weights of the four pixels around a point (Keys 1981, a = −1/2).

    Third-order accurate and interpolating: at fraction 0 the weights are
    (0, 1, 0, 0), so nothing is lost at integer positions.

    Parameters
    ----------
    fraction : ndarray
        (m,) distance from the pixel below, 0 ≤ f < 1.

    Returns
    -------
    ndarray of float64
        (m, 4), summing to 1.
    """
    t = np.asarray(fraction, dtype=np.float64)[:, None]
    return np.concatenate(
        [
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ],
        axis=1,
    )


def shift_matrices(fraction: NDArray[np.floating[Any]], size: int) -> NDArray[np.float32]:
    """Matrices that read a line of `size` pixels at ``k − fraction``, k = 0 … size − 1.

    Parameters
    ----------
    fraction : ndarray
        (m,), 0 ≤ f < 1.
    size : int
        Pixels in the line; those outside it repeat its end.

    Returns
    -------
    ndarray of float32
        (m, size, size): ``matrix @ line`` is the line moved towards larger k by the fraction.
    """
    fraction = np.asarray(fraction, dtype=np.float64)
    # k − f = (k − 1) + (1 − f) for f > 0, and k + 0 for f = 0.
    below = np.where(fraction > 0, -1, 0)
    weights = cubic_weights(np.where(fraction > 0, 1.0 - fraction, 0.0))
    m, k = len(fraction), np.arange(size)
    source = np.clip(k[None, :, None] + below[:, None, None] + TAPS, 0, size - 1)
    matrices = np.zeros((m, size, size))
    np.add.at(
        matrices,
        (np.arange(m)[:, None, None], k[None, :, None], source),
        np.broadcast_to(weights[:, None, :], source.shape),
    )
    return matrices.astype(np.float32)
