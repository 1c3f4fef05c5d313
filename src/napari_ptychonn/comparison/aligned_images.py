"""Aligned images: a mosaic and a reconstruction on one grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.profile import Line, LineProfile
from napari_ptychonn.comparison.registration import Alignment, align, phase_offset, wrap
from napari_ptychonn.comparison.ring_correlation import RingCorrelation, correlate_rings
from napari_ptychonn.data.patch_store import PatchSet, iterate_batches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Unit
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.stitching.mosaic import Mosaic, MosaicImage, patch_weight

Channel = Literal["amplitude", "phase"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)

MOST_VALUES = 20_000
"""Values along a line, which may have any length."""

FloatImage = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class AlignedImages:
    """A mosaic of predictions and the reconstructed object.

    Attributes
    ----------
    predicted : ndarray of complex64
        (ny, nx) the mosaic after shift, scale, phase offset and ramp.
    reference : ndarray of complex64
        (ny, nx) the object.
    mask : ndarray of bool
        (ny, nx) compared pixels: illuminated, and on the object.
    alignment : Alignment
        Transformation of the mosaic.
    pixel_size, origin : tuple of float
        (y, x); `origin` is the position of the centre of pixel (0, 0).
    unit : {'m', 'pixel'}
        Of lengths.
    """

    predicted: NDArray[np.complex64]
    reference: NDArray[np.complex64]
    mask: NDArray[np.bool_]
    alignment: Alignment
    pixel_size: tuple[float, float]
    origin: tuple[float, float]
    unit: Unit

    wanted = RenamedAttribute("reference")
    of = RenamedAttribute("from_patches")

    @classmethod
    def from_patches(
        cls,
        patches: PatchSet,
        positions: NDArray[np.float64],
        reconstruction: Reconstruction,
        weight: NDArray[np.float32] | None = None,
    ) -> AlignedImages:
        """Stitch patches on the grid of an object and align the mosaic to it.

        Parameters
        ----------
        patches : Patches or LazyPatches
            m patches (py, px).
        positions : ndarray of float64
            (m, 2) of their centres, in the reconstruction's unit.
        reconstruction : Reconstruction
            Aligned to the scan.
        weight : ndarray of float32, optional
            (py, px) weight of each pixel of a patch in the mosaic; by default its
            illumination by the reconstruction's probe.
        """
        if weight is None:
            weight = patch_weight(reconstruction.probe, patches.shape)
        mosaic = Mosaic.covering(
            positions, patches.shape, reconstruction.pixel_size, weight, reconstruction.origin
        )
        for rows, batch in iterate_batches(patches):
            mosaic.add(batch, positions[rows])
        image = mosaic.image()
        reference, inside = _object_on_grid(reconstruction, image.amplitude.shape, image.origin)
        mask = inside & _well_covered(image, positions)
        values = np.where(mask, image.amplitude * np.exp(1j * image.phase), 0)
        predicted, alignment = align(values, reference, mask)
        return cls(
            predicted=predicted.astype(np.complex64),
            reference=reference,
            mask=mask,
            alignment=alignment,
            pixel_size=image.pixel_size,
            origin=image.origin,
            unit=reconstruction.unit,
        )

    def images(self, channel: Channel) -> tuple[FloatImage, FloatImage]:
        """One channel of mosaic and object, (ny, nx) float64, undefined outside `mask`.

        Phases are relative to the median of the object and wrapped; the mosaic's follows
        the object's, so that they do not differ by a wrap.
        """
        if channel == "amplitude":
            return np.abs(self.predicted).astype(np.float64), np.abs(self.reference).astype(
                np.float64
            )
        return _phases(self.predicted, self.reference, self._zero)

    def difference(self, channel: Channel) -> NDArray[np.float32]:
        """Mosaic minus object, (ny, nx) and NaN outside `mask`; phases in [−π, π), rad."""
        if channel not in self._differences:
            predicted, reference = self.images(channel)
            found = np.where(self.mask, predicted - reference, np.nan).astype(np.float32)
            self._differences[channel] = found
        return self._differences[channel]

    def rings(self, channel: Channel) -> RingCorrelation:
        """Fourier ring correlation of |object|, or of its phase as exp(iφ), which cannot wrap."""
        if channel not in self._rings:
            a, b = (np.abs(a) if channel == "amplitude" else _phasor(a) for a in self._images)
            self._rings[channel] = correlate_rings(a, b, self.mask, self.pixel_size, self.unit)
        return self._rings[channel]

    def profile(self, line: Line, channel: Channel) -> LineProfile:
        """Both images along a line, interpolated linearly, about one value per pixel.

        Parameters
        ----------
        line : tuple
            ((y, x), (y, x)) in `unit`; it may extend beyond the compared pixels.
        channel : {'amplitude', 'phase'}
            Of both images.
        """
        from scipy.ndimage import map_coordinates

        # Rounded, as metres do not divide into whole pixels exactly at the edge of the images.
        ends = np.round((np.asarray(line) - self.origin) / np.asarray(self.pixel_size), 6)
        count = min(int(np.ceil(np.hypot(*(ends[1] - ends[0])))) + 1, MOST_VALUES)
        where = np.linspace(ends[0], ends[1], count).T
        compared = map_coordinates(self.mask.astype(np.float64), where, order=1) > 1 - 1e-6
        predicted, reference = (
            np.where(compared, map_coordinates(image, where, order=1), np.nan)
            for image in (
                np.where(self.mask, np.abs(image) if channel == "amplitude" else image, 0)
                for image in self._images
            )
        )
        if channel == "phase":
            predicted, reference = _phases(predicted, reference, self._zero)
        length = float(np.hypot(*np.subtract(*np.asarray(line))))
        return LineProfile(
            line=line,
            distance=np.linspace(0.0, length, count),
            predicted=predicted.astype(np.float64),
            reference=reference.astype(np.float64),
            unit=self.unit,
        )

    @property
    def middle_line(self) -> Line:
        """The longest horizontal or vertical line through the middle of the compared pixels."""
        rows, columns = (np.flatnonzero(self.mask.any(axis=axis)) for axis in (1, 0))
        middle = int(rows[len(rows) // 2]), int(columns[len(columns) // 2])
        across, down = np.flatnonzero(self.mask[middle[0]]), np.flatnonzero(self.mask[:, middle[1]])
        if np.ptp(across) * self.pixel_size[1] >= np.ptp(down) * self.pixel_size[0]:
            return self._position(middle[0], across[0]), self._position(middle[0], across[-1])
        return self._position(down[0], middle[1]), self._position(down[-1], middle[1])

    @property
    def _images(self) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        return self.predicted, self.reference

    @cached_property
    def _differences(self) -> dict[Channel, NDArray[np.float32]]:
        return {}

    @cached_property
    def _rings(self) -> dict[Channel, RingCorrelation]:
        return {}

    @cached_property
    def _zero(self) -> float:
        """The phase shown as 0, rad."""
        return phase_offset(np.angle(self.reference[self.mask]).astype(np.float64))

    def _position(self, row: float, column: float) -> tuple[float, float]:
        (y, x), (height, width) = self.origin, self.pixel_size
        return float(y + row * height), float(x + column * width)


def _phasor(image: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.exp(1j * np.angle(image)))


def _phases(
    predicted: NDArray[Any], reference: NDArray[Any], zero: float
) -> tuple[FloatImage, FloatImage]:
    """Phases relative to `zero`; that of `predicted` within ±π of that of `reference`."""
    target = wrap(np.angle(reference).astype(np.float64) - zero)
    return target + wrap(np.angle(predicted).astype(np.float64) - zero - target), target


def _well_covered(image: MosaicImage, positions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels with at least a third of the typical weight at the scan points.

    Pixels further out are illuminated by the tails of the probe only, and noise in any
    reconstruction.
    """
    index = (positions - np.asarray(image.origin)) / np.asarray(image.pixel_size)
    rows, columns = np.round(index).astype(int).T
    weight = np.nan_to_num(image.weight)
    return np.asarray(weight > np.median(weight[rows, columns]) / 3)


def _object_on_grid(
    reconstruction: Reconstruction, shape: tuple[int, ...], origin: tuple[float, float]
) -> tuple[NDArray[np.complex64], NDArray[np.bool_]]:
    """The object on the grid of a mosaic anchored to it, and the pixels that it covers."""
    first = np.round(reconstruction.pixel_index(np.asarray([origin]))[0]).astype(int)
    ny, nx = reconstruction.object.shape
    rows, columns = (start + np.arange(n) for start, n in zip(first, shape, strict=True))
    inside = np.outer((rows >= 0) & (rows < ny), (columns >= 0) & (columns < nx))
    cut = reconstruction.object[np.ix_(rows.clip(0, ny - 1), columns.clip(0, nx - 1))]
    return cut, inside
