"""The zone-plate beam, against what optics says about it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import j1

from napari_ptychonn.optics.probe import ZonePlate, shift_ramp

PIXEL = 10e-9


def full_width_half_maximum(probe, pixel_size):
    """Diameter of the circle with the area where |probe|² exceeds half its maximum, m."""
    spectrum = np.fft.fftshift(np.fft.fft2(probe))
    finer = 8  # zero padding in Fourier space interpolates the band-limited field
    pad = [(n * (finer - 1) // 2,) * 2 for n in probe.shape]
    intensity = np.abs(np.fft.ifft2(np.fft.ifftshift(np.pad(spectrum, pad)))) ** 2
    area = np.count_nonzero(intensity > intensity.max() / 2) * (pixel_size / finer) ** 2
    return float(2 * np.sqrt(area / np.pi))


def test_the_default_beam_is_60_nm_wide_and_has_tails():
    probe = ZonePlate().probe((64, 64), PIXEL)
    intensity = np.abs(probe) ** 2
    assert full_width_half_maximum(probe, PIXEL) == pytest.approx(60e-9, abs=2e-9)
    assert intensity.sum() == pytest.approx(1)
    assert np.unravel_index(intensity.argmax(), intensity.shape) == (32, 32)
    assert intensity[22:42, 22:42].sum() == pytest.approx(0.70, abs=0.02)  # the rest is tails
    assert intensity[16:48, 16:48].sum() == pytest.approx(0.90, abs=0.02)


def test_width_agrees_with_a_measured_line_profile():
    probe = ZonePlate().probe((64, 64), PIXEL)
    line = np.abs(probe[32]) ** 2 / np.abs(probe[32, 32]) ** 2
    x = np.interp(0.5, line[32:38][::-1], np.arange(6)[::-1])
    assert 2 * x * PIXEL == pytest.approx(full_width_half_maximum(probe, PIXEL), rel=0.05)


def test_an_open_pupil_in_focus_gives_the_airy_pattern():
    zone_plate = ZonePlate(central_stop=-1.0, defocus=0.0, outer_zone_width=60e-9)
    probe = zone_plate.probe((64, 64), PIXEL)
    radius = np.hypot(*(np.indices((64, 64)) - 32)) * PIXEL
    argument = np.where(radius > 0, np.pi * radius / 60e-9, 1e-9)
    airy = (2 * j1(argument) / argument) ** 2
    measured = np.abs(probe) ** 2 / np.abs(probe).max() ** 2
    assert np.abs(measured - airy).max() < 0.01


def test_a_coarser_zone_plate_focuses_less():
    widths = [
        full_width_half_maximum(ZonePlate(outer_zone_width=w).probe((64, 64), PIXEL), PIXEL)
        for w in (50e-9, 80e-9)
    ]
    assert widths[1] / widths[0] == pytest.approx(1.6, rel=0.05)


def test_defocus_spreads_the_beam_and_bends_its_phase():
    focus, away = (replace(ZonePlate(), defocus=d).probe((64, 64), PIXEL) for d in (0.0, 150e-6))
    assert np.abs(away).max() < 0.8 * np.abs(focus).max()
    assert np.abs(focus.imag).max() < 1e-6 * np.abs(focus).max()
    assert np.ptp(np.angle(away[32, 24:41])) > 0.5


def test_modes_are_orthogonal_and_fall_off():
    modes = ZonePlate().modes(3, (64, 64), PIXEL).reshape(3, -1)
    gram = modes @ modes.conj().T
    power = np.diag(gram).real
    assert power.sum() == pytest.approx(1)
    assert power[0] > 0.6
    assert power[0] > power[1] >= power[2] * (1 - 1e-9) > 0
    assert np.abs(gram - np.diag(power)).max() < 1e-10


def test_one_mode_is_the_coherent_beam():
    zone_plate = ZonePlate()
    np.testing.assert_array_equal(
        zone_plate.modes(1, (32, 32), PIXEL)[0], zone_plate.probe((32, 32), PIXEL)
    )


def test_the_shift_ramp_moves_down_and_right():
    image = np.zeros((8, 6))
    image[2, 1] = 1
    moved = np.fft.ifft2(np.fft.fft2(image) * shift_ramp(image.shape, 3, 2)).real
    assert np.unravel_index(moved.argmax(), moved.shape) == (5, 3)
