"""The mosaic: overlapping patches averaged into one image, at their true positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.core.interpolation import shift_matrices
from napari_ptychonn.core.patches import Patches

BATCH = 512
"""Patches moved at once: enough to keep BLAS busy, little enough to stay in cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MosaicImage:
    """A mosaic as arrays, at one moment; all (ny, nx) float32 and NaN where nothing was predicted.

    Attributes
    ----------
    amplitude, phase : ndarray of float32
        Weighted overlap average; phase in rad.
    weight : ndarray of float32
        Sum of the patch weights that fell on each pixel.
    spread : ndarray of float32
        Circular standard deviation of the overlapping predictions' phase, rad.
    pixel_size, origin : tuple of float
        (y, x) in the scan's unit; `origin` is the position of the centre of pixel (0, 0).
    """

    amplitude: NDArray[np.float32]
    phase: NDArray[np.float32]
    weight: NDArray[np.float32]
    spread: NDArray[np.float32]
    pixel_size: tuple[float, float]
    origin: tuple[float, float]


class Mosaic:
    """Weighted sub-pixel overlap average of patches, for any scan pattern.

    Each patch is moved onto the grid by cubic convolution of its amplitude and
    of the cosine and sine of its phase, and added with its window weight.  The
    result is a function of {scan point → (patch, position)} alone: not of
    order or batching; a scan point that was added already is ignored.

    Parameters
    ----------
    shape : tuple of int
        Grid (ny, nx).
    origin, pixel_size : tuple of float
        Position of the centre of pixel (0, 0), and the grid's pitch, (y, x), in one unit.
    weight : ndarray of float32
        (py, px) weight of each pixel of a patch, ≥ 0.

    See Also
    --------
    Mosaic.covering : make the grid from the positions.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        origin: tuple[float, float],
        pixel_size: tuple[float, float],
        weight: NDArray[np.float32],
    ) -> None:
        self.origin = origin
        self.pixel_size = pixel_size
        self._patch_weight = np.asarray(weight, np.float32)
        self._weight = np.zeros(shape)
        self._amplitude = np.zeros(shape)
        self._phasor = np.zeros(shape, np.complex128)
        self._added: set[int] = set()

    @classmethod
    def covering(
        cls,
        positions: NDArray[np.float64],
        patch_shape: tuple[int, int],
        pixel_size: tuple[float, float],
        weight: NDArray[np.float32] | None = None,
        anchor: tuple[float, float] = (0.0, 0.0),
    ) -> Mosaic:
        """Make a mosaic just large enough for patches at all these positions.

        Parameters
        ----------
        positions : ndarray of float64
            (n, 2) scan points.
        patch_shape : tuple of int
            (py, px).
        pixel_size : tuple of float
            (y, x).
        weight : ndarray of float32, optional
            (py, px); `window_weight` of the patch shape by default.
        anchor : tuple of float
            A position that shall be the centre of some pixel, so that the grid
            falls on that of a reconstruction (its origin).
        """
        pixel, half = np.asarray(pixel_size), np.asarray(patch_shape) // 2
        index = (positions - np.asarray(anchor)) / pixel
        first = np.floor(_snapped(index.min(axis=0))) - half
        last = np.floor(_snapped(index.max(axis=0))) - half + np.asarray(patch_shape)
        origin = np.asarray(anchor) + first * pixel
        rows, columns = (last - first + 1).astype(int)
        return cls(
            shape=(int(rows), int(columns)),
            origin=(float(origin[0]), float(origin[1])),
            pixel_size=pixel_size,
            weight=window_weight(patch_shape) if weight is None else weight,
        )

    def add(self, patches: Patches, positions: NDArray[np.float64]) -> None:
        """Add a batch of patches.

        Parameters
        ----------
        patches : Patches
            m patches (py, px).  A patch with a value that is not finite is left out.
        positions : ndarray of float64
            (m, 2) where they lie.

        Raises
        ------
        ValueError
            When a patch does not fit on the grid.
        """
        finite = np.isfinite(patches.amplitude).all((1, 2)) & np.isfinite(patches.phase).all((1, 2))
        new = [k for k in np.flatnonzero(finite) if self._is_new(int(patches.indices[k]))]
        for start in range(0, len(new), BATCH):
            rows = new[start : start + BATCH]
            self._add(patches[rows], positions[rows])

    def image(self) -> MosaicImage:
        """Return the mosaic as it stands."""
        covered = self._weight > 1e-6 * self._patch_weight.max()
        weight = np.where(covered, self._weight, np.nan)
        resultant = np.clip(np.abs(self._phasor) / weight, 1e-6, 1.0)
        return MosaicImage(
            amplitude=(self._amplitude / weight).astype(np.float32),
            phase=np.where(covered, np.angle(self._phasor), np.nan).astype(np.float32),
            weight=weight.astype(np.float32),
            spread=np.sqrt(-2.0 * np.log(resultant)).astype(np.float32),
            pixel_size=self.pixel_size,
            origin=self.origin,
        )

    def _is_new(self, index: int) -> bool:
        known = index in self._added
        self._added.add(index)
        return not known

    def _add(self, patches: Patches, positions: NDArray[np.float64]) -> None:
        py, px = self._patch_weight.shape
        index = (positions - np.asarray(self.origin)) / np.asarray(self.pixel_size)
        corner = _snapped(index - np.asarray([py // 2, px // 2]))
        whole = np.floor(corner).astype(np.int64)
        if (whole < 0).any() or (whole + np.asarray([py, px]) > self._weight.shape).any():
            raise ValueError("a patch lies outside the mosaic's grid")
        rows, columns = (
            shift_matrices(f, n) for f, n in zip((corner - whole).T, (py, px), strict=True)
        )
        columns = columns.transpose(0, 2, 1)
        weight = _moved_weight(self._patch_weight, corner - whole)
        amplitude = rows @ patches.amplitude @ columns * weight
        cosine = rows @ np.cos(patches.phase) @ columns * weight
        sine = rows @ np.sin(patches.phase) @ columns * weight
        for k, (y, x) in enumerate(whole):
            cell = slice(y, y + py), slice(x, x + px)
            self._weight[cell] += weight[k]
            self._amplitude[cell] += amplitude[k]
            self._phasor.real[cell] += cosine[k]
            self._phasor.imag[cell] += sine[k]


def window_weight(patch_shape: tuple[int, int], floor: float = 0.01) -> NDArray[np.float32]:
    """Weight that falls from the middle of a patch to `floor` at its rim (squared sine).

    The middle is where the beam was, so it is predicted best; a rim that fades
    leaves no seams.
    """
    rows, columns = (np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in patch_shape)
    return np.maximum(np.outer(rows, columns), floor).astype(np.float32)


def _moved_weight(
    weight: NDArray[np.float32], fraction: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Weight of each patch on the grid: read between pixels, 0 where the patch does not reach."""
    f, g = (axis[:, None, None].astype(np.float32) for axis in fraction.T)
    shifted = (1 - f) * weight + f * np.roll(weight, 1, axis=0)
    moved = (1 - g) * shifted + g * np.roll(shifted, 1, axis=2)
    moved[fraction[:, 0] > 0, 0, :] = 0.0
    moved[fraction[:, 1] > 0, :, 0] = 0.0
    return np.asarray(moved, np.float32)


def _snapped(index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round what is a whole pixel but for the rounding of metres."""
    whole = np.round(index)
    return np.where(np.abs(index - whole) < 1e-6, whole, index)
