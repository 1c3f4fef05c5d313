"""Cubic convolution, the interpolation of labels and mosaics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TAPS = np.arange(-1, 3)
"""Pixels that a value at fraction 0 ≤ f < 1 depends on, relative to the one below it."""


def cubic_weights(fraction: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Weights of the four pixels around a point (Keys 1981, a = −1/2).

    Third-order accurate and interpolating: at fraction 0 the weights are (0, 1, 0, 0).

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
