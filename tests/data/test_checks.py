"""What cannot be right about a scan is said, with numbers; what is right is left alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_ptychonn.data.bad_pixels import BadPixels
from napari_ptychonn.data.checks import check_overlap, run_checks
from napari_ptychonn.data.frame_sample import FrameSample
from napari_ptychonn.data.scan import PLANCK_TIMES_C, Optics, Scan
from napari_ptychonn.optics.illumination import illumination_width
from napari_ptychonn.simulation.scan import SimulatedScan, Simulation


def found(scan: Scan, frames: NDArray[Any] | None = None) -> tuple[str, ...]:
    if frames is not None:
        scan = replace(scan, frames=frames)
    return run_checks(scan, FrameSample.from_stack(scan.frames))


def one(sentences: tuple[str, ...]) -> str:
    assert len(sentences) == 1, sentences
    return sentences[0]


@pytest.mark.parametrize("photons", [1e3, 1e6])
@pytest.mark.parametrize("step", [10e-9, 60e-9])
def test_a_good_scan_raises_no_doubt(photons: float, step: float) -> None:
    assert found(Simulation(points=(6, 6), photons=photons, step=step).run().scan) == ()


@settings(max_examples=30)
@given(exponent=st.floats(-9, 9).filter(lambda e: abs(e) > 2.2))
def test_positions_in_another_unit_are_noticed(exponent: float) -> None:
    scan = _small().scan
    wrong = replace(scan, positions=scan.positions * 10**exponent)
    assert "unit" in one(found(wrong))


def test_how_far_apart_the_beams_are_is_said(toy: SimulatedScan) -> None:
    wrong = replace(toy.scan, positions=toy.scan.positions * 1e3)
    text = one(found(wrong))
    assert "30 µm apart" in text
    assert "times the width of the beam" in text


def test_a_sparse_scan_is_no_mistake(toy: SimulatedScan) -> None:
    assert toy.scan.probe is not None
    assert toy.scan.pixel_size is not None
    width = illumination_width(toy.scan.probe) * toy.scan.pixel_size[0]
    sparse = replace(toy.scan, positions=toy.scan.positions * (1.5 * width / toy.scan.step))
    assert found(sparse) == ()
    assert check_overlap(sparse, None, sparse.pixel_size) is None


def test_width_of_a_disc() -> None:
    y, x = np.indices((64, 64)) - 32
    disc = (np.hypot(y, x) <= 10).astype(np.complex64)[np.newaxis]
    assert illumination_width(disc, 0.99) == pytest.approx(21, abs=0.6)


@pytest.mark.parametrize(("kev", "doubtful"), [(0.05, True), (0.1, False), (8.8, False),
                                               (150, False), (5000, True)])  # fmt: skip
def test_photon_energies(toy: SimulatedScan, kev: float, doubtful: bool) -> None:
    optics = replace(toy.scan.optics, wavelength=Optics.from_energy(kev * 1e3).wavelength)
    sentences = found(replace(toy.scan, optics=optics))
    assert bool(sentences) == doubtful
    if doubtful:
        assert f"{kev:.3g} keV" in one(sentences)


@pytest.mark.parametrize(("picometres", "kev"), [(4.18, 80), (2.51, 200), (1.97, 300)])
def test_electrons_are_recognised(toy: SimulatedScan, picometres: float, kev: float) -> None:
    optics = Optics(wavelength=picometres * 1e-12)
    assert optics.electron_kev == pytest.approx(kev, rel=0.01)
    assert optics.beam.endswith("keV electrons")
    assert found(replace(toy.scan, optics=optics)) == ()


def test_photons_are_no_electrons() -> None:
    assert Optics(wavelength=PLANCK_TIMES_C / 1.6e-19 / 100e3).electron_kev is None
    assert Optics().electron_kev is None
    assert Optics().beam == ""
    assert Optics.from_energy(8800).beam == "8.8 keV"


def test_frames_that_are_lost(toy: SimulatedScan) -> None:
    frames = toy.scan.frames[:].copy()  # type: ignore[attr-defined]
    frames[100:] = 0
    text = one(found(toy.scan, frames))
    assert text.startswith("10 of 32 sampled frames are all zero, the first of them frame 101")
    assert "32 of 32 sampled frames are all zero: " in one(found(toy.scan, 0 * frames))


def test_numbers_that_are_none(toy: SimulatedScan) -> None:
    frames = np.asarray(toy.scan.frames, np.float32)
    frames[0, 3, 3] = np.nan
    frames[0, 4, 4] = np.inf
    assert "1 of 32 sampled frames have values that are not finite" in one(found(toy.scan, frames))


def test_negative_counts(toy: SimulatedScan) -> None:
    frames = np.asarray(toy.scan.frames, np.float32)
    frames[:, ::2] -= 1.5
    text = one(found(toy.scan, frames))
    assert "are negative, down to -1.5" in text


def test_a_beam_elsewhere(toy: SimulatedScan) -> None:
    frames = toy.scan.frames[:]  # type: ignore[attr-defined]
    corner = one(found(toy.scan, np.fft.fftshift(frames, axes=(1, 2))))
    assert "brightest at their corners" in corner
    aside = one(found(toy.scan, np.roll(frames, 16, axis=2)))
    assert "row 32, column 48 of 64 x 64 pixels" in aside


def test_all_at_one_place(toy: SimulatedScan) -> None:
    heap = replace(toy.scan, positions=toy.scan.positions * 1e-6)
    assert "within one object pixel" in one(found(heap))


def test_a_pixel_that_cannot_be(toy: SimulatedScan) -> None:
    huge = replace(toy.scan, pixel_size=(3e-3, 3e-3), positions=toy.scan.positions * 1e7)
    assert any("object pixel of 0.003 m" in text for text in found(huge))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 9),
    kind=st.sampled_from(["u1", "u2", "i4", "f4", "f8"]),
    fill=st.sampled_from([0, 1, np.nan, np.inf, -np.inf, -5, 1e30, 1.7e308]),
)
def test_any_numbers_at_all_are_survived(seed: int, n: int, kind: str, fill: float) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 100, (n, 7, 9)).astype(kind)
    if kind.startswith("f"):
        frames[rng.random(frames.shape) < 0.3] = (
            min(fill, float(np.finfo(kind).max)) if fill > 0 else fill
        )
    scan = Scan(frames=frames, positions=rng.normal(size=(n, 2)))
    assert all(text.endswith((".", "?")) for text in found(scan))
    assert BadPixels.find(frames).bad.shape == (7, 9)


@cache
def _small() -> SimulatedScan:
    return Simulation(points=(4, 4), frame_size=32).run()
