"""Propagation to the detector and back, with the parts of one probe precomputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_ptychonn.optics.far_field import FarField

UPDATE_FLOOR = 0.1
"""Regularisation of the object update: added to the illumination, relative to its maximum."""

LARGEST_RATIO = 100.0
"""Limit of measured over modelled amplitude, where almost nothing is expected."""

PHOTON_NOISE = 0.25
"""Variance of the square root of a Poisson number that is not small."""

TINY = 1e-6
"""Counts that keep a division finite."""


class Propagator:
    """Far field of one probe for patches of one size, on one device.

    Parameters
    ----------
    far_field : FarField
        Probe and detector.
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
        """Reorder amplitudes with frequency 0 first, as FFTs are: (m, 1, ky, kx) → (m, ky, kx)."""
        shifted: Tensor = torch.fft.ifftshift(frames[:, 0], (-2, -1))
        return shifted

    def first_update(self, measured: Tensor) -> Tensor:
        """Return the update of the mean object, (m, 2, py, px), from `measured` frames."""
        mean = self.mean.expand(1, *self.shape)
        waves = [torch.fft.fft2(mean * mode, norm="ortho") for mode in self.probe]
        missing = self._missing(self._counts(waves), measured)
        turn = torch.polar(torch.ones_like(self.mean.real), -self.mean.angle())
        return _planes(self._back_propagated(missing, waves).mul_(turn))

    def update(
        self, amplitude: Tensor, phase: Tensor, measured: Tensor, out: Tensor | None = None
    ) -> Tensor:
        """Change of patches that would make their far field the measured one.

        The object update of ePIE (Maiden & Rodenburg 2009,
        doi:10.1016/j.ultramic.2009.05.012, eq. 6) from a single frame, divided by the
        illumination instead of its maximum, and rotated by the patch's own phase: the
        first channel is the change of the amplitude, the second that of amplitude times
        phase.

        Parameters
        ----------
        amplitude, phase : Tensor
            (m, py, px), or one patch for all frames; the mean object surrounds it.
        measured : Tensor
            (m, ky, kx), from `measured`.
        out : Tensor, optional
            Result; may have any memory order.

        Returns
        -------
        Tensor
            (m, 2, py, px).
        """
        cosine, sine = phase.cos(), phase.sin()
        waves = self._waves(amplitude, cosine, sine)
        missing = self._missing(self._counts(waves), measured)
        return _planes(
            self._back_propagated(missing, waves).mul_(torch.complex(cosine, -sine)), out
        )

    def residual(self, amplitude: Tensor, phase: Tensor, measured: Tensor) -> Tensor:
        """Diffraction residual: difference between far field and frame, in photon noise.

        Parameters
        ----------
        amplitude, phase, measured : Tensor
            As for `update`.

        Returns
        -------
        Tensor
            (m,) mean of (√measured − √modelled)² over the detector, in units of
            the photon noise, 1/4: about 1 for a perfect patch where counts are many,
            and less where they are few.
        """
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
        # Without a shift of the centre: it would only change the phase of the waves, which
        # the counts do not show and the inverse transform cancels.
        return [torch.fft.fft2(objects * mode, norm="ortho") for mode in self.probe]

    def _counts(self, waves: list[Tensor]) -> Tensor:
        counts = self.background
        for wave in waves:
            counts = wave.real.square() + wave.imag.square() + counts
        return counts

    def _missing(self, expected: Tensor, measured: Tensor) -> Tensor:
        """Relative difference of each wave, 0 at masked pixels."""
        ratio = measured * expected.clamp_min(TINY).rsqrt()
        missing: Tensor = (ratio.clamp_max(LARGEST_RATIO) - 1) * self.good
        return missing

    def _back_propagated(self, missing: Tensor, waves: list[Tensor]) -> Tensor:
        """Object updates (m, py, px) from the missing part of the waves."""
        update: Tensor | None = None
        for back, wave in zip(self.back, waves, strict=True):
            wave_update = torch.fft.ifft2(missing * wave, norm="ortho")
            share = wave_update[:, self.rows, self.columns] * back
            update = share if update is None else update + share
        assert update is not None
        return update


def _planes(values: Tensor, out: Tensor | None = None) -> Tensor:
    """Real and imaginary part (m, 2, py, px) of values (m, py, px), channels last without `out`."""
    if out is None:
        return torch.view_as_real(values).permute(0, 3, 1, 2)
    out[:, 0], out[:, 1] = values.real, values.imag
    return out
