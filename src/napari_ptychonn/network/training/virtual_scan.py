"""Virtual scan: labelled frames computed from a reconstructed object and probe.

The far-field forward model, frame = Σ_modes |F(probe · object window)|², scans the object
of the training region at any position, rotation and reflection.  A few hundred measured
frames become any number of different ones with exact labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from napari_ptychonn.compute.device import move_async
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.training.labels import LabelledFrames
from napari_ptychonn.optics.far_field import FarField
from napari_ptychonn.optics.illumination import convolve_centred

LEAST_ILLUMINATION = 0.005
"""Object pixels with less than this part of the typical illumination are not used."""

AGREEMENT = 0.5
"""Least correlation of modelled with measured amplitudes for which virtual frames are used."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VirtualScan:
    """Source of virtual frames on one device.

    Attributes
    ----------
    object : Tensor
        (1, 3, ny, nx): real part, imaginary part, and 1 where the training frames
        illuminate the object; the mean object elsewhere.
    far_field : FarField
        The probe, scaled to the counts of the scan, and the background.
    centres : Tensor
        (m, 2) object index (y, x) of the training positions.
    reach : float
        Largest distance of a virtual position from a training position, pixels.
    size : int
        Edge of the labels' patches, pixels.
    ceiling : float
        The largest measured count.
    agreement : float
        Mean correlation of modelled and measured amplitudes over the training frames.
    """

    object: Tensor
    far_field: FarField
    centres: Tensor
    reach: float
    size: int
    ceiling: float
    agreement: float

    @classmethod
    def from_reconstruction(
        cls,
        scan: Scan,
        reconstruction: Reconstruction,
        positions: NDArray[np.float64],
        indices: NDArray[np.int64],
        size: int,
        phase_offset: float,
        device: str,
    ) -> VirtualScan:
        """Set up from the training region; fit counts and background to its frames.

        Parameters
        ----------
        scan : Scan
            Measured frames.
        reconstruction : Reconstruction
            Aligned to the scan, with a probe.
        positions : ndarray of float64
            (n, 2) of every scan point.
        indices : ndarray of int64
            Training points.
        size : int
            Edge of the labels' patches, pixels.
        phase_offset : float
            Zero of the labels' phase, rad.
        device : str
            Torch device of the frames.

        Raises
        ------
        InputError
            When there is no probe, or it does not fit or explain the frames.
        """
        probe = _probe_for(scan, reconstruction, size)
        centres = reconstruction.pixel_index(positions[indices])
        illuminated = _illuminated(reconstruction.object.shape, centres, probe)
        zeroed = reconstruction.object * np.exp(-1j * phase_offset)
        mean = complex(zeroed[illuminated].mean())
        zeroed = np.where(illuminated, zeroed, mean)
        planes = np.stack([zeroed.real, zeroed.imag, illuminated]).astype(np.float32)
        step = scan.step / float(np.mean(reconstruction.pixel_size))
        unfitted = cls(
            object=torch.from_numpy(planes)[None].to(device),
            far_field=FarField(probe, mean_object=mean, valid=scan.valid).to(device),
            centres=torch.from_numpy(centres.astype(np.float32)).to(device),
            reach=step,
            size=size,
            ceiling=math.inf,
            agreement=math.nan,
        )
        return unfitted._fit(scan, indices)

    def sample_batch(
        self,
        count: int,
        preprocessing: Preprocessing,
        generator: torch.Generator,
        share: range | None = None,
    ) -> LabelledFrames:
        """Draw virtual frames with their labels, preprocessed as measured ones.

        Every frame has its own position, rotation and reflection of the object under the
        unchanged probe.

        Parameters
        ----------
        count : int
            Frames to draw.
        preprocessing : Preprocessing
            As for measured frames.
        generator : Generator
            On the CPU, so that drawing does not wait for a GPU.
        share : range, optional
            Those of the frames to compute; all by default.  They do not depend on it.
        """
        share = range(count) if share is None else share
        mine = slice(share.start, share.stop)
        # On the CPU and for all frames: the last digits are the same for any share.
        random = torch.rand((5, count), generator=generator)
        seeds = torch.randint(2**62, (count,), generator=generator)[mine].tolist()
        which = (random[0] * len(self.centres)).long().clamp_max(len(self.centres) - 1)
        radius, angle = self.reach * random[1].sqrt(), 2 * math.pi * random[2]
        jitter = torch.stack([radius * angle.sin(), radius * angle.cos()], dim=1)
        turn = 2 * math.pi * random[3]
        flip = torch.where(random[4] < 0.5, 1.0, -1.0)
        # Rows are the (y, x) steps on the object of one step along the window's y and x.
        turned = torch.stack([turn.cos(), turn.sin(), -turn.sin() * flip, turn.cos() * flip])
        which, jitter, axes = (
            move_async(chosen[mine], self.object.device)
            for chosen in (which, jitter, turned.T.reshape(count, 2, 2))
        )
        windows, illuminated = self._windows(self.centres[which] + jitter, axes)
        counts = self._noisy(self.far_field.counts(windows), seeds)
        return self._labelled(preprocessing, counts, windows, illuminated)

    def expected(self, centres: Tensor) -> Tensor:
        """Mean counts at given object indices, without noise: (m, 2) → (m, ky, kx)."""
        upright = torch.eye(2, device=centres.device).expand(len(centres), 2, 2)
        return self.far_field.counts(self._windows(centres, upright)[0])

    def _windows(self, centres: Tensor, axes: Tensor) -> tuple[Tensor, Tensor]:
        """Object under the probe, (m, ky, kx) complex64, and its illuminated part, 0 to 1."""
        ky, kx = self.far_field.valid.shape
        device = centres.device
        y = torch.arange(ky, device=device, dtype=torch.float32) - ky // 2
        x = torch.arange(kx, device=device, dtype=torch.float32) - kx // 2
        offsets = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1)  # (ky, kx, 2)
        # Not a matrix product, whose last digits depend on the batch size.
        down, right = (offsets[..., k, None] * axes[:, k, None, None] for k in range(2))
        index = centres[:, None, None] + down + right
        ny, nx = self.object.shape[-2:]
        # grid_sample takes (x, y); sizes are numbers, as a tensor would wait for the GPU.
        edges = ((index[..., 1], nx), (index[..., 0], ny))
        grid = torch.stack([2 * along / (n - 1) - 1 for along, n in edges], dim=-1)
        planes = functional.grid_sample(
            self.object.expand(len(centres), -1, -1, -1),
            grid,
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )
        return torch.complex(planes[:, 0], planes[:, 1]), planes[:, 2]

    def _noisy(self, expected: Tensor, seeds: list[int]) -> Tensor:
        """Poisson counts, each frame with a seed of its own."""
        noise = torch.Generator(expected.device)
        counts = [
            torch.poisson(frame, generator=noise.manual_seed(seed))
            for frame, seed in zip(expected, seeds, strict=True)
        ]
        return torch.stack(counts).clamp_max(self.ceiling)

    def _labelled(
        self, preprocessing: Preprocessing, counts: Tensor, windows: Tensor, illuminated: Tensor
    ) -> LabelledFrames:
        top, left, height, width = preprocessing.window
        frames = preprocessing.apply(counts[:, top : top + height, left : left + width])
        size = self.size
        ky, kx = windows.shape[-2:]
        rows = slice(ky // 2 - size // 2, ky // 2 - size // 2 + size)
        columns = slice(kx // 2 - size // 2, kx // 2 - size // 2 + size)
        patch = windows[:, None, rows, columns]
        return LabelledFrames(
            frames=frames,
            amplitude=patch.abs(),
            phase=patch.angle(),
            weight=illuminated[:, None, rows, columns],
        )

    def _fit(self, scan: Scan, indices: NDArray[np.int64], sample: int = 64) -> VirtualScan:
        """Scale the probe to the measured counts; estimate background, ceiling and agreement."""
        chosen = np.unique(np.linspace(0, len(indices) - 1, sample).astype(int))
        counts = scan.read(indices[chosen]).astype(np.float32)
        good = np.ones(scan.frame_shape, bool) if scan.valid is None else scan.valid
        counts = np.where(good & np.isfinite(counts) & (counts > 0), counts, 0.0)
        expected = np.asarray(self.expected(self.centres[chosen]).cpu()) * good
        dark = expected.mean(axis=0) < np.quantile(expected.mean(axis=0)[good], 0.2)
        scale = float(counts.sum() / expected.sum())
        background = max(0.0, float((counts - scale * expected)[:, dark & good].mean()))
        scale = float((counts - background * good).sum() / expected.sum())
        agreement = float(
            np.mean(
                [
                    np.corrcoef(np.sqrt(a[good]), np.sqrt(b[good]))[0, 1]
                    for a, b in zip(counts, expected, strict=True)
                    if a[good].any()
                ]
            )
        )
        if not agreement > AGREEMENT:
            raise InputError(
                f"the probe of the reconstruction does not explain the frames of {scan.name} "
                f"(correlation of amplitudes {agreement:.2f})"
            )
        return replace(
            self,
            far_field=self.far_field.scaled(scale, background),
            ceiling=float(counts.max()),
            agreement=agreement,
        )


def _probe_for(scan: Scan, reconstruction: Reconstruction, size: int) -> NDArray[np.complex64]:
    """The probe, which must have the size of the frames."""
    if reconstruction.probe is None:
        raise InputError("the reconstruction has no probe")
    probe = reconstruction.probe
    if probe.shape[-2:] != scan.frame_shape:
        raise InputError(
            f"the probe has {probe.shape[-2]}x{probe.shape[-1]} pixels "
            f"and the frames {scan.frame_shape[0]}x{scan.frame_shape[1]}"
        )
    if size > min(scan.frame_shape):
        raise InputError(f"patches of {size} pixels are larger than the probe")
    return np.ascontiguousarray(probe, np.complex64)


def _illuminated(
    shape: tuple[int, ...], centres: NDArray[np.float64], probe: NDArray[np.complex64]
) -> NDArray[np.bool_]:
    """Object pixels (ny, nx) with enough illumination to be reconstructed."""
    visits = np.zeros(shape)
    rows, columns = np.round(centres).astype(int).T
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    np.add.at(visits, (rows[inside], columns[inside]), 1.0)
    intensity = np.sum(np.abs(probe) ** 2, axis=0)
    illumination = convolve_centred(visits, intensity)
    typical = np.median(illumination[rows[inside], columns[inside]])
    return np.asarray(illumination > LEAST_ILLUMINATION * typical)
