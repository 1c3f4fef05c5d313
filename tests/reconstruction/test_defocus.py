"""What frames out of focus tell of the beam."""

import numpy as np
import pytest

from napari_ptychonn.optics.probe import ZonePlate
from napari_ptychonn.reconstruction.defocus import FRAMES, middle_of, shadow_rate
from napari_ptychonn.reconstruction.initial_probe import estimate_probe
from napari_ptychonn.simulation.scan import Simulation


def simulated(defocus):
    made = Simulation(
        points=(9, 9), step=80e-9, zone_plate=ZonePlate(defocus=defocus), photons=1e5
    ).run()
    scan = made.scan
    return scan, scan.positions / np.asarray(scan.pixel_size)


def likeness(probe, true):
    """|correlation| at the best shift."""
    spectrum = np.fft.fft2(probe) * np.fft.fft2(true).conj()
    return np.abs(np.fft.ifft2(spectrum)).max() / np.linalg.norm(probe) / np.linalg.norm(true)


@pytest.mark.parametrize("defocus", [300e-6, -300e-6])
def test_the_sign_and_the_size_of_the_defocus_are_found(defocus):
    scan, positions = simulated(defocus)
    rate = shadow_rate(scan.frames, positions)
    mean = scan.frames.mean(axis=0)
    true = scan.probe[0]
    assert likeness(estimate_probe(mean, rate)[0], true) > 0.8
    assert likeness(estimate_probe(mean)[0], true) < 0.4
    assert likeness(estimate_probe(mean, -rate)[0], true) < 0.6


def test_in_focus_nothing_is_made_up():
    scan, positions = simulated(0.0)
    assert shadow_rate(scan.frames, positions) is None


def test_frames_that_tell_nothing_give_nothing():
    positions = np.random.default_rng(0).random((20, 2)) * 40
    noise = np.random.default_rng(1).poisson(5.0, (20, 32, 32))
    assert shadow_rate(noise, positions) is None
    assert shadow_rate(np.zeros((20, 32, 32)), positions) is None
    assert shadow_rate(noise[:2], positions[:2]) is None
    assert shadow_rate(np.ones((20, 32, 32)), np.zeros((20, 2))) is None


def test_the_frames_looked_at_are_those_in_the_middle():
    rows = np.stack(np.meshgrid(np.arange(31), np.arange(31)), -1).reshape(-1, 2).astype(float)
    chosen = middle_of(rows)
    assert len(chosen) == FRAMES
    assert np.abs(rows[chosen] - 15).max() < 7
    np.testing.assert_array_equal(middle_of(rows[:1]), [0])
