"""What all cells of the canvas share: the extent they show, contrast, and the zero of the phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.patches import on_object, phase_origin
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan, Unit

MAP_AXES = ("y", "x")
FRAME_AXES = ("point", "y", "x")


@dataclass(frozen=True, kw_only=True)
class ViewExtent:
    """What every cell shows: an extent in display units, the same for maps and frames.

    Attributes
    ----------
    top, left, bottom, right : float
        Edges, in `unit`.
    unit : {'nm', 'pixel'}
        Nanometres for a scan in metres.
    factor : float
        From the scan's unit to `unit`.
    """

    top: float
    left: float
    bottom: float
    right: float
    unit: Literal["nm", "pixel"]
    factor: float

    @classmethod
    def of(
        cls, scan: Scan, patch_shape: tuple[int, int], pixel: tuple[float, float] | None
    ) -> ViewExtent:
        """Everything that patches at the scan's positions can cover."""
        factor = 1e9 if scan.unit == "m" else 1.0
        size = pixel or scan.pixel_size
        half = np.full(2, scan.step or 1.0)
        if size is not None:
            half = np.asarray(patch_shape) * np.asarray(size) / 2
        top, left = (scan.positions.min(axis=0) - half) * factor
        bottom, right = (scan.positions.max(axis=0) + half) * factor
        return cls(
            top=float(top),
            left=float(left),
            bottom=float(bottom),
            right=float(right),
            unit="nm" if scan.unit == "m" else "pixel",
            factor=factor,
        )

    @classmethod
    def around(
        cls,
        shape: tuple[int, ...],
        pixel_size: tuple[float, float],
        origin: tuple[float, float],
        unit: Unit,
    ) -> ViewExtent:
        """Just around one map."""
        factor = 1e9 if unit == "m" else 1.0
        first = (np.asarray(origin) - np.asarray(pixel_size) / 2) * factor
        last = first + np.asarray(shape) * np.asarray(pixel_size) * factor
        return cls(
            top=float(first[0]),
            left=float(first[1]),
            bottom=float(last[0]),
            right=float(last[1]),
            unit="nm" if unit == "m" else "pixel",
            factor=factor,
        )

    @property
    def size(self) -> tuple[float, float]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def centre(self) -> tuple[float, float]:
        """(y, x) of the middle."""
        return (self.top + self.bottom) / 2, (self.left + self.right) / 2

    @property
    def note_place(self) -> tuple[float, float]:
        """(y, x) where a cell says what will come there: clear of the beam in the middle."""
        return self.top + 0.15 * self.size[0], self.centre[1]

    def shown(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions in the scan's unit → display units."""
        return np.asarray(positions, np.float64) * self.factor

    def frame_transform(self, shape: tuple[int, int]) -> dict[str, Any]:
        """Scale and translation that fill the field with images of single frames."""
        pitch = min(n / m for n, m in zip(self.size, shape, strict=True))
        y, x = (c - (m - 1) / 2 * pitch for c, m in zip(self.centre, shape, strict=True))
        return {
            "scale": (1.0, pitch, pitch),
            "translate": (0.0, y, x),
            "units": ("pixel", self.unit, self.unit),
            "axis_labels": FRAME_AXES,
        }

    def map_transform(
        self, pixel_size: tuple[float, float], origin: tuple[float, float]
    ) -> dict[str, Any]:
        """Scale and translation that put a map where it lies."""
        return {
            "scale": tuple(p * self.factor for p in pixel_size),
            "translate": tuple(o * self.factor for o in origin),
            **self.flat(),
        }

    def flat(self) -> dict[str, Any]:
        """Units and axes of a layer whose data are in display units already."""
        return {"units": (self.unit, self.unit), "axis_labels": MAP_AXES}


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """How amplitudes and phases are shown, everywhere alike."""

    amplitude: tuple[float, float] = (0.0, 1.0)
    phase: tuple[float, float] = (-float(np.pi), float(np.pi))

    @property
    def phase_colormap(self) -> str:
        """A cyclic one only where the phase goes around."""
        low, high = self.phase
        return "twilight_shifted" if high - low > 4.5 else "viridis"

    @classmethod
    def of(cls, amplitude: NDArray[np.float32], phase: NDArray[np.float32]) -> Contrast:
        """From 1st to 99th percentile of what is finite; ±π for a phase that goes around."""
        around = limits_of(phase)
        if around[1] - around[0] > 4.5:
            around = (-float(np.pi), float(np.pi))
        return cls(amplitude=limits_of(amplitude), phase=around)


def illuminated(
    reconstruction: Reconstruction, positions: NDArray[np.float64], reach: float
) -> NDArray[np.bool_]:
    """Object pixels within `reach` (scan unit) of a scan point: the rim is not to be trusted.

    Parameters
    ----------
    reconstruction : Reconstruction
        Placed under the scan.
    positions : ndarray of float64
        (n, 2).
    reach : float
        Distance, in the scan's unit.
    """
    from scipy.ndimage import distance_transform_edt

    dark = np.ones(reconstruction.object.shape, np.bool_)
    index = np.rint(reconstruction.pixel_index(positions)).astype(np.int64)
    inside = ((index >= 0) & (index < dark.shape)).all(axis=1)
    dark[tuple(index[inside].T)] = False
    distance = distance_transform_edt(dark, sampling=reconstruction.pixel_size)
    return np.asarray(distance <= reach)


def contrast_of(
    reconstruction: Reconstruction, scan: Scan, positions: NDArray[np.float64], offset: float
) -> Contrast:
    """Contrast for the part of a placed reconstruction that its frames lit, phase − `offset`."""
    made_of = positions if reconstruction.positions is None else reconstruction.positions
    lit = illuminated(reconstruction, made_of, 1.5 * scan.step or np.inf)
    values = reconstruction.object[lit] if lit.any() else reconstruction.object.ravel()
    return Contrast.of(np.abs(values), np.angle(values * np.exp(-1j * offset)))


def phase_zero(
    reconstruction: Reconstruction, positions: NDArray[np.float64], shape: tuple[int, int]
) -> float:
    """The phase that is shown as 0: that of the mean object, as the labels have it."""
    there = np.flatnonzero(on_object(reconstruction, positions, shape))
    if not len(there):
        return 0.0
    some = there[np.unique(np.linspace(0, len(there) - 1, 256).astype(int))]
    return phase_origin(reconstruction, positions, some, shape)


def limits_of(values: NDArray[np.float32], lowest: float = 1.0) -> tuple[float, float]:
    """From the lowest to the 99th percentile of what is finite, as contrast limits."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (lowest, 99)))
    # napari needs limits that differ, even for an object without any contrast.
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)
