"""Fourier ring correlation: up to which spatial frequency two images agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_length
from napari_ptychonn.data.scan import Unit

Image = NDArray[np.floating[Any]] | NDArray[np.complexfloating[Any]]

TAPER = 0.5
"""Part of the largest distance from the rim over which the Tukey window rises."""

MIN_SAMPLES = 10.0
"""Least number of independent values of a ring; the threshold of smaller ones is near 1."""

Reached = Literal["crossing", "grid", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """Resolution to which two images agree.

    Attributes
    ----------
    half_period : float or None
        In `unit`; the pixel itself where `reached` is 'grid', None for 'nothing'.
    reached : {'crossing', 'grid', 'nothing'}
        'crossing': the correlation falls below the threshold there.  'grid': it never
        does, and the true value is the pixel or finer.  'nothing': it starts below, or
        there are too few pixels.
    unit : {'m', 'pixel'}
        Of `half_period`.
    """

    half_period: float | None
    reached: Reached
    unit: Unit

    def __str__(self) -> str:
        if self.half_period is None:
            return "undefined"
        length = format_length(self.half_period, self.unit)
        return length if self.reached == "crossing" else f"≤ {length}"


@dataclass(frozen=True, kw_only=True, eq=False)
class RingCorrelation:
    """Fourier ring correlation of two images.

    Attributes
    ----------
    frequency : ndarray of float64
        (k,) of each ring, periods per `unit`; the mean (ring 0) is left out.
    correlation : ndarray of float64
        (k,) −1 … 1; NaN where one of the images has nothing.
    threshold : ndarray of float64
        (k,) the 1/2-bit curve for the independent values of the ring.
    samples : ndarray of float64
        (k,) number of independent values.
    pixel : float
        The larger side of a pixel: half the finest period of the grid.
    unit : {'m', 'pixel'}
        Of the lengths.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    threshold: NDArray[np.float64]
    samples: NDArray[np.float64]
    pixel: float
    unit: Unit

    @property
    def resolution(self) -> Resolution:
        """Half the period at which the correlation first falls below the threshold."""
        usable = np.isfinite(self.correlation) & (self.samples >= MIN_SAMPLES)
        frequency = self.frequency[usable]
        margin = (self.correlation - self.threshold)[usable]
        if not len(margin) or margin[0] < 0:
            return Resolution(half_period=None, reached="nothing", unit=self.unit)
        below = np.flatnonzero(margin < 0)
        if not len(below):
            return Resolution(half_period=self.pixel, reached="grid", unit=self.unit)
        k = int(below[0])
        share = margin[k - 1] / (margin[k - 1] - margin[k])
        crossing = frequency[k - 1] + share * (frequency[k] - frequency[k - 1])
        return Resolution(half_period=float(0.5 / crossing), reached="crossing", unit=self.unit)


def correlate_rings(
    a: Image,
    b: Image,
    mask: NDArray[np.bool_],
    pixel_size: tuple[float, float] = (1.0, 1.0),
    unit: Unit = "pixel",
) -> RingCorrelation:
    """Compute the Fourier ring correlation of two aligned images.

    Parameters
    ----------
    a, b : ndarray
        (ny, nx) on one grid, real or complex, finite inside `mask`.
    mask : ndarray of bool
        (ny, nx) what is compared, of any outline.
    pixel_size : tuple of float
        (y, x) in `unit`.
    unit : {'m', 'pixel'}
        Of the result's lengths.

    Returns
    -------
    RingCorrelation
        Rings as wide as the coarser of the two frequency grids, up to the
        Nyquist frequency of the larger side of a pixel.

    Raises
    ------
    ValueError
        When `mask` is empty.

    Notes
    -----
    The mean of each image is removed, and a window falls to zero at the rim of `mask`:
    otherwise the common outline correlates at every frequency (Penczek 2020,
    doi:10.1107/S2052252520011574).  The result does not depend on factors, on added
    constants, or on a common phase of complex images, but on a phase between them.

    The 1/2-bit curve is that of van Heel & Schatz 2005
    (doi:10.1016/j.jsb.2005.05.009).  The number of independent values of a ring is its
    number of pixels times (Σw²)² / (N Σw⁴) for the window w, and a little less in a thin
    ring, which makes the threshold conservative.  The curve is meant for two independent
    images; everything that they share counts as agreement.
    """
    if not mask.any():
        raise ValueError("there is nothing to correlate: the mask is empty")
    a, b, mask = _cropped(a, b, mask)
    window = _window(mask)
    first, second = (np.fft.fft2(_windowed(image, mask, window)) for image in (a, b))
    ny, nx = mask.shape
    extent = min(ny * pixel_size[0], nx * pixel_size[1])
    frequency = np.hypot(
        np.fft.fftfreq(ny, pixel_size[0])[:, None], np.fft.fftfreq(nx, pixel_size[1])
    )
    ring = np.rint(frequency * extent).astype(np.int64)
    last = int(np.floor(extent / (2 * max(pixel_size)) + 1e-9))

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(ring.ravel(), values.ravel(), minlength=last + 1)
        return np.asarray(sums[1 : last + 1], np.float64)

    power = summed(np.abs(first) ** 2) * summed(np.abs(second) ** 2)
    shared = summed((first * second.conj()).real)
    correlation = np.full(len(power), np.nan)
    np.divide(shared, np.sqrt(power), out=correlation, where=power > 0)
    samples = summed(np.ones(mask.shape)) * _independent(window)
    return RingCorrelation(
        frequency=np.arange(1, last + 1) / extent,
        correlation=correlation,
        threshold=half_bit(samples),
        samples=samples,
        pixel=max(pixel_size),
        unit=unit,
    )


def half_bit(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 1/2-bit threshold for n independent numbers in a ring (van Heel & Schatz 2005)."""
    root = np.sqrt(np.maximum(samples, 1e-12))
    return np.asarray((0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root))


def _cropped(a: Image, b: Image, mask: NDArray[np.bool_]) -> tuple[Image, Image, NDArray[np.bool_]]:
    """Crop to the mask: an empty rim would only add redundant rings."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    around = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return a[around], b[around], mask[around]


def _window(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A squared sine that rises from the rim of the mask to 1."""
    from scipy.ndimage import distance_transform_edt

    distance = np.asarray(distance_transform_edt(np.pad(mask, 1)), np.float64)[1:-1, 1:-1]
    return np.asarray(np.sin(np.pi / 2 * np.minimum(distance / (TAPER * distance.max()), 1)) ** 2)


def _windowed(
    image: Image, mask: NDArray[np.bool_], window: NDArray[np.float64]
) -> NDArray[np.complex128]:
    values = np.where(mask, image, 0).astype(np.complex128)
    return np.asarray((values - np.sum(values * window) / window.sum()) * window)


def _independent(window: NDArray[np.float64]) -> float:
    """Share of the pixels of a transform that are independent under a window."""
    return float(np.sum(window**2) ** 2 / (window.size * np.sum(window**4)))
