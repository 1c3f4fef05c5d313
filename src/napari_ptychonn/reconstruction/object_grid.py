"""The grid of object pixels under a scan, and what is known of the object on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan, Unit
from napari_ptychonn.errors import InputError

SAME_PIXEL = 1e-3
"""Pixel sizes that differ by less than this part are the same: files round them."""

LARGEST_EDGE = 32_768
"""Pixels; a larger object comes of positions or a pixel size in the wrong unit."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where each pixel of an object lies.

    Attributes
    ----------
    shape : tuple of int
        (ny, nx) pixels.
    origin, pixel_size : tuple of float
        Position (y, x) of the centre of pixel (0, 0), and the pixel, in `unit`.
    unit : {'m', 'pixel'}
        The scan's.
    """

    shape: tuple[int, int]
    origin: tuple[float, float]
    pixel_size: tuple[float, float]
    unit: Unit

    @classmethod
    def under(
        cls,
        scan: Scan,
        positions: NDArray[np.float64],
        margin: int,
        start: Reconstruction | None = None,
    ) -> Grid:
        """Cover whole frames at the positions, and `margin` pixels around them.

        Parameters
        ----------
        scan : Scan
            Frame shape, unit and pixel size.
        positions : ndarray of float64
            (m, 2) in the scan's unit.
        margin : int
            Pixels.
        start : Reconstruction, optional
            Placed under the scan; where its pixels are as large, they lie on
            the pixels of the grid, so that nothing is interpolated.

        Raises
        ------
        InputError
            When the pixel size is not known, or the scan would need an
            impossibly large object.
        """
        if scan.pixel_size is None:
            raise InputError(
                f"{scan.name}: the size of an object pixel is not known; give the energy, detector "
                "distance and pixel pitch."
            )
        pixel = np.asarray(scan.pixel_size, np.float64)
        anchor = np.zeros(2)
        if start is not None and _same(start.pixel_size, scan.pixel_size):
            anchor = np.asarray(start.origin)
        index = (positions - anchor) / pixel
        half = np.asarray(scan.frame_shape) // 2
        first = np.floor(index.min(axis=0)).astype(np.int64) - half - margin
        last = np.ceil(index.max(axis=0)).astype(np.int64) + half + margin
        rows, columns = (int(n) for n in last - first + 1)
        if max(rows, columns) > LARGEST_EDGE:
            raise InputError(
                f"{scan.name}: its positions span {rows} x {columns} object pixels; check the unit "
                "of the positions and the pixel size."
            )
        y, x = anchor + first * pixel
        return cls(
            shape=(rows, columns),
            origin=(float(y), float(x)),
            pixel_size=scan.pixel_size,
            unit=scan.unit,
        )

    def index(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractional (row, column) at each position: (m, 2) → (m, 2)."""
        return np.asarray((positions - np.asarray(self.origin)) / np.asarray(self.pixel_size))

    def position(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo `index`."""
        return np.asarray(index * np.asarray(self.pixel_size) + np.asarray(self.origin))

    def flat(self) -> NDArray[np.complex64]:
        """An object that lets everything through."""
        return np.ones(self.shape, np.complex64)

    def sampled(self, placed: Reconstruction) -> NDArray[np.complex64]:
        """An object placed under the scan, on this grid; 1 where it does not reach."""
        ratio = np.asarray(self.pixel_size) / np.asarray(placed.pixel_size)
        corner = placed.pixel_index(np.asarray([self.origin]))[0]
        if _same(self.pixel_size, placed.pixel_size) and np.allclose(corner, np.rint(corner)):
            return self._copied(placed.object, np.rint(corner).astype(np.int64))
        return self._interpolated(placed.object, ratio, corner)

    def _copied(
        self, source: NDArray[np.complex64], corner: NDArray[np.int64]
    ) -> NDArray[np.complex64]:
        result = self.flat()
        to, of = [], []
        for start, size, length in zip(corner, self.shape, source.shape, strict=True):
            low, high = max(0, int(start)), min(length, int(start) + size)
            if high <= low:
                return result
            of.append(slice(low, high))
            to.append(slice(low - int(start), high - int(start)))
        result[tuple(to)] = source[tuple(of)]
        return result

    def _interpolated(
        self, source: NDArray[np.complex64], ratio: NDArray[np.float64], corner: NDArray[np.float64]
    ) -> NDArray[np.complex64]:
        from scipy import ndimage

        # Around 0, so that what lies outside is 1 and meets the edge without a step of its own.
        parts = (source.real - 1, source.imag)
        real, imaginary = (
            ndimage.affine_transform(p, ratio, corner, self.shape, order=3, mode="constant")
            for p in parts
        )
        return np.asarray(1 + real + 1j * imaginary, np.complex64)


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return bool(np.allclose(one, other, rtol=SAME_PIXEL, atol=0.0))
