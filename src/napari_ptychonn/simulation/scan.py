"""Simulated scan, for sample data, tests and tutorials."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray
from scipy import ndimage

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Optics, Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.optics.probe import ZonePlate, shift_ramp
from napari_ptychonn.simulation.sample import draw_pattern, require_pattern
from napari_ptychonn.validation import POSITIVE, check_options

ScanPath = Literal["raster", "serpentine", "spiral"]
"""Order of the scan points."""

ENERGY = 8800.0
"""Photon energy of the simulated beamline, eV (as in the PtychoNN paper)."""

DETECTOR_PITCH = 165e-6
"""55 μm detector pixels binned by three, m."""

DEGRADED = "simulated truth, degraded (not ePIE)"
"""`algorithm` of the reconstruction of a simulated scan."""

_BATCH = 256
_MARGIN = 4
_GLOBAL_PHASE = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedScan:
    """A simulated scan and its exact truth.

    Attributes
    ----------
    scan : Scan
        Frames and positions as recorded.
    reconstruction : Reconstruction
        The truth, degraded like an ePIE reconstruction: band-limited, noisy, and
        unreliable outside the illuminated area.
    truth : Reconstruction
        The exact object and probe.
    """

    scan: Scan
    reconstruction: Reconstruction
    truth: Reconstruction


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Options of a simulated scan.

    Attributes
    ----------
    points : tuple of int
        Scan points (ny, nx); a spiral has ny·nx points over the same area.
    step : float
        Distance of neighbouring points, m.
    frame_size : int
        Detector pixels along each axis; even.
    pixel_size : float
        Object pixel, m; the detector distance follows from it.
    photons : float
        Photons that reach the sample for each frame.
    pattern : str
        One of `napari_ptychonn.simulation.sample.PATTERNS`.
    jitter : float
        Standard deviation of the positions about the regular path, m.
    path : {'raster', 'serpentine', 'spiral'}
        Order of the scan points.
    modes : int
        Incoherent probe modes.
    defect : tuple of float or None
        (y, x, height, width) of a region, centred at (y, x) in scan positions,
        m, where the sample has another structure than everywhere else.
    zone_plate : ZonePlate
        The focusing optic.
    seed : int
        Of sample, path, noise and degradation, which have separate random streams: more
        photons do not change the sample.
    """

    points: Annotated[tuple[int, int], {"min": 1}] = (32, 32)
    step: Annotated[float, {"min": POSITIVE}] = 30e-9
    frame_size: Annotated[int, {"min": 8}] = 64
    pixel_size: Annotated[float, {"min": POSITIVE}] = 10e-9
    photons: Annotated[float, {"min": POSITIVE}] = 1e6
    pattern: str = "etched tungsten"
    jitter: Annotated[float, {"min": 0.0}] = 0.0
    path: ScanPath = "raster"
    modes: Annotated[int, {"min": 1}] = 1
    defect: tuple[float, float, float, float] | None = None
    zone_plate: ZonePlate = field(default_factory=ZonePlate)
    seed: Annotated[int, {"min": 0}] = 0

    def __post_init__(self) -> None:
        check_options(self)
        if self.frame_size % 2:
            raise InputError(
                f"Simulation.frame_size must be even, got {self.frame_size}.", got=self.frame_size
            )
        require_pattern(self.pattern)

    @property
    def optics(self) -> Optics:
        """Energy, distance and pitch that give the object pixel."""
        wavelength = Optics.from_energy(ENERGY).wavelength or 0.0
        distance = self.pixel_size * self.frame_size * DETECTOR_PITCH / wavelength
        return Optics(
            wavelength=wavelength,
            detector_distance=distance,
            detector_pitch=(DETECTOR_PITCH, DETECTOR_PITCH),
        )

    def run(self) -> SimulatedScan:
        """Simulate: same options, same scan."""
        sample, path, noise, degradation = (
            np.random.default_rng(s) for s in np.random.SeedSequence(self.seed).spawn(4)
        )
        positions = self._positions(path)
        truth = self._truth(positions, sample)
        scan = Scan(
            frames=self._record(truth, positions, noise),
            positions=positions,
            unit="m",
            pixel_size=truth.pixel_size,
            line=self._lines(),
            probe=truth.probe,
            optics=self.optics,
            name=f"simulated {self.pattern}",
            notes=("This scan was simulated; no sample was measured.",),
        )
        reconstruction = degrade(truth, positions, rng=degradation)
        return SimulatedScan(scan=scan, reconstruction=reconstruction, truth=truth)

    def _positions(self, rng: np.random.Generator) -> NDArray[np.float64]:
        ny, nx = self.points
        if self.path == "spiral":
            regular = _fermat_spiral(ny * nx)
        else:
            rows, columns = np.indices((ny, nx), dtype=np.float64)
            if self.path == "serpentine":
                columns[1::2] = columns[1::2, ::-1]
            # Whole steps from zero, so that positions without jitter are whole object pixels.
            regular = np.stack([rows.ravel() - ny // 2, columns.ravel() - nx // 2], axis=1)
        return regular * self.step + rng.normal(0.0, 1.0, regular.shape) * self.jitter

    def _lines(self) -> NDArray[np.int64] | None:
        ny, nx = self.points
        return None if self.path == "spiral" else np.repeat(np.arange(ny), nx)

    def _truth(self, positions: NDArray[np.float64], rng: np.random.Generator) -> Reconstruction:
        half = self.frame_size // 2 + _MARGIN
        first = np.floor(positions.min(axis=0) / self.pixel_size).astype(int) - half
        last = np.ceil(positions.max(axis=0) / self.pixel_size).astype(int) + half
        ny, nx = (int(n) for n in last - first + 1)
        wavelength = self.optics.wavelength or 0.0
        transmission = draw_pattern(self.pattern, (ny, nx), self.pixel_size, wavelength, rng)
        origin = (float(first[0]) * self.pixel_size, float(first[1]) * self.pixel_size)
        self._add_defect(transmission, origin, rng)
        shape = (self.frame_size, self.frame_size)
        probe = self.zone_plate.modes(self.modes, shape, self.pixel_size) * np.sqrt(self.photons)
        return Reconstruction(
            object=transmission.astype(np.complex64),
            pixel_size=(self.pixel_size, self.pixel_size),
            origin=origin,
            unit="m",
            probe=probe.astype(np.complex64),
            indices=np.arange(len(positions)),
            positions=positions.copy(),
            optics=self.optics,
            algorithm="simulated truth",
            name="truth",
        )

    def _add_defect(
        self,
        transmission: NDArray[np.complex128],
        origin: tuple[float, float],
        rng: np.random.Generator,
    ) -> None:
        if self.defect is None:
            return
        y, x, height, width = self.defect
        window = tuple(
            slice(*np.rint((np.array([c - s / 2, c + s / 2]) - o) / self.pixel_size).astype(int))
            for c, s, o in ((y, height, origin[0]), (x, width, origin[1]))
        )
        if any(w.start < 0 for w in window) or transmission[window].size == 0:
            raise InputError(f"The defect {self.defect} is not on the simulated sample.")
        ny, nx = transmission[window].shape
        wavelength = self.optics.wavelength or 0.0
        transmission[window] = draw_pattern("particles", (ny, nx), self.pixel_size, wavelength, rng)

    def _record(
        self, truth: Reconstruction, positions: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.uint16] | NDArray[np.uint32]:
        frames = np.empty((len(positions), self.frame_size, self.frame_size), np.uint32)
        for start in range(0, len(positions), _BATCH):
            batch = slice(start, start + _BATCH)
            frames[batch] = rng.poisson(diffract(truth, positions[batch]))
        fits = frames.max() <= np.iinfo(np.uint16).max
        return frames.astype(np.uint16) if fits else frames


def simulate_scan(
    points: tuple[int, int] = (32, 32), **options: Any
) -> tuple[Scan, Reconstruction]:
    """Simulate a ptychographic scan of an etched tungsten test pattern.

    A Fresnel zone plate focuses 8.8 keV photons to about 60 nm; the frames are
    far-field intensities with Poisson noise.

    Parameters
    ----------
    points : tuple of int
        Scan points (ny, nx).
    **options
        Of `Simulation`, whose `run` also returns the exact truth.

    Returns
    -------
    scan : Scan
        In metres, with optics that give the pixel size.
    reconstruction : Reconstruction
        The simulated truth, degraded like an ePIE reconstruction; `algorithm` says so.
    """
    simulated = Simulation(points=points, **options).run()
    return simulated.scan, simulated.reconstruction


def diffract(reconstruction: Reconstruction, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Far-field intensity of an object and its probe, without noise.

    Parameters
    ----------
    reconstruction : Reconstruction
        With a probe (modes, py, px).
    positions : ndarray of float64
        (m, 2) of element N // 2 of the probe, in the unit of the reconstruction.

    Returns
    -------
    ndarray of float64
        (m, py, px) expected counts, zero frequency at element N // 2:
        Σ over modes of |FFT(probe · object)|², orthonormal.
    """
    if reconstruction.probe is None:
        raise InputError(f"{reconstruction.name}: has no probe to compute diffraction with.")
    probe = reconstruction.probe
    shape = probe.shape[-2:]
    centre = reconstruction.pixel_index(positions)
    nearest = np.rint(centre).astype(int)
    windows = _windows(reconstruction, nearest, shape)
    # Shift the probe by the fraction of a pixel: it is band-limited, the sample is not.
    beams = _shifted(probe, centre - nearest)
    intensity = np.zeros((len(positions), *shape))
    for beam in np.moveaxis(beams, 1, 0):
        wave = scipy.fft.fft2(windows * beam, norm="ortho")
        intensity += wave.real**2 + wave.imag**2
    return np.asarray(np.fft.fftshift(intensity, axes=(1, 2)))


def degrade(
    truth: Reconstruction, positions: NDArray[np.float64], *, rng: np.random.Generator
) -> Reconstruction:
    """Degrade the exact truth like an ePIE reconstruction.

    Photon noise by the local dose, a band limit, phase errors of about 0.02 rad, a
    global phase, and a rim of mostly noise where the illumination is weak.

    Parameters
    ----------
    truth : Reconstruction
        The exact object and probe.
    positions : ndarray of float64
        (n, 2) scan points.
    rng : numpy.random.Generator
        Source of every error.
    """
    shape = truth.object.shape
    dose = _dose(truth, positions)
    illumination = dose / np.median(dose[_near(truth, positions)])
    estimate = ndimage.gaussian_filter(truth.object.astype(np.complex128), 0.6)
    estimate *= np.exp(1j * (_GLOBAL_PHASE + 0.015 * _correlated(shape, 12.0, rng)))
    estimate *= 1 + 0.005 * _correlated(shape, 6.0, rng)
    error = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    # Photon noise, and a floor that iterating does not remove; nowhere worse than pure noise.
    estimate += error * np.minimum(np.hypot(0.01, 1 / np.sqrt(4 * dose + 1e-9)), 0.7)
    share = illumination / (illumination + 0.01)
    wander = np.exp(1j * 2.0 * _correlated(shape, 1.5, rng))
    blended = np.where(dose > 0, share * estimate + (1 - share) * wander, 1.0)
    return Reconstruction(
        object=np.where(illumination > 1e-4, blended, 1.0).astype(np.complex64),
        pixel_size=truth.pixel_size,
        origin=truth.origin,
        unit=truth.unit,
        probe=truth.probe,
        indices=truth.indices,
        positions=truth.positions,
        optics=truth.optics,
        algorithm=DEGRADED,
        name="degraded truth",
    )


def _fermat_spiral(count: int) -> NDArray[np.float64]:
    """Sunflower: unit area for each point, the same density everywhere."""
    k = np.arange(count) + 0.5
    radius, angle = np.sqrt(k / np.pi), k * np.pi * (3 - np.sqrt(5))
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def _windows(
    reconstruction: Reconstruction, nearest: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[np.complex64]:
    corner = nearest - np.asarray(shape) // 2
    if (corner < 0).any() or (corner + shape > reconstruction.object.shape).any():
        raise InputError(f"{reconstruction.name}: some positions are not on the object.")
    every = np.lib.stride_tricks.sliding_window_view(reconstruction.object, shape)
    return np.asarray(every[corner[:, 0], corner[:, 1]])


def _shifted(probe: NDArray[np.complex64], fraction: NDArray[np.float64]) -> NDArray[np.complex64]:
    if np.abs(fraction).max(initial=0.0) < 1e-6:
        return np.broadcast_to(probe, (len(fraction), *probe.shape))
    ramp = shift_ramp(probe.shape[-2:], fraction[:, 0], fraction[:, 1])
    spectrum = scipy.fft.fft2(probe) * ramp[:, None].astype(np.complex64)
    return np.asarray(scipy.fft.ifft2(spectrum), dtype=np.complex64)


def _dose(truth: Reconstruction, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Photons that fell on each object pixel in the whole scan."""
    assert truth.probe is not None
    intensity = (np.abs(truth.probe) ** 2).sum(axis=0)
    visits = np.zeros(truth.object.shape)
    rows, columns = np.rint(truth.pixel_index(positions)).astype(int).T
    np.add.at(visits, (rows, columns), 1.0)
    # Element N // 2 of the probe is at the position: for even N the kernel has one row
    # and column more on the far side.
    odd = np.pad(intensity, ((0, 1), (0, 1)))
    return np.asarray(np.clip(scipy.signal.fftconvolve(visits, odd, mode="same"), 0, None))


def _near(truth: Reconstruction, positions: NDArray[np.float64]) -> NDArray[np.bool_]:
    rows, columns = np.rint(truth.pixel_index(positions)).astype(int).T
    mask = np.zeros(truth.object.shape, bool)
    mask[rows, columns] = True
    return mask


def _correlated(
    shape: tuple[int, ...], sigma: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    field = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    return np.asarray((field - field.mean()) / field.std())
