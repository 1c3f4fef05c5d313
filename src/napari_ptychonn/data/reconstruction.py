"""Result of an iterative reconstruction, and its alignment to a scan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Optics, Scan, Unit
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconstruction:
    """An object, the probe that goes with it, and the positions it was made with.

    Attributes
    ----------
    object : ndarray of complex64
        (ny, nx) transmission of the sample.
    pixel_size : tuple of float
        (y, x), in `unit`.
    origin : tuple of float
        Position (y, x) of the centre of pixel (0, 0), in `unit`.
    unit : {'m', 'pixel'}
        Unit of `pixel_size`, `origin` and `positions`.
    probe : ndarray of complex64 or None
        (modes, py, px), sampled at the object's pixel size, with
        sum(|probe|²) = mean counts of a frame under an orthonormal transform.
    indices : ndarray of int64 or None
        (m,) scan points that were reconstructed; None if unknown.
    positions : ndarray of float64 or None
        (m, 2) their positions (y, x), possibly corrected by the algorithm.
    optics : Optics
        Of the scan it was made from, as far as known.
    algorithm : str
        'ePIE', 'LSQML', 'simulated truth', ...
    iterations : int or None
        Number of iterations, where known.
    name : str
        Title on screen.
    source : Path or None
        The file it came from.
    seconds : float or None
        Time of the iterations without imports and set-up, where known.
    """

    object: NDArray[np.complex64]
    pixel_size: tuple[float, float] = (1.0, 1.0)
    origin: tuple[float, float] = (0.0, 0.0)
    unit: Unit = "pixel"
    probe: NDArray[np.complex64] | None = None
    indices: NDArray[np.int64] | None = None
    positions: NDArray[np.float64] | None = None
    optics: Optics = field(default_factory=Optics)
    algorithm: str = "ePIE"
    iterations: int | None = None
    name: str = "ePIE"
    source: Path | None = None
    seconds: float | None = None

    under = RenamedAttribute("align_to")

    def __post_init__(self) -> None:
        if self.object.ndim != 2:
            raise InputError(
                f"{self.name}: expected an object (ny, nx), got shape {self.object.shape}."
            )
        if (self.indices is None) != (self.positions is None):
            raise InputError(f"{self.name}: indices and positions come together or not at all.")
        if self.positions is None or self.indices is None:
            return
        if self.positions.shape != (len(self.indices), 2):
            raise InputError(
                f"{self.name}: expected {len(self.indices)} positions (y, x), "
                f"got shape {self.positions.shape}."
            )

    @property
    def title(self) -> str:
        """Title of its images: the algorithm in short, or the name where it is unknown."""
        return self.name if self.algorithm == "unknown" else self.algorithm.split(",")[0]

    def align_to(self, scan: Scan) -> tuple[Reconstruction, NDArray[np.float64]]:
        """Align the object to a scan.

        Where the reconstruction lists frames by index, the shift between the two
        coordinate systems is the median difference of the positions of common frames.

        Parameters
        ----------
        scan : Scan
            n scan points.  Pixels and metres are converted with the pixel size of the one
            that has it.

        Returns
        -------
        placed : Reconstruction
            The same object with `origin` (and `positions`) in the scan's
            coordinates and unit.
        positions : ndarray of float64
            (n, 2) of each frame: the reconstruction's own position where it lists the
            frame, else the scan's.
        """
        scaled = self._in_unit_of(scan)
        positions = scan.positions.copy()
        if scaled.indices is None or scaled.positions is None:
            return scaled, positions
        joined = (scaled.indices >= 0) & (scaled.indices < len(scan))
        if not joined.any():
            raise InputError(
                f"{self.name}: lists {len(scaled.indices)} frames, none of which is among the "
                f"{len(scan)} frames of {scan.name}."
            )
        indices, own = scaled.indices[joined], scaled.positions[joined]
        offset = np.median(own - scan.positions[indices], axis=0)
        positions[indices] = own - offset
        origin = np.asarray(scaled.origin) - offset
        placed = replace(
            scaled,
            origin=(float(origin[0]), float(origin[1])),
            positions=scaled.positions - offset,
        )
        return placed, positions

    def pixel_index(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractional (row, column) of `object` at each position: (n, 2) → (n, 2)."""
        return np.asarray((positions - np.asarray(self.origin)) / np.asarray(self.pixel_size))

    def _in_unit_of(self, scan: Scan) -> Reconstruction:
        if self.unit == scan.unit:
            return self
        if self.unit == "m":  # scan in pixels: one unit is one object pixel
            factor = 1.0 / np.asarray(self.pixel_size)
        elif scan.pixel_size is not None:
            factor = np.asarray(scan.pixel_size)
        else:
            raise InputError(
                f"{self.name} is in pixels and {scan.name} in metres with an unknown pixel size; "
                "give the energy, detector distance and pixel pitch."
            )
        size = np.asarray(self.pixel_size) * factor
        origin = np.asarray(self.origin) * factor
        return replace(
            self,
            unit=scan.unit,
            pixel_size=(float(size[0]), float(size[1])),
            origin=(float(origin[0]), float(origin[1])),
            positions=None if self.positions is None else self.positions * factor,
        )
