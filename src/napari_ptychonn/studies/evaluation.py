"""Compare objects with one reference over one area, so that errors of runs are comparable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from napari_ptychonn.comparison.aligned_images import AlignedImages, Channel
from napari_ptychonn.comparison.metrics import ImageErrors, mosaic_errors
from napari_ptychonn.comparison.registration import align
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.object_grid import Grid
from napari_ptychonn.studies.study import Row, finite

RIM = 2
"""Pixels at the rim that are aligned but not compared: a shift brings in values from outside."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """An object aligned to the reference, and its errors.

    Attributes
    ----------
    aligned : AlignedImages
        Both images on one grid.
    errors : ImageErrors
        Over the area of the evaluator.
    phase_rms, amplitude_rms : float
        Root mean square of the differences, rad and label units.
    """

    aligned: AlignedImages
    errors: ImageErrors
    phase_rms: float
    amplitude_rms: float

    def columns(self, method: str) -> Row:
        """The errors as columns of a table, prefixed by the method."""
        e = self.errors
        return {
            f"{method}_phase_mae": e.phase_mae,
            f"{method}_phase_rms": self.phase_rms,
            f"{method}_phase_correlation": e.phase_correlation,
            f"{method}_phase_ssim": finite(e.phase_ssim),
            f"{method}_amplitude_mae": e.amplitude_mae,
            f"{method}_amplitude_rms": self.amplitude_rms,
            f"{method}_amplitude_correlation": e.amplitude_correlation,
            f"{method}_amplitude_ssim": finite(e.amplitude_ssim),
        }


class Evaluator:
    """Compare any object of a scan with the same reference over the same area.

    The area is the convex hull of some scan points: every object reconstructed from
    them, few or many, was illuminated there.

    Parameters
    ----------
    scan : Scan
        Places the objects: see `Reconstruction.align_to`.
    reference : Reconstruction
        The truth, or the best reconstruction available.
    points : ndarray of int64
        (m,) scan points whose hull is compared; at least three, not on one line.

    Raises
    ------
    InputError
        When the points enclose no area on the reference.
    """

    def __init__(self, scan: Scan, reference: Reconstruction, points: NDArray[np.int64]) -> None:
        placed, positions = reference.align_to(scan)
        corners = _hull(placed.pixel_index(positions[points]), scan.name)
        shape = np.asarray(placed.object.shape)
        first = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, shape - 1)
        last = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, shape - 1)
        rows, columns = (int(n) for n in last - first + 1)
        y, x = np.asarray(placed.origin) + first * np.asarray(placed.pixel_size)
        self._scan = scan
        self._grid = Grid(
            shape=(rows, columns),
            origin=(float(y), float(x)),
            pixel_size=placed.pixel_size,
            unit=placed.unit,
        )
        self._reference = self._grid.sampled(placed)
        self._area = _inside(corners - first, (rows, columns))
        self._compared = ndimage.binary_erosion(self._area, iterations=RIM)
        if not self._compared.any():
            raise InputError(
                f"{scan.name}: {format_count(len(points), 'scan point', 'enclose')} too little "
                f"of {reference.name} "
                "to compare objects over."
            )

    @property
    def pixels(self) -> int:
        """Number of pixels compared."""
        return int(self._compared.sum())

    def evaluate(self, made: Reconstruction) -> Evaluation:
        """Align an object to the reference and measure its errors."""
        placed, _ = made.align_to(self._scan)
        image, alignment = align(self._grid.sampled(placed), self._reference, self._area)
        pair = AlignedImages(
            predicted=image.astype(np.complex64),
            reference=self._reference,
            mask=self._compared,
            alignment=alignment,
            pixel_size=self._grid.pixel_size,
            origin=self._grid.origin,
            unit=self._grid.unit,
        )
        return Evaluation(
            aligned=pair,
            errors=mosaic_errors(pair),
            phase_rms=_rms(pair, "phase"),
            amplitude_rms=_rms(pair, "amplitude"),
        )


def _rms(pair: AlignedImages, channel: Channel) -> float:
    difference = pair.difference(channel)[pair.mask].astype(np.float64)
    return float(np.sqrt(np.mean(difference**2)))


def _hull(index: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Corners (k, 2) of the convex hull of points (m, 2)."""
    try:
        return np.asarray(index[ConvexHull(index).vertices])
    except (QhullError, ValueError) as error:
        raise InputError(
            f"{name}: {format_count(len(index), 'scan point', 'enclose')} no area to compare "
            "objects over."
        ) from error


def _inside(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    from skimage.draw import polygon2mask

    return np.asarray(polygon2mask(shape, corners))
