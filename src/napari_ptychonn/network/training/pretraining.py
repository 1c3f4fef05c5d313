"""Pretraining scans: simulated samples under a measured probe.

Without ``from __future__ import annotations``, as the form in the dock needs the ranges.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.errors import InputError
from napari_ptychonn.validation import check_options

_FEATURES = 10e-9
"""Pixel size for which patterns are drawn, m: features of 5 to 50 pixels."""

_WAVELENGTH = 1.4e-10
_SAMPLE = 32
_BATCH = 128

_FEW_COUNTS = 100
"""Fewer counts per frame mean that the probe is not scaled to counts."""


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """Options of a simulated scan for pretraining a network to a measured probe.

    The object is tiled from all of `napari_ptychonn.simulation.sample.PATTERNS`; the
    frames are computed with the measured probe at the measured count level.  A network
    pretrained on it can predict before any frame is reconstructed (Vong et al. 2025,
    arXiv:2509.25104, found that learning the probe matters as much as learning the
    sample), and its training can be continued with measured frames.

    Attributes
    ----------
    phase : float
        Expected phase of the thickest part of the sample, rad; 0 is the open beam.
    amplitude : float
        Expected amplitude there; 1 is the open beam.
    points : int
        Number of frames.
    seed : int
        Of samples, positions and noise.
    """

    phase: Annotated[
        float,
        {
            "label": "Thickest phase, rad",
            "tooltip": "Expected phase of the thickest part of the sample, in radians; "
            "0 is the open beam.",
            "min": -100.0,
            "max": 100.0,
            "step": 0.1,
        },
    ] = -1.0
    amplitude: Annotated[
        float,
        {
            "label": "Thickest amplitude",
            "tooltip": "Expected amplitude of the thickest part; 1 is the open beam.",
            "min": 0.01,
            "max": 2.0,
            "step": 0.05,
        },
    ] = 0.9
    points: Annotated[
        int,
        {
            "label": "Simulated frames",
            "tooltip": "Frames of simulated samples; more frames show more patterns.",
            "min": 16,
            "max": 1_000_000,
            "step": 64,
        },
    ] = 1024
    seed: Annotated[
        int, {"label": "Seed", "tooltip": "The same seed gives the same samples.", "min": 0}
    ] = 0

    on = RenamedAttribute("simulate_for_scan")
    under = RenamedAttribute("simulate_for_reconstruction")

    def __post_init__(self) -> None:
        check_options(self)

    def simulate_for_scan(
        self,
        scan: Scan,
        probe: NDArray[np.complex64] | None = None,
        counts: float | None = None,
    ) -> tuple[Scan, Reconstruction]:
        """Simulate a scan with the probe and detector of a measured one.

        Parameters
        ----------
        scan : Scan
            Gives frame shape, count level, mask, unit and pixel size, but no positions.
        probe : ndarray of complex64, optional
            (modes, ky, kx); the scan's own if not given.
        counts : float, optional
            Mean counts of a frame; those of the scan if not given.

        Returns
        -------
        scan : Scan
            Simulated frames.
        reconstruction : Reconstruction
            The exact object and the probe.

        Raises
        ------
        InputError
            When there is no probe for these frames.
        """
        probe = scan.probe if probe is None else probe
        if probe is None or probe.shape[-2:] != scan.frame_shape:
            raise InputError(
                f"pretraining for {scan.name} needs a probe of "
                f"{scan.frame_shape[0]}x{scan.frame_shape[1]} pixels, as its frames have."
            )
        drawing, noise = (
            np.random.default_rng(s) for s in np.random.SeedSequence(self.seed).spawn(2)
        )
        if counts is None:
            counts = _mean_counts(scan)
        size = _object_size(self.points, probe.shape[-2:])
        half = max(probe.shape[-2:]) // 2
        index = drawing.uniform(half, size - half - 1, (self.points, 2))
        pixel = scan.pixel_size or (1.0, 1.0)
        positions = index * np.asarray(pixel)
        sample = self._object(size, drawing)
        brightness = counts / float(np.sum(np.abs(probe) ** 2) * np.mean(np.abs(sample) ** 2))
        truth = Reconstruction(
            object=sample,
            pixel_size=pixel,
            unit=scan.unit,
            probe=probe * np.float32(np.sqrt(brightness)),
            indices=np.arange(self.points),
            positions=positions.copy(),
            algorithm="simulated",
            name="pretraining",
        )
        made = Scan(
            frames=np.concatenate(list(self._frames(truth, positions, noise))),
            positions=positions,
            unit=scan.unit,
            pixel_size=scan.pixel_size,
            valid=scan.valid,
            probe=truth.probe,
            optics=scan.optics,
            name=f"pretraining for {scan.name}",
            notes=("This scan is simulated; only its probe was measured.",),
        )
        return made, truth

    def simulate_for_reconstruction(
        self, reconstruction: Reconstruction, counts: float | None = None
    ) -> tuple[Scan, Reconstruction]:
        """Simulate a scan with a probe that was reconstructed on another sample.

        Parameters
        ----------
        reconstruction : Reconstruction
            Gives probe, unit and pixel size.
        counts : float, optional
            Mean counts of a frame; those of the probe if not given.

        Returns
        -------
        scan, reconstruction
            As of `simulate_for_scan`, without a mask.

        Raises
        ------
        InputError
            When it has no probe, or a probe without a scale.
        """
        probe = reconstruction.probe
        if probe is None:
            raise InputError(f"pretraining needs a probe, and {reconstruction.name} has none.")
        if counts is None:
            counts = float(np.sum(np.abs(probe) ** 2))
            if not counts >= _FEW_COUNTS:
                raise InputError(
                    f"the probe of {reconstruction.name} is scaled to {counts:.3g} counts per "
                    f"frame, expected {_FEW_COUNTS} or more; pretrain for a scan or give counts."
                )
        blank = Scan(
            frames=np.zeros((1, *probe.shape[-2:]), np.uint32),
            positions=np.zeros((1, 2)),
            unit=reconstruction.unit,
            pixel_size=reconstruction.pixel_size,
            probe=probe,
            name=reconstruction.name,
        )
        return self.simulate_for_scan(blank, counts=counts)

    def _object(self, size: int, rng: np.random.Generator) -> NDArray[np.complex64]:
        """Tiles of every pattern, each scaled to the expected range."""
        from napari_ptychonn.simulation.sample import PATTERNS

        tile = -(-size // len(PATTERNS))
        rows = []
        for row in range(len(PATTERNS)):
            names = np.roll(list(PATTERNS), row)
            rows.append(np.concatenate([self._tile(str(n), tile, rng) for n in names], axis=1))
        return np.concatenate(rows)[:size, :size].astype(np.complex64)

    def _tile(self, name: str, size: int, rng: np.random.Generator) -> NDArray[np.complex128]:
        from napari_ptychonn.simulation.sample import draw_pattern

        drawn = draw_pattern(name, (size, size), _FEATURES, _WAVELENGTH, rng)
        thickness = -np.unwrap(np.unwrap(np.angle(drawn), axis=0), axis=1)
        thickness -= thickness.min()
        thickness /= max(float(thickness.max()), 1e-12)
        amplitude = 1 - (1 - self.amplitude) * thickness
        return np.asarray(amplitude * np.exp(1j * self.phase * thickness))

    def _frames(
        self, truth: Reconstruction, positions: NDArray[np.float64], rng: np.random.Generator
    ) -> Iterator[NDArray[np.uint32]]:
        from napari_ptychonn.simulation.scan import diffract

        for start in range(0, len(positions), _BATCH):
            expected = diffract(truth, positions[start : start + _BATCH])
            yield rng.poisson(expected).astype(np.uint32)


def _object_size(points: int, shape: tuple[int, ...]) -> int:
    """Pixels along an edge for a distance of a tenth of a frame between points."""
    return int(np.ceil(np.sqrt(points) * max(shape) / 10)) + 2 * max(shape)


def _mean_counts(scan: Scan) -> float:
    """Mean counts per frame, of some frames."""
    chosen = np.unique(np.linspace(0, len(scan) - 1, _SAMPLE).astype(int))
    counts = scan.read(chosen).astype(np.float64)
    good = np.ones(scan.frame_shape, bool) if scan.valid is None else scan.valid
    return float(np.where(good & (counts > 0), counts, 0.0).sum(axis=(1, 2)).mean())
