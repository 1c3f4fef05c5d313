"""Ptychographic scan: diffraction frames and their scan positions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.bad_pixels import BadPixels
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.errors import InputError
from napari_ptychonn.validation import POSITIVE, check_options

Unit = Literal["m", "pixel"]
"""Unit of positions and pixel sizes: metres, or object pixels when the scan is not calibrated."""

# As in scipy.constants (a test compares them), whose import takes 0.2 s of every `info`.
PLANCK_TIMES_C = 1.986445857148928e-25
"""Planck constant times the speed of light, J m (exact in the 2019 SI)."""

ELECTRONVOLT = 1.602176634e-19
"""One electronvolt in joules (exact in the 2019 SI)."""

_ELECTRON_REST_KEV = 510.99895
_ELECTRONS_KEV = (36.0, 400.0)


@runtime_checkable
class FrameStack(Protocol):
    """Frames: a NumPy array, a memory map, or a lazy array of a file.

    Indexed like a NumPy array of three axes; along the first axis an integer,
    a slice or a one-dimensional integer array.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ky, kx)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one count."""
        ...

    def __getitem__(self, key: Any, /) -> Any:
        """Read the selected frames only."""
        ...


_ONE_POINT = 0.25
"""Distance, relative to the mean one, within which exposures are of one point."""

_SEVERAL = 0.75
_MOST_EXPOSURES = 100


@dataclass(frozen=True, kw_only=True)
class Optics:
    """Wavelength, distance and detector pixels of a beamline; None where unknown.

    Attributes
    ----------
    wavelength : float or None
        m.
    detector_distance : float or None
        Sample to detector, m.
    detector_pitch : tuple of float or None
        Size of one detector pixel, (y, x), m.
    """

    wavelength: Annotated[float | None, {"min": POSITIVE}] = None
    detector_distance: Annotated[float | None, {"min": POSITIVE}] = None
    detector_pitch: Annotated[tuple[float, float] | None, {"min": POSITIVE}] = None

    def __post_init__(self) -> None:
        check_options(self)

    @classmethod
    def from_energy(cls, energy_ev: float, **known: Any) -> Optics:
        """Build from the photon energy in eV."""
        return cls(wavelength=PLANCK_TIMES_C / (energy_ev * ELECTRONVOLT), **known)

    @property
    def energy_kev(self) -> float | None:
        """Photon energy, keV."""
        if self.wavelength is None:
            return None
        return PLANCK_TIMES_C / (self.wavelength * ELECTRONVOLT) / 1e3

    @property
    def electron_kev(self) -> float | None:
        """Energy, keV, of electrons of this wavelength; None for one of X-rays.

        Electron microscopes use 1.6 to 6 pm, which for photons would be gamma rays.
        """
        photon = self.energy_kev
        if photon is None:
            return None
        rest = _ELECTRON_REST_KEV
        kinetic = rest * (np.sqrt(1 + (photon / rest) ** 2) - 1)
        low, high = _ELECTRONS_KEV
        return float(kinetic) if low <= kinetic <= high else None

    @property
    def beam(self) -> str:
        """Energy and kind of the beam, '8.8 keV' or '200 keV electrons'; '' if unknown."""
        if self.electron_kev is not None:
            return f"{self.electron_kev:.4g} keV electrons"
        return "" if self.energy_kev is None else f"{self.energy_kev:.4g} keV"

    def object_pixel(self, frame_shape: tuple[int, int]) -> tuple[float, float] | None:
        """Far-field object pixel λ·z / (N·pitch), (y, x), m; None when something is unknown.

        Parameters
        ----------
        frame_shape : tuple of int
            Detector pixels (ky, kx): cropping makes the object pixel larger, binning
            does not change it.
        """
        if self.wavelength is None or self.detector_distance is None or self.detector_pitch is None:
            return None
        y, x = (
            self.wavelength * self.detector_distance / (n * pitch)
            for n, pitch in zip(frame_shape, self.detector_pitch, strict=True)
        )
        return y, x


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """Diffraction frames and scan positions, joined: frame ``i`` was taken at position ``i``.

    Attributes
    ----------
    frames : FrameStack
        (n, ky, kx) counts, zero frequency at element (ky // 2, kx // 2); lazy.
    positions : ndarray of float64
        (n, 2), (y, x): centre of the probe on the sample, in `unit`; +y towards
        larger rows of the object, +x towards larger columns.
    unit : {'m', 'pixel'}
        Unit of `positions` and `pixel_size`.
    pixel_size : tuple of float or None
        Object pixel (y, x) in `unit`; (1.0, 1.0) for a scan in pixels; None for
        a scan in metres whose geometry is unknown.
    valid : ndarray of bool or None
        (ky, kx), False for masked detector pixels; None without a mask.
    line : ndarray of int64 or None
        (n,), scan line of each point, or None when the scan has no lines.
    probe : ndarray of complex64 or None
        (modes, ky, kx), a probe that came with the scan.
    optics : Optics
        Wavelength, distance and detector pitch, where known.
    name : str
        Title on screen.
    source : Path or None
        The file it came from.
    notes : tuple of str
        Sentences on how the file was read: frames without position, masks, guesses.
    bad_pixels : BadPixels or None
        Hot, dead and saturated pixels that were found; those that are masked are False
        in `valid`.
    check_warnings : tuple of str
        What `run_checks` warns of, one sentence each.
    """

    frames: FrameStack
    positions: NDArray[np.float64]
    unit: Unit = "pixel"
    pixel_size: tuple[float, float] | None = None
    valid: NDArray[np.bool_] | None = None
    line: NDArray[np.int64] | None = None
    probe: NDArray[np.complex64] | None = None
    optics: Optics = field(default_factory=Optics)
    name: str = "scan"
    source: Path | None = None
    notes: tuple[str, ...] = ()
    bad_pixels: BadPixels | None = None
    check_warnings: tuple[str, ...] = ()

    faulty = RenamedAttribute("bad_pixels")
    findings = RenamedAttribute("check_warnings")

    def __post_init__(self) -> None:
        positions = np.ascontiguousarray(self.positions, dtype=np.float64)
        object.__setattr__(self, "positions", positions)
        if self.unit == "pixel" and self.pixel_size is None:
            object.__setattr__(self, "pixel_size", (1.0, 1.0))
        if len(self.frames.shape) != 3:
            raise InputError(
                f"{self.name}: expected frames (n, ky, kx), got shape {tuple(self.frames.shape)}."
            )
        if positions.shape != (len(self), 2):
            raise InputError(
                f"{self.name}: expected one (y, x) position for each of {len(self)} frames, "
                f"got shape {positions.shape}."
            )
        if not np.isfinite(positions).all():
            bad = int((~np.isfinite(positions).all(axis=1)).sum())
            raise InputError(f"{self.name}: {bad} of {len(self)} positions are not finite numbers.")
        if self.valid is not None and self.valid.shape != self.frame_shape:
            raise InputError(
                f"{self.name}: expected a mask of shape {self.frame_shape}, got {self.valid.shape}."
            )
        if self.line is not None and self.line.shape != (len(self),):
            raise InputError(
                f"{self.name}: expected {len(self)} scan-line numbers, got {self.line.shape}."
            )

    def __len__(self) -> int:
        """Number of scan points."""
        return int(self.frames.shape[0])

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Detector pixels (ky, kx)."""
        _, ky, kx = self.frames.shape
        return ky, kx

    @cached_property
    def step(self) -> float:
        """Median distance of a scan point to its nearest neighbour, in `unit`; 0 for one point.

        Several exposures of one point count once.
        """
        from scipy.spatial import cKDTree

        points = _merge_exposures(self.positions)
        if len(points) < 2:
            return 0.0
        distance, _ = cKDTree(points).query(points, k=2)
        return float(np.median(np.asarray(distance)[:, 1]))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of positions, frame shape, first and last frame."""
        return _digest(self.positions.tobytes(), *self._identity)

    @cached_property
    def frames_fingerprint(self) -> str:
        """Hash of number and shape of the frames, and of the first and the last one."""
        return _digest(*self._identity)

    @cached_property
    def _identity(self) -> tuple[bytes, bytes]:
        ends = np.unique([0, len(self) - 1]) if len(self) else np.empty(0, np.int64)
        frames = np.ascontiguousarray(self.read(ends), np.float64).tobytes()
        return repr((len(self), self.frame_shape)).encode(), frames

    def read(
        self, indices: NDArray[np.integer[Any]], window: tuple[slice, slice] | None = None
    ) -> NDArray[Any]:
        """Read some frames into memory, in the order of `indices`.

        Parameters
        ----------
        indices : ndarray of int
            (m,) scan points; any order, repeats allowed.
        window : tuple of slice, optional
            Detector rows and columns to read; the whole frame by default.

        Returns
        -------
        ndarray
            (m, ky, kx) counts as stored.
        """
        rows, columns = window if window is not None else (slice(None), slice(None))
        rows_read, back = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
        if len(rows_read) and np.all(np.diff(rows_read) == 1):
            # HDF5 reads a contiguous slice at once, but not a list of indices.
            block = self.frames[int(rows_read[0]) : int(rows_read[-1]) + 1, rows, columns]
        else:
            block = self.frames[rows_read, rows, columns]
        block = np.asarray(block)
        return block if np.array_equal(back, np.arange(len(block))) else block[back]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What `run_checks` warns of, and the bad pixels found."""
        found = "" if self.bad_pixels is None else self.bad_pixels.sentence
        return (*self.check_warnings, found) if found else self.check_warnings

    def masked_above(self, contrast: float | None) -> Scan:
        """Return the scan with more or fewer bad pixels masked.

        Parameters
        ----------
        contrast : float or None
            See `BadPixels`; None masks none.
        """
        if self.bad_pixels is None:
            return self
        bad_pixels = self.bad_pixels.masked_above(contrast)
        return replace(self, bad_pixels=bad_pixels, valid=bad_pixels.valid)

    def in_metres(self, pixel_size: tuple[float, float]) -> Scan:
        """Return the scan in metres, given the object pixel (y, x) in metres."""
        if self.unit == "m":
            return replace(self, pixel_size=pixel_size)
        positions = self.positions * np.asarray(pixel_size)
        return replace(self, positions=positions, unit="m", pixel_size=pixel_size)


def _merge_exposures(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions (m, 2), one of each group within a small part of the mean distance."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if len(positions) < 2:
        return positions
    height, width = np.ptp(positions, axis=0)
    apart = max(np.sqrt(height * width / len(positions)), max(height, width) / len(positions))
    if not apart:
        return positions[:1]
    positions = np.unique(positions, axis=0)
    tree, reach = cKDTree(positions), _ONE_POINT * apart
    if tree.count_neighbors(tree, reach) > _MOST_EXPOSURES * len(positions):
        return positions
    pairs = tree.query_pairs(reach, output_type="ndarray")
    one = np.ones(len(pairs), bool)
    joined = coo_array((one, (pairs[:, 0], pairs[:, 1])), shape=(len(positions),) * 2)
    _, group = connected_components(joined, directed=False)
    _, first = np.unique(group, return_index=True)
    # Fewer points by far: they were exposed several times.  Otherwise some are close by chance.
    return positions[first] if len(first) <= _SEVERAL * len(positions) else positions


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]
