"""The beam and the detector as a network sees them: from an object to counts, and back."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

UPDATE_FLOOR = 0.1
"""Added to the illumination that an object update is divided by, relative to its largest value."""

LARGEST_RATIO = 100.0
"""Measured over modelled amplitude at most: little is learnt where next to nothing is expected."""

PHOTON_NOISE = 0.25
"""Variance of the square root of a Poisson number that is not small."""

TINY = 1e-6
"""Counts; keeps a division finite."""


class FarField(nn.Module):
    """Forward model of one scan's beam: |F(probe · object)|² summed over modes, and background.

    It has no trained weights; what it is made of is kept as buffers, so that a
    model file carries it and every device can have it.

    Parameters
    ----------
    probe : ndarray of complex
        (modes, ky, kx), element N // 2 at the scan point, scaled to give counts
        under an orthonormal transform.
    background : float
        Counts in every pixel that the model does not explain.
    mean_object : complex
        What stands in for the object where nothing is known of it.
    valid : ndarray of bool, optional
        (ky, kx), False where a detector pixel takes no part.
    """

    probe_real: Tensor
    probe_imag: Tensor
    background: Tensor
    mean_object: Tensor
    valid: Tensor

    def __init__(
        self,
        probe: NDArray[np.complexfloating],
        background: float = 0.0,
        mean_object: complex = 1.0,
        valid: NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__()
        good = np.ones(probe.shape[-2:]) if valid is None else valid
        # Real and imaginary parts apart: not every device and file format has complex tensors.
        for name, value in (
            ("probe_real", probe.real),
            ("probe_imag", probe.imag),
            ("background", background),
            ("mean_object", [mean_object.real, mean_object.imag]),
            ("valid", good),
        ):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> FarField:
        """Make one of a shape (modes, ky, kx), to be filled from a model file."""
        return cls(np.ones(shape, np.complex64))

    @property
    def probe(self) -> Tensor:
        """(modes, ky, kx) complex64."""
        return torch.complex(self.probe_real, self.probe_imag)

    def scaled(self, intensity: float, background: float) -> FarField:
        """Return the same beam with its intensity multiplied, and with another background."""
        probe = self.probe.cpu().numpy() * np.sqrt(intensity)
        mean = complex(float(self.mean_object[0]), float(self.mean_object[1]))
        good = self.valid.cpu().numpy() > 0
        return FarField(probe, background, mean, good).to(self.valid.device)

    def counts(self, objects: Tensor) -> Tensor:
        """Mean counts of objects under the beam: (m, ky, kx) complex64 → (m, ky, kx) float32."""
        centred: Tensor = torch.fft.fftshift(self._intensity(self._waves(objects)), (-2, -1))
        return centred

    def update(self, amplitude: Tensor, phase: Tensor, frames: Tensor) -> Tensor:
        """How a patch would have to change for its far field to be the measured one.

        One object update of a ptychographic engine (Maiden & Rodenburg 2009,
        doi:10.1016/j.ultramic.2009.05.012, eq. 6) from a single frame, over the
        illumination instead of its largest value, and turned by the patch's own
        phase: the first channel changes the amplitude, the second amplitude
        times phase.

        Parameters
        ----------
        amplitude, phase : Tensor
            (m, 1, size, size), or one patch for all frames; beyond it lies the mean object.
        frames : Tensor
            (m, 1, ky, kx) square roots of counts.

        Returns
        -------
        Tensor
            (m, 2, size, size).
        """
        waves, expected = self._propagated(amplitude, phase)
        measured = torch.fft.ifftshift(frames[:, 0], (-2, -1))
        good = torch.fft.ifftshift(self.valid, (-2, -1)) > 0
        ratio = (measured / expected.clamp_min(TINY).sqrt()).clamp_max(LARGEST_RATIO)
        missing = torch.where(good, ratio - 1, 0.0)
        update = torch.zeros((), device=frames.device)
        for mode, wave in zip(self.probe, waves, strict=True):
            update = update + mode.conj() * torch.fft.ifft2(missing * wave, norm="ortho")
        illumination = self.probe.abs().square().sum(dim=0)
        update = update / (illumination + UPDATE_FLOOR * illumination.max())
        rows, columns = self._window(amplitude.shape[-2:])
        turned = update[:, rows, columns] * torch.polar(torch.ones_like(phase), -phase)[:, 0]
        return torch.stack([turned.real, turned.imag], dim=1)

    def residual(self, amplitude: Tensor, phase: Tensor, frames: Tensor) -> Tensor:
        """Diffraction residual: how far patches are from explaining their own frames.

        Parameters
        ----------
        amplitude, phase, frames : Tensor
            As for `update`.

        Returns
        -------
        Tensor
            (m,) mean of (√measured − √modelled)² over the detector, in units of
            the photon noise, 1/4: a perfect patch leaves about 1 where counts
            are many, and less where there are few.
        """
        _, expected = self._propagated(amplitude, phase)
        measured = torch.fft.ifftshift(frames[:, 0], (-2, -1))
        good = torch.fft.ifftshift(self.valid, (-2, -1))
        off: Tensor = (measured - expected.sqrt()).square() * good
        mean: Tensor = off.sum((-2, -1)) / good.sum()
        return mean / PHOTON_NOISE

    def flat(self, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the mean object as one patch: amplitude and phase (1, 1, *shape)."""
        mean = torch.complex(self.mean_object[0], self.mean_object[1])
        return mean.abs().expand(1, 1, *shape), mean.angle().expand(1, 1, *shape)

    def _propagated(self, amplitude: Tensor, phase: Tensor) -> tuple[list[Tensor], Tensor]:
        """Far-field waves of each mode, and counts, of patches in the mean object; not centred."""
        mean = torch.complex(self.mean_object[0], self.mean_object[1])
        objects = mean.repeat(len(amplitude), *self.valid.shape)
        rows, columns = self._window(amplitude.shape[-2:])
        objects[:, rows, columns] = torch.polar(amplitude[:, 0].clamp_min(0.0), phase[:, 0])
        waves = self._waves(objects)
        return waves, self._intensity(waves)

    def _waves(self, objects: Tensor) -> list[Tensor]:
        # Shifting the centre to element 0 would only turn the waves' phases, which no count shows
        # and the way back undoes.
        return [torch.fft.fft2(objects * mode, norm="ortho") for mode in self.probe]

    def _intensity(self, waves: list[Tensor]) -> Tensor:
        squares = torch.stack([wave.real.square() + wave.imag.square() for wave in waves])
        return squares.sum(dim=0) + self.background

    def _window(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of a patch around the beam's centre."""
        rows, columns = (
            slice(n // 2 - size // 2, n // 2 - size // 2 + size)
            for n, size in zip(self.valid.shape, shape, strict=True)
        )
        return rows, columns
