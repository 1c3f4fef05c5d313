"""Frames compared with the far field of probe · object at their positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from napari_ptychonn.consistency.photon_noise import expected_square
from napari_ptychonn.data.patches import cut_object
from napari_ptychonn.data.reconstruction import Reconstruction

_TINY = 1e-30


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Some frames of a scan, as the square roots of photons.

    Attributes
    ----------
    roots : ndarray of float32
        (m, ky, kx), 0 at bad pixels.
    good : ndarray of bool
        (ky, kx), False for bad pixels.
    """

    roots: NDArray[np.float32]
    good: NDArray[np.bool_]

    @classmethod
    def from_counts(
        cls, counts: NDArray[Any], good: NDArray[np.bool_], gain: float = 1.0
    ) -> Measured:
        """Take counts (m, ky, kx), of `gain` for each photon."""
        photons = np.maximum(np.nan_to_num(counts.astype(np.float32), posinf=0, neginf=0), 0)
        return cls(roots=np.sqrt(photons / np.float32(gain)) * good, good=good)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.roots)

    @property
    def deviations(self) -> NDArray[np.float32]:
        """(m, ky, kx), what each frame has beside the mean of all, each scaled to it."""
        return _deviations(self.roots)

    def compare(
        self, modelled: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Squared differences of roots, and what photon noise has of them on average.

        Parameters
        ----------
        modelled : ndarray
            (m, ky, kx) intensities; each is scaled to its frame.

        Returns
        -------
        square, noise : ndarray of float64
            (m,) sums over the good pixels.
        """
        expected = self._scaled(modelled)
        square = (self.roots - np.sqrt(expected)) ** 2 * self.good
        noise = expected_square(expected) * self.good
        axes = (-2, -1)
        return square.sum(axis=axes, dtype=np.float64), noise.sum(axis=axes, dtype=np.float64)

    def mean_excess(self) -> NDArray[np.float64]:
        """Excess over photon noise of the mean of the other frames, for each frame: (m,).

        It is what an object has to explain.
        """
        total = (self.roots**2).sum(axis=0)
        others = (total - self.roots**2) / max(len(self) - 1, 1)
        square, noise = self.compare(np.maximum(others, 0))
        # The mean of the others has a noise of its own.
        own = ((self.roots > 0) * self.good).sum(axis=(-2, -1)) / 4 / max(len(self) - 1, 1)
        return np.asarray(square - noise - own)

    def _scaled(self, modelled: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Scale intensities, each to the photons of its frame on the good pixels."""
        axes = (-2, -1)
        have = (modelled * self.good).sum(axis=axes, keepdims=True, dtype=np.float64)
        want = (self.roots**2).sum(axis=axes, keepdims=True, dtype=np.float64)
        return np.asarray(modelled * (want / np.maximum(have, _TINY)).astype(np.float32))


def far_field(probe: NDArray[np.complex64], patches: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Intensity |F(probe · patch)|², summed over modes, zero frequency in the middle.

    Parameters
    ----------
    probe : ndarray of complex64
        (modes, ky, kx).
    patches : ndarray of complex64
        (m, ky, kx) of the object.
    """
    intensity = np.zeros(patches.shape, np.float32)
    for mode in probe:
        wave: NDArray[np.complex64] = scipy.fft.fft2(patches * mode, norm="ortho", workers=-1)
        intensity += wave.real**2 + wave.imag**2
    return np.asarray(scipy.fft.fftshift(intensity, axes=(-2, -1)))


def modelled_frames(
    reconstruction: Reconstruction, probe: NDArray[np.complex64], positions: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Far field at positions (m, 2) that lie on the object: (m, ky, kx)."""
    ky, kx = probe.shape[-2:]
    return far_field(probe, cut_object(reconstruction, positions, (ky, kx)))


def _deviations(roots: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    norm = np.sqrt((roots**2).sum(axis=(-2, -1), keepdims=True))
    scaled = roots / np.maximum(norm, _TINY) * norm.mean()
    return np.asarray(scaled - scaled.mean(axis=0), np.float32)


def correlate(measured: NDArray[np.complex64], model: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Cross-correlation of frames (transformed by `spectra`), summed over the frames: (ky, kx)."""
    product = np.einsum("kyx,kyx->yx", measured, model.conj(), optimize=False)
    return np.asarray(scipy.fft.ifft2(product).real)


def spectra(deviations: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Fourier transform of each of the frames (m, ky, kx)."""
    return np.asarray(scipy.fft.fft2(deviations, workers=-1))
