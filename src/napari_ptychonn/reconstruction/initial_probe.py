"""The probe that a reconstruction begins with."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

WEAKER = 0.1
"""Power of each further mode that is made up, relative to the one before it."""


def estimate_probe(
    mean_frame: NDArray[np.floating], rate: float | None = None
) -> NDArray[np.complex64]:
    """The beam that the mean frame would be the far field of.

    Parameters
    ----------
    mean_frame : ndarray of float
        (ky, kx) counts, zero frequency at element N // 2.
    rate : float, optional
        From `napari_ptychonn.reconstruction.defocus.shadow_rate`: gives the far
        field the phase of a beam so far out of focus; flat if not given.

    Returns
    -------
    ndarray of complex64
        (1, ky, kx), centred on element N // 2, with sum(|probe|²) = its counts.
    """
    field = scipy.fft.ifftshift(np.sqrt(np.maximum(mean_frame, 0.0)))
    if rate is not None:
        # A ray of k cycles per window crosses the sample at −k / rate pixels.
        ky, kx = (scipy.fft.fftfreq(n, 1 / n) for n in mean_frame.shape)
        by, bx = (np.pi / (rate * n) for n in mean_frame.shape)
        field = field * np.exp(1j * (by * ky[:, None] ** 2 + bx * kx[None] ** 2))
    wave = scipy.fft.ifft2(field, norm="ortho")
    return np.asarray(scipy.fft.fftshift(wave), np.complex64)[None]


def with_modes(probe: NDArray[np.complex64], count: int) -> NDArray[np.complex64]:
    """Keep the first `count` modes, or make up what is missing.

    Made-up modes are the first one times x, y, x·y …, made orthogonal to those
    there are: the first corrections that a blurred or unsteady beam needs.

    Parameters
    ----------
    probe : ndarray of complex64
        (modes, py, px).
    count : int
        1 or more.

    Returns
    -------
    ndarray of complex64
        (count, py, px) of the same total power.
    """
    power = _power(probe)
    modes = list(probe[:count].astype(np.complex128))
    rows, columns = (np.arange(n) - n // 2 for n in probe.shape[-2:])
    order = 1
    while len(modes) < count:
        for k in range(order + 1):
            made = modes[0] * (rows[:, None] ** (order - k) * columns[None] ** float(k))
            for other in modes:
                made = made - other * (np.vdot(other, made) / np.vdot(other, other))
            made *= np.sqrt(WEAKER * _power(modes[-1]) / _power(made))
            modes.append(made)
        order += 1
    result = np.stack(modes[:count])
    return np.asarray(result * np.sqrt(power / _power(result)), np.complex64)


def with_power(probe: NDArray[np.complex64], power: float) -> NDArray[np.complex64]:
    """The same probe with sum(|probe|²) = `power`."""
    return np.asarray(probe * np.sqrt(power / _power(probe)), np.complex64)


def off_centre(probe: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Where the centre of mass of |probe|² lies from element N // 2, (y, x) in pixels.

    Parameters
    ----------
    probe : ndarray of complex64
        (modes, py, px).
    """
    intensity = (np.abs(probe.astype(np.complex128)) ** 2).sum(axis=0)
    sums = (intensity.sum(axis=1), intensity.sum(axis=0))
    return np.asarray([float(s @ (np.arange(len(s)) - len(s) // 2) / s.sum()) for s in sums])


def footprint(probe: NDArray[np.complex64]) -> float:
    """Pixels that the beam lights: (Σ|probe|²)² / Σ|probe|⁴, all modes together."""
    intensity = (np.abs(probe.astype(np.complex128)) ** 2).sum(axis=0)
    return float(intensity.sum() ** 2 / (intensity**2).sum())


def _power(probe: NDArray[np.complexfloating]) -> float:
    return float((np.abs(probe) ** 2).sum())
