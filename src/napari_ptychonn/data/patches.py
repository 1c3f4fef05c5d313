"""Real-space patches: labels and predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.errors import InputError
from napari_ptychonn.optics.interpolation import TAPS, cubic_weights

if TYPE_CHECKING:
    from torch import Tensor

_TOGETHER = 512
"""Patches that are cut at once for a sum."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Patches:
    """Amplitude and phase of the object at some scan points: labels or predictions.

    Pixel (i, j) of patch ``k`` lies at the position of scan point
    ``indices[k]`` plus ((i, j) − N // 2) · pixel size.

    Attributes
    ----------
    indices : ndarray of int64
        (m,) scan points; they travel with every batch.
    amplitude : ndarray of float32
        (m, py, px), in the units of the reconstruction.
    phase : ndarray of float32
        (m, py, px), rad.
    residual : ndarray of float32 or None
        (m,) diffraction residual of predictions (`Propagator.residual`), in units of
        photon noise; None for labels and for networks without a probe.
    on_device : tuple of Tensor or None
        `amplitude` and `phase` on the GPU that predicted them, for further work there;
        dropped where patches are selected or joined.
    """

    indices: NDArray[np.int64]
    amplitude: NDArray[np.float32]
    phase: NDArray[np.float32]
    residual: NDArray[np.float32] | None = None
    on_device: tuple[Tensor, Tensor] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Number of patches."""
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of one patch (py, px)."""
        _, py, px = self.amplitude.shape
        return py, px

    def __getitem__(self, rows: Any) -> Patches:
        """Select patches by row (slice, mask or integer array), not by scan index."""
        return Patches(
            indices=self.indices[rows],
            amplitude=self.amplitude[rows],
            phase=self.phase[rows],
            residual=None if self.residual is None else self.residual[rows],
        )

    @classmethod
    def join(cls, batches: list[Patches]) -> Patches:
        """Concatenate batches in the order given."""
        residuals = [b.residual for b in batches if b.residual is not None]
        return cls(
            indices=np.concatenate([b.indices for b in batches]),
            amplitude=np.concatenate([b.amplitude for b in batches]),
            phase=np.concatenate([b.phase for b in batches]),
            residual=np.concatenate(residuals) if len(residuals) == len(batches) else None,
        )


Predictions = Patches
"""Patches predicted from single frames."""


def cut_patches(
    reconstruction: Reconstruction,
    positions: NDArray[np.float64],
    indices: NDArray[np.int64],
    shape: tuple[int, int] = (64, 64),
    phase_offset: float = 0.0,
) -> Patches:
    """Cut labels from an object at sub-pixel positions.

    The complex object is interpolated by cubic convolution, which a phase wrap does
    not disturb; at integer positions the pixels are copied.

    Parameters
    ----------
    reconstruction : Reconstruction
        Aligned to the scan (`Reconstruction.align_to`).
    positions : ndarray of float64
        (n, 2) position of every scan point, in the reconstruction's unit.
    indices : ndarray of int64
        (m,) scan points to cut.
    shape : tuple of int
        Pixels of a patch (py, px), even.
    phase_offset : float
        Subtracted from the phase, rad.

    Returns
    -------
    Patches
        m patches, phase in (−π, π].

    Raises
    ------
    InputError
        When a patch extends beyond the object: see `on_object`.
    """
    values = cut_object(reconstruction, positions[indices], shape)
    values *= np.exp(-1j * phase_offset).astype(np.complex64)
    return Patches(
        indices=np.asarray(indices, np.int64), amplitude=np.abs(values), phase=np.angle(values)
    )


def cut_object(
    reconstruction: Reconstruction, positions: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.complex64]:
    """Cut the object (m, py, px) around positions (m, 2), as `cut_patches` does.

    Raises
    ------
    InputError
        When a patch extends beyond the object: see `on_object`.
    """
    missing = int((~on_object(reconstruction, positions, shape)).sum())
    if missing:
        raise InputError(
            f"{missing} of {len(positions)} patches of {shape[0]}x{shape[1]} pixels "
            f"do not lie on the object of {reconstruction.name}."
        )
    values = np.empty((len(positions), *shape), np.complex64)
    for patch, corner in zip(values, _corners(reconstruction, positions, shape), strict=True):
        patch[...] = _sample(reconstruction.object, corner, shape)
    return values


def on_object(
    reconstruction: Reconstruction, positions: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Find patches of `shape` that lie on the object: (n, 2) positions → (n,) bool."""
    first = _corners(reconstruction, positions, shape)
    last = first + np.asarray(shape) - 1
    slack = 1e-6  # positions in metres do not divide into whole pixels exactly
    inside = (first >= -slack) & (last <= np.asarray(reconstruction.object.shape) - 1 + slack)
    return np.asarray(inside.all(axis=1))


def phase_origin(
    reconstruction: Reconstruction,
    positions: NDArray[np.float64],
    indices: NDArray[np.int64],
    shape: tuple[int, int] = (64, 64),
) -> float:
    """Angle of the mean object over some patches, rad: the zero of the labels' phase."""
    total = 0j
    for start in range(0, len(indices), _TOGETHER):
        patches = cut_patches(reconstruction, positions, indices[start : start + _TOGETHER], shape)
        total += complex(np.sum(patches.amplitude * np.exp(1j * patches.phase)))
    return float(np.angle(total))


def _corners(
    reconstruction: Reconstruction, positions: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Fractional object index (row, column) of pixel (0, 0) of each patch: (n, 2)."""
    return np.asarray(reconstruction.pixel_index(positions) - np.asarray(shape) // 2)


def _sample(
    image: NDArray[np.complex64], corner: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.complex64]:
    """Read a (py, px) window whose pixel (0, 0) lies at a fractional index of the image."""
    below = np.floor(corner).astype(np.int64)
    weights = cubic_weights(corner - below).astype(np.float32)
    rows, columns = (
        np.clip(start + np.arange(TAPS[0], size + TAPS[-1]), 0, length - 1)
        for start, size, length in zip(below, shape, image.shape, strict=True)
    )
    window = image[np.ix_(rows, columns)]
    py, px = shape
    lines = sum(w * window[t : t + py] for t, w in enumerate(weights[0]))
    return np.asarray(sum(w * lines[:, t : t + px] for t, w in enumerate(weights[1])))
