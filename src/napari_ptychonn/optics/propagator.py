"""Waves to the detector and back: what a beam's far field is computed with, worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_ptychonn.optics.far_field import FarField

UPDATE_FLOOR = 0.1
"""Added to the illumination that an object update is divided by, relative to its largest value."""

LARGEST_RATIO = 100.0
"""Measured over modelled amplitude at most: little is learnt where next to nothing is expected."""

PHOTON_NOISE = 0.25
"""Variance of the square root of a Poisson number that is not small."""

TINY = 1e-6
"""Counts; keeps a division finite."""


class Propagator:
    """The far field of one beam for patches of one size, on one device.

    It computes what `FarField.update` and `FarField.residual` describe.  All
    that depends on the beam alone is computed here; so is the far field of the
    mean object, from which every first update starts.

    Parameters
    ----------
    far_field : FarField
        The beam and the detector.
    size : tuple of int
        Pixels of a patch (py, px).
    """

    def __init__(self, far_field: FarField, size: tuple[int, ...]) -> None:
        probe = far_field.probe
        illumination = probe.abs().square().sum(dim=0)
        illumination = illumination + UPDATE_FLOOR * illumination.max()
        self.probe = probe
        self.background = far_field.background
        self.mean = torch.complex(far_field.mean_object[0], far_field.mean_object[1])
        self.rows, self.columns = (
            slice(n // 2 - edge // 2, n // 2 - edge // 2 + edge)
            for n, edge in zip(far_field.valid.shape, size, strict=True)
        )
        self.shape, self.size = far_field.valid.shape, size
        self.back = (probe.conj() / illumination)[:, self.rows, self.columns].resolve_conj()
        self.good = torch.fft.ifftshift(far_field.valid, (-2, -1))
        self.good_count = self.good.sum()

    def measured(self, frames: Tensor) -> Tensor:
        """Square roots of counts in the order of the waves: (m, 1, ky, kx) → (m, ky, kx)."""
        shifted: Tensor = torch.fft.ifftshift(frames[:, 0], (-2, -1))
        return shifted

    def first_update(self, measured: Tensor) -> Tensor:
        """Return the update of the mean object, (m, 2, py, px), from `measured` frames."""
        mean = self.mean.expand(1, *self.shape)
        waves = [torch.fft.fft2(mean * mode, norm="ortho") for mode in self.probe]
        missing = self._missing(self._counts(waves), measured)
        turn = torch.polar(torch.ones_like(self.mean.real), -self.mean.angle())
        return _planes(self._returned(missing, waves).mul_(turn))

    def update(
        self, amplitude: Tensor, phase: Tensor, measured: Tensor, out: Tensor | None = None
    ) -> Tensor:
        """Return the update (m, 2, py, px) that patches lack, from `measured` frames.

        Parameters
        ----------
        amplitude, phase : Tensor
            (m, py, px).
        measured : Tensor
            (m, ky, kx).
        out : Tensor, optional
            Where to put it; may have any order in memory.
        """
        cosine, sine = phase.cos(), phase.sin()
        waves = self._waves(amplitude, cosine, sine)
        missing = self._missing(self._counts(waves), measured)
        return _planes(self._returned(missing, waves).mul_(torch.complex(cosine, -sine)), out)

    def residual(self, amplitude: Tensor, phase: Tensor, measured: Tensor) -> Tensor:
        """Return the diffraction residual (m,) of patches; parameters as for `update`."""
        expected = self._counts(self._waves(amplitude, phase.cos(), phase.sin()))
        off = (measured - expected.sqrt()).square() * self.good
        mean: Tensor = off.sum((-2, -1)) / self.good_count
        return mean / PHOTON_NOISE

    def _waves(self, amplitude: Tensor, cosine: Tensor, sine: Tensor) -> list[Tensor]:
        """Far-field waves of each mode, not centred, of patches in the mean object."""
        amplitude = amplitude.clamp_min(0.0)
        # Four times as fast as torch.polar on a CPU.
        patches = torch.complex(amplitude * cosine, amplitude * sine)
        if self.size == self.shape:
            objects = patches
        else:
            objects = self.mean.repeat(len(patches), *self.shape)
            objects[:, self.rows, self.columns] = patches
        # Shifting the centre to element 0 would only turn the waves' phases, which no count shows
        # and the way back undoes.
        return [torch.fft.fft2(objects * mode, norm="ortho") for mode in self.probe]

    def _counts(self, waves: list[Tensor]) -> Tensor:
        counts = self.background
        for wave in waves:
            counts = wave.real.square() + wave.imag.square() + counts
        return counts

    def _missing(self, expected: Tensor, measured: Tensor) -> Tensor:
        """By how much of itself each wave is too small, 0 where the detector is blind."""
        ratio = measured * expected.clamp_min(TINY).rsqrt()
        missing: Tensor = (ratio.clamp_max(LARGEST_RATIO) - 1) * self.good
        return missing

    def _returned(self, missing: Tensor, waves: list[Tensor]) -> Tensor:
        """Object updates (m, py, px) from what the waves lack."""
        update: Tensor | None = None
        for back, wave in zip(self.back, waves, strict=True):
            lacking = torch.fft.ifft2(missing * wave, norm="ortho")
            share = lacking[:, self.rows, self.columns] * back
            update = share if update is None else update + share
        assert update is not None
        return update


def _planes(values: Tensor, out: Tensor | None = None) -> Tensor:
    """Real and imaginary part (m, 2, py, px) of values (m, py, px), channels last without `out`."""
    if out is None:
        return torch.view_as_real(values).permute(0, 3, 1, 2)
    out[:, 0], out[:, 1] = values.real, values.imag
    return out
