"""The beam and the detector as a network sees them: from an object to counts, and back."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_ptychonn.optics.propagator import Propagator


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

    def leave_out(self, bad: NDArray[np.bool_]) -> None:
        """Compare nothing at these detector pixels (ky, kx) from now on, as at those before."""
        self.valid *= torch.from_numpy(~bad).to(self.valid)

    def counts(self, objects: Tensor) -> Tensor:
        """Mean counts of objects under the beam: (m, ky, kx) complex64 → (m, ky, kx) float32."""
        counts = self.background
        for mode in self.probe:
            wave = torch.fft.fft2(objects * mode, norm="ortho")
            counts = wave.real.square() + wave.imag.square() + counts
        centred: Tensor = torch.fft.fftshift(counts, (-2, -1))
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
        beam = self.propagator(amplitude.shape[-2:])
        return beam.update(amplitude[:, 0], phase[:, 0], beam.measured(frames))

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
        beam = self.propagator(amplitude.shape[-2:])
        return beam.residual(amplitude[:, 0], phase[:, 0], beam.measured(frames))

    def propagator(self, size: tuple[int, ...]) -> Propagator:
        """Work out, once for many calls, what only depends on the beam; (py, px) of the patches."""
        return Propagator(self, size)
