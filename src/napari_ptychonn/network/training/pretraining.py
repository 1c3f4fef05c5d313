"""Practice: made-up samples under a real beam, to train a network before any sample is known.

No ``from __future__ import annotations`` here: the form in the dock would lose the ranges.
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
"""Patterns are drawn as if a pixel were so large, m: features of 5 to 50 pixels."""

_WAVELENGTH = 1.4e-10
_SAMPLE = 32
_BATCH = 128

_FEW_COUNTS = 100
"""No frame has fewer; a probe that stands for less has another scale than counts."""


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """A scan of samples that do not exist, by the beam of one that does.

    The object is tiled from all of `napari_ptychonn.simulation.sample.PATTERNS`, the
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

    phase: Annotated[
        float,
        {
            "label": "Thickest phase, rad",
            "tooltip": "Phase of the thickest part of the sample that is expected, in radians; "
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
            "tooltip": "Amplitude that the thickest part lets through; 1 is the open beam.",
            "min": 0.01,
            "max": 2.0,
            "step": 0.05,
        },
    ] = 0.9
    points: Annotated[
        int,
        {
            "label": "Made-up frames",
            "tooltip": "Frames of made-up samples; more of them show more patterns.",
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
        """Make the practice scan for the beam and detector of a measured one.

        Parameters
        ----------
        scan : Scan
            Gives frame shape, count level, mask, unit and pixel size; its
            positions and object play no part.
        probe : ndarray of complex64, optional
            (modes, ky, kx); the scan's own if not given.
        counts : float, optional
            Mean counts of a frame; those of the scan if not given.

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

    def simulate_for_reconstruction(
        self, reconstruction: Reconstruction, counts: float | None = None
    ) -> tuple[Scan, Reconstruction]:
        """Make the practice scan for a beam that was reconstructed on some other sample.

        Parameters
        ----------
        reconstruction : Reconstruction
            Gives probe, unit and pixel size; its object plays no part.
        counts : float, optional
            Mean counts of a frame; those of the probe if not given.

        Returns
        -------
        scan, reconstruction
            As of `simulate_for_scan`, every detector pixel being good.

        Raises
        ------
        InputError
            When it has no probe, or a probe without a scale.
        """
        probe = reconstruction.probe
        if probe is None:
            raise InputError(f"practice needs a probe, and {reconstruction.name} has none.")
        if counts is None:
            counts = float(np.sum(np.abs(probe) ** 2))
            if not counts >= _FEW_COUNTS:
                raise InputError(
                    f"the probe of {reconstruction.name} stands for {counts:.3g} counts in a "
                    f"frame; expected {_FEW_COUNTS} or more: practise on a scan, or say how many."
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
        """Tiles of every pattern, each scaled to the range that is expected."""
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
    """Pixels along an edge: room for as many points as are made, a tenth of the frame apart."""
    return int(np.ceil(np.sqrt(points) * max(shape) / 10)) + 2 * max(shape)


def _mean_counts(scan: Scan) -> float:
    """Counts of a frame, on average over some of them."""
    chosen = np.unique(np.linspace(0, len(scan) - 1, _SAMPLE).astype(int))
    counts = scan.read(chosen).astype(np.float64)
    good = np.ones(scan.frame_shape, bool) if scan.valid is None else scan.valid
    return float(np.where(good & (counts > 0), counts, 0.0).sum(axis=(1, 2)).mean())
