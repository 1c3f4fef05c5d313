"""The focus of a Fresnel zone plate, as a probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.validation import POSITIVE, check_options

# The probe is computed in a field this much wider than the window, so that its tails
# do not wrap around at the edges.
_FIELD = 4


@dataclass(frozen=True, kw_only=True)
class ZonePlate:
    """A Fresnel zone plate with a central stop, a little out of focus.

    The first-order focus is the Fourier transform of the annular pupil;
    defocus is Fresnel propagation from there, and a finite source makes the
    probe an incoherent sum of shifted copies of itself.

    The defaults give a probe of 60 nm with 70 % of its power inside 200 nm and
    90 % inside 320 nm.

    Attributes
    ----------
    outer_zone_width : float
        m; the full width at half maximum of the focus is close to it.
    central_stop : float
        Diameter of the stop as a fraction of the zone plate's; none where it is not positive.
    defocus : float
        Sample downstream of the focus, m; about one depth of focus, as at
        beamlines, so that the rings illuminate more of the sample.
    wavelength : float
        m.
    source_size : float
        Standard deviation of the demagnified source in the focus, m; the cause of
        more than one mode.
    """

    outer_zone_width: Annotated[float, {"min": POSITIVE}] = 65e-9
    central_stop: Annotated[float, {"max": 0.99}] = 0.5
    defocus: float = 60e-6
    wavelength: Annotated[float, {"min": POSITIVE}] = 1.409e-10
    source_size: Annotated[float, {"min": POSITIVE}] = 15e-9

    def __post_init__(self) -> None:
        check_options(self)

    def probe(self, shape: tuple[int, int], pixel_size: float) -> NDArray[np.complex128]:
        """Field of the coherent probe on the sample.

        Parameters
        ----------
        shape : tuple of int
            (py, px); the optical axis is at element (py // 2, px // 2).
        pixel_size : float
            m.

        Returns
        -------
        ndarray of complex128
            (py, px), normalised to sum(|probe|²) = 1.
        """
        field = (shape[0] * _FIELD, shape[1] * _FIELD)
        wave = np.fft.fftshift(np.fft.ifft2(self._angular_spectrum(field, pixel_size)))
        top, left = (n // 2 - m // 2 for n, m in zip(field, shape, strict=True))
        cut = wave[top : top + shape[0], left : left + shape[1]]
        return np.asarray(cut / np.linalg.norm(cut), dtype=np.complex128)

    def modes(
        self, count: int, shape: tuple[int, int], pixel_size: float
    ) -> NDArray[np.complex128]:
        """Incoherent modes of the probe, strongest first.

        Parameters
        ----------
        count : int
            Modes to keep; 1 is the coherent probe.
        shape, pixel_size
            As for `probe`.

        Returns
        -------
        ndarray of complex128
            (count, py, px), mutually orthogonal, sum of all |probe|² = 1.
        """
        probe = self.probe(shape, pixel_size)
        if count == 1:
            return probe[None]
        spectrum = np.fft.fft2(probe)
        shifts = np.linspace(-2, 2, 7) * self.source_size
        copies = []
        for dy in shifts:
            for dx in shifts:
                weight = np.exp(-(dy**2 + dx**2) / (4 * self.source_size**2))
                ramp = shift_ramp(shape, dy / pixel_size, dx / pixel_size)
                copies.append(weight * np.fft.ifft2(spectrum * ramp).ravel())
        _, strength, orthogonal = np.linalg.svd(np.array(copies), full_matrices=False)
        kept = strength[:count, None] * orthogonal[:count]
        kept /= np.linalg.norm(kept)
        return np.asarray(kept.reshape(count, *shape), dtype=np.complex128)

    def _angular_spectrum(
        self, shape: tuple[int, int], pixel_size: float
    ) -> NDArray[np.complex128]:
        qy = np.fft.fftfreq(shape[0], pixel_size)[:, None]
        qx = np.fft.fftfreq(shape[1], pixel_size)[None, :]
        q = np.hypot(qy, qx)
        # λf/D of a zone plate is its outer zone width, so that fixes the aperture.
        aperture = 1 / (2 * self.outer_zone_width)
        # A rim one frequency sample wide keeps the pupil round on a coarse grid.
        rim = 1 / (pixel_size * min(shape))
        pupil = np.clip((aperture - q) / rim + 0.5, 0, 1)
        pupil *= np.clip((q - self.central_stop * aperture) / rim + 0.5, 0, 1)
        fresnel = np.exp(-1j * np.pi * self.wavelength * self.defocus * q**2)
        return np.asarray(pupil * fresnel, dtype=np.complex128)


def shift_ramp(shape: tuple[int, int], dy: Any, dx: Any) -> NDArray[np.complex128]:
    """Fourier factor that moves an image by a fraction of a pixel.

    Parameters
    ----------
    shape : tuple of int
        (py, px) of the image.
    dy, dx : float or ndarray
        Pixels down and right; arrays give one ramp for each element.

    Returns
    -------
    ndarray of complex128
        (..., py, px), to be multiplied by the unshifted FFT.
    """
    dy, dx = np.asarray(dy)[..., None, None], np.asarray(dx)[..., None, None]
    ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]
    return np.asarray(np.exp(-2j * np.pi * (dy * ky + dx * kx)), dtype=np.complex128)
