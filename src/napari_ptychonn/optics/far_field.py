"""Far-field forward model of a probe and a detector, and its object update."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_ptychonn.optics.propagator import Propagator


class FarField(nn.Module):
    """Forward model of one scan: |F(probe · object)|² summed over modes, plus background.

    It has no trained weights.  Probe, background and mask are buffers, so that they are
    saved in the model file and move between devices with the network.

    Parameters
    ----------
    probe : ndarray of complex
        (modes, ky, kx), element N // 2 at the scan point, scaled to give counts
        under an orthonormal transform.
    background : float
        Counts in every pixel beside the diffraction.
    mean_object : complex
        Object beyond the patch.
    valid : ndarray of bool, optional
        (ky, kx), False for masked detector pixels.
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
        # Real and imaginary parts: not every device and file format has complex tensors.
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
        """Make a probe of ones, (modes, ky, kx), to be overwritten from a model file."""
        return cls(np.ones(shape, np.complex64))

    @property
    def probe(self) -> Tensor:
        """(modes, ky, kx) complex64."""
        return torch.complex(self.probe_real, self.probe_imag)

    def scaled(self, intensity: float, background: float) -> FarField:
        """Return a copy with the intensity multiplied and another background."""
        probe = self.probe.cpu().numpy() * np.sqrt(intensity)
        mean = complex(float(self.mean_object[0]), float(self.mean_object[1]))
        good = self.valid.cpu().numpy() > 0
        return FarField(probe, background, mean, good).to(self.valid.device)

    def mask_pixels(self, bad: NDArray[np.bool_]) -> None:
        """Mask more detector pixels (ky, kx)."""
        self.valid *= torch.from_numpy(~bad).to(self.valid)

    def counts(self, objects: Tensor) -> Tensor:
        """Expected counts of objects: (m, ky, kx) complex64 → (m, ky, kx) float32."""
        counts = self.background
        for mode in self.probe:
            wave = torch.fft.fft2(objects * mode, norm="ortho")
            counts = wave.real.square() + wave.imag.square() + counts
        centred: Tensor = torch.fft.fftshift(counts, (-2, -1))
        return centred

    def propagator(self, size: tuple[int, ...]) -> Propagator:
        """Precompute what depends on the probe alone, for patches of `size` (py, px)."""
        return Propagator(self, size)
