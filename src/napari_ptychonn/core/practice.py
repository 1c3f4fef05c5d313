"""Practice: made-up samples under a real beam, to train a network before any sample is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.core.errors import InputError
from napari_ptychonn.core.pattern import PATTERNS, draw_pattern
from napari_ptychonn.core.reconstruction import Reconstruction
from napari_ptychonn.core.scan import Scan
from napari_ptychonn.core.simulate import diffract

_FEATURES = 10e-9
"""Patterns are drawn as if a pixel were so large, m: features of 5 to 50 pixels."""

_WAVELENGTH = 1.4e-10
_SAMPLE = 32
_BATCH = 128


@dataclass(frozen=True, kw_only=True)
class Practice:
    """A scan of samples that do not exist, by the beam of one that does.

    The object is tiled from all of `napari_ptychonn.core.pattern.PATTERNS`, the
    frames follow from the measured probe at the measured count level.  A
    network trained on it knows the beam before the first frame of a sample is
    reconstructed (Vong et al. 2025, arXiv:2509.25104, found that learning the
    probe matters as much as learning the sample), and training can go on from
    it with measured frames.

    Attributes
    ----------
    phase : float
        Phase of the thickest part of the sample that is expected, rad, against the open.
    amplitude : float
        Amplitude there; 1 in the open.
    points : int
        Frames made.
    seed : int
        Same seed, same practice.
    """

    phase: float = -1.0
    amplitude: float = 0.9
    points: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        if self.points < 2 or not 0 < self.amplitude <= 2:
            raise InputError("practice needs two points or more, and an amplitude within 0 to 2.")

    def on(
        self, scan: Scan, probe: NDArray[np.complex64] | None = None
    ) -> tuple[Scan, Reconstruction]:
        """Make the practice scan for the beam and detector of a measured one.

        Parameters
        ----------
        scan : Scan
            Gives frame shape, count level, mask, unit and pixel size; its
            positions and object play no part.
        probe : ndarray of complex64, optional
            (modes, ky, kx); the scan's own if not given.

        Returns
        -------
        scan : Scan
            Made-up frames; train on it like on any other.
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
                f"practice on {scan.name} needs a probe of its frames' size, "
                f"{scan.frame_shape[0]}x{scan.frame_shape[1]} pixels."
            )
        drawing, noise = (
            np.random.default_rng(s) for s in np.random.SeedSequence(self.seed).spawn(2)
        )
        size = _object_size(self.points, probe.shape[-2:])
        half = max(probe.shape[-2:]) // 2
        index = drawing.uniform(half, size - half - 1, (self.points, 2))
        pixel = scan.pixel_size or (1.0, 1.0)
        positions = index * np.asarray(pixel)
        sample = self._object(size, drawing)
        brightness = _brightness(scan, probe) / np.mean(np.abs(sample) ** 2)
        truth = Reconstruction(
            object=sample,
            pixel_size=pixel,
            unit=scan.unit,
            probe=probe * np.float32(np.sqrt(brightness)),
            indices=np.arange(self.points),
            positions=positions.copy(),
            algorithm="made up",
            name="practice",
        )
        made = Scan(
            frames=np.concatenate(list(self._frames(truth, positions, noise))),
            positions=positions,
            unit=scan.unit,
            pixel_size=scan.pixel_size,
            valid=scan.valid,
            probe=truth.probe,
            optics=scan.optics,
            name=f"practice for {scan.name}",
            notes=("This scan is made up; only its beam was measured.",),
        )
        return made, truth

    def _object(self, size: int, rng: np.random.Generator) -> NDArray[np.complex64]:
        """Tiles of every pattern, each scaled to the range that is expected."""
        tile = -(-size // len(PATTERNS))
        rows = []
        for row in range(len(PATTERNS)):
            names = np.roll(list(PATTERNS), row)
            rows.append(np.concatenate([self._tile(str(n), tile, rng) for n in names], axis=1))
        return np.concatenate(rows)[:size, :size].astype(np.complex64)

    def _tile(self, name: str, size: int, rng: np.random.Generator) -> NDArray[np.complex128]:
        drawn = draw_pattern(name, (size, size), _FEATURES, _WAVELENGTH, rng)
        thickness = -np.unwrap(np.unwrap(np.angle(drawn), axis=0), axis=1)
        thickness -= thickness.min()
        thickness /= max(float(thickness.max()), 1e-12)
        amplitude = 1 - (1 - self.amplitude) * thickness
        return np.asarray(amplitude * np.exp(1j * self.phase * thickness))

    def _frames(
        self, truth: Reconstruction, positions: NDArray[np.float64], rng: np.random.Generator
    ) -> Iterator[NDArray[np.uint32]]:
        for start in range(0, len(positions), _BATCH):
            expected = diffract(truth, positions[start : start + _BATCH])
            yield rng.poisson(expected).astype(np.uint32)


def _object_size(points: int, shape: tuple[int, ...]) -> int:
    """Pixels along an edge: room for as many points as are made, a tenth of the frame apart."""
    return int(np.ceil(np.sqrt(points) * max(shape) / 10)) + 2 * max(shape)


def _brightness(scan: Scan, probe: NDArray[np.complex64]) -> float:
    """Measured counts over those of the probe as it is."""
    chosen = np.unique(np.linspace(0, len(scan) - 1, _SAMPLE).astype(int))
    counts = scan.read(chosen).astype(np.float64)
    good = np.ones(scan.frame_shape, bool) if scan.valid is None else scan.valid
    measured = np.where(good & (counts > 0), counts, 0.0).sum(axis=(1, 2)).mean()
    return float(measured / np.sum(np.abs(probe) ** 2))
