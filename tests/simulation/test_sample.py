"""Test patterns: feature sizes, physics of tungsten, and that no part repeats."""

import numpy as np
import pytest
from skimage.morphology import isotropic_opening

from napari_ptychonn.errors import InputError
from napari_ptychonn.simulation import sample as pattern

WAVELENGTH = 1.409e-10
PIXEL = 10e-9


@pytest.fixture(scope="module")
def etched():
    rng = np.random.default_rng(3)
    return pattern.etched_tungsten((300, 320), PIXEL, WAVELENGTH, rng)


def test_tungsten_of_one_micrometre_delays_by_1p65_rad_and_passes_88_percent():
    wave = pattern.tungsten(np.array([1e-6]), WAVELENGTH)
    assert np.angle(wave)[0] == pytest.approx(-1.65, abs=0.02)
    assert abs(wave)[0] == pytest.approx(0.879, abs=0.005)


def test_etched_transmission_is_physical(etched):
    phase, amplitude = np.angle(etched), np.abs(etched)
    assert etched.shape == (300, 320)
    assert -1.15 < phase.min() < -0.8
    assert phase.max() < 1e-6
    assert 0.9 < amplitude.min() < 0.97
    assert amplitude.max() <= 1
    # Absorption and phase come from one thickness.
    ratio = np.log(amplitude[phase < -0.5]) / phase[phase < -0.5]
    expected = pattern.TUNGSTEN_BETA / pattern.TUNGSTEN_DELTA
    assert np.median(ratio) == pytest.approx(expected, rel=1e-3)  # edges are averages


@pytest.mark.parametrize("tone", [False, True], ids=["gaps", "tungsten"])
def test_features_are_50_to_500_nm_wide(etched, tone):
    mask = (np.angle(etched) < -0.3) == tone
    survives = [
        isotropic_opening(mask, width / 2 / PIXEL).sum() / mask.sum()
        for width in (40e-9, 150e-9, 500e-9)
    ]
    assert survives[0] > 0.95  # nothing much narrower than 50 nm
    assert 0.1 < survives[1] < 0.85  # a broad mix in between
    assert survives[2] < 0.1  # nothing wider than 500 nm


def test_both_tones_cover_a_good_part(etched):
    assert 0.3 < np.mean(np.angle(etched) < -0.3) < 0.7


def test_every_part_of_the_field_is_different(etched):
    blocks = np.angle(etched)[:300, :300].reshape(5, 60, 5, 60).swapaxes(1, 2).reshape(25, -1)
    correlation = np.corrcoef(blocks) - np.eye(25)
    assert np.abs(correlation).max() < 0.5


def test_the_natural_field_has_a_falling_spectrum_and_independent_channels():
    field = pattern.natural_field((256, 256), PIXEL, WAVELENGTH, np.random.default_rng(0))
    power = np.abs(np.fft.fft2(np.angle(field) - np.angle(field).mean())) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256))) * 256
    ring = [power[(radius >= r) & (radius < r + 2)].mean() for r in (4, 16, 64)]
    assert ring[0] > 5 * ring[1] > 25 * ring[2]
    assert abs(np.corrcoef(np.angle(field).ravel(), np.abs(field).ravel())[0, 1]) < 0.4


@pytest.mark.parametrize("name", pattern.PATTERNS)
def test_each_pattern_depends_on_the_seed_only(name):
    first, again, other = (
        pattern.draw_pattern(name, (90, 75), PIXEL, WAVELENGTH, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert first.shape == (90, 75)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    assert np.abs(first).max() <= 1 + 1e-12


def test_an_unknown_pattern_is_named():
    with pytest.raises(InputError, match=r"no pattern 'cat'.*etched tungsten"):
        pattern.draw_pattern("cat", (9, 9), PIXEL, WAVELENGTH, np.random.default_rng(0))
