from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_ptychonn.comparison.ring_correlation import Resolution, correlate_rings, half_bit

WHOLE = np.ones((96, 128), np.bool_)


def noise(seed, shape=WHOLE.shape):
    real, imag = np.random.default_rng(seed).normal(size=(2, *shape))
    return real + 1j * imag


seeds = st.integers(0, 2**32 - 1)
factors = st.floats(0.01, 100)
angles = st.floats(-np.pi, np.pi)


@given(seeds, factors)
def test_an_image_correlates_with_itself_at_every_frequency(seed, factor):
    image = noise(seed)
    rings = correlate_rings(image, factor * image, WHOLE)
    np.testing.assert_allclose(rings.correlation, 1, atol=1e-9)
    assert rings.resolution == Resolution(half_period=1.0, reached="grid", unit="pixel")
    assert str(rings.resolution) == "≤ 1 px"


@given(seeds)
def test_independent_noise_does_not_correlate_and_has_no_resolution(seed):
    rings = correlate_rings(noise(seed), noise(seed + 1), WHOLE)
    # Complex noise: the real part of the correlation has a variance of 1 / 2n.
    expected = 1 / np.sqrt(2 * rings.samples)
    assert np.all(np.abs(rings.correlation) < 6 * expected)
    judged = rings.samples >= 30
    assert np.all(rings.correlation[judged] < rings.threshold[judged])


def test_the_number_of_independent_numbers_is_on_the_safe_side():
    """Noise scatters by less than they say; with all pixels of a ring it would by more."""
    deviations = [correlate_rings(noise(k), noise(k + 1000), WHOLE) for k in range(0, 200, 2)]
    scatter = np.std([rings.correlation for rings in deviations], axis=0)
    expected = 1 / np.sqrt(2 * deviations[0].samples)
    assert 0.75 < np.median(scatter / expected) < 1.02


@given(seeds, factors, angles, st.complex_numbers(max_magnitude=10))
def test_scale_constant_and_common_phase_change_nothing(seed, factor, angle, constant):
    a = ndimage.gaussian_filter(noise(seed), 2)
    b = a + 0.1 * noise(seed + 1)
    turn = np.exp(1j * angle)
    before = correlate_rings(a, b, WHOLE)
    after = correlate_rings(turn * a * factor + constant, turn * b, WHOLE)
    np.testing.assert_allclose(after.correlation, before.correlation, atol=1e-6)


def test_a_phase_between_the_images_counts():
    image = noise(3)
    rings = correlate_rings(image, 1j * image, WHOLE)
    np.testing.assert_allclose(rings.correlation, 0, atol=1e-9)
    assert rings.resolution.half_period is None
    assert str(rings.resolution) == "undefined"


def test_a_common_outline_is_no_agreement():
    """Both are bright inside a disc and noise otherwise: only the noise is compared."""
    y, x = np.mgrid[:96, :96] - 48
    disc = np.hypot(y, x) < 40
    a, b = (5 + noise(k, disc.shape) for k in (1, 2))
    rings = correlate_rings(np.where(disc, a, 0), np.where(disc, b, 0), disc)
    judged = rings.samples >= 30
    assert np.all(rings.correlation[judged] < rings.threshold[judged])


def test_what_lies_outside_the_mask_does_not_count():
    mask = np.zeros_like(WHOLE)
    mask[20:70, 30:100] = True
    image, other = noise(5), noise(6)
    rings = correlate_rings(image, np.where(mask, image, np.nan * other), mask)
    np.testing.assert_allclose(rings.correlation, 1, atol=1e-9)
    assert len(rings.frequency) == 25, "rings are as fine as what is compared is large"


@pytest.mark.parametrize("cut", [0.1, 0.2, 0.35])
def test_the_resolution_of_a_band_limit_is_known(cut):
    """Below `cut` the images are the same, beyond it they have nothing in common."""
    shape = (256, 256)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n) for n in shape], indexing="ij"))
    shared, one, two = (np.fft.fft2(noise(k, shape)) for k in (1, 2, 3))
    a, b = (np.fft.ifft2(np.where(frequency < cut, shared, own)) for own in (one, two))
    found = correlate_rings(a, b, np.ones(shape, np.bool_), (10e-9, 10e-9), "m").resolution
    assert found.reached == "crossing"
    assert found.half_period == pytest.approx(10e-9 * 0.5 / cut, rel=0.05)


def test_the_resolution_of_a_blur_in_noise_is_known():
    """One image blurred by a Gaussian in white noise: FRC = 1 / √(1 + noise / signal)."""
    shape, sigma, share = (512, 512), 1.5, 0.05
    sharp = noise(1, shape)
    blurred = ndimage.gaussian_filter(sharp, sigma, mode="wrap") + share * noise(2, shape)
    rings = correlate_rings(sharp, blurred, np.ones(shape, np.bool_))
    transfer = np.exp(-2 * (np.pi * rings.frequency * sigma) ** 2)
    expected = transfer / np.sqrt(transfer**2 + share**2)
    crossing = rings.frequency[np.argmax(expected < rings.threshold)]
    assert rings.resolution.half_period == pytest.approx(0.5 / crossing, rel=0.05)
    trusted = rings.samples > 500
    np.testing.assert_allclose(rings.correlation[trusted], expected[trusted], atol=0.1)


def test_pixels_need_not_be_square():
    """The same structure, sampled twice as finely along x."""
    coarse = correlate_rings(noise(1), noise(1), WHOLE, (2.0, 1.0))
    assert coarse.pixel == 2.0
    assert coarse.frequency[-1] <= 1 / (2 * 2.0)
    assert np.all(np.diff(coarse.frequency) == pytest.approx(1 / 128))


def test_slow_waves_in_the_first_rings_decide_nothing():
    image = noise(4, (128, 128))
    y, _ = np.mgrid[:128, :128] / 128
    waved = image + 0.3 * np.cos(2 * np.pi * y)
    rings = correlate_rings(image, waved, np.ones(y.shape, np.bool_))
    assert rings.correlation[0] < rings.threshold[0]
    assert rings.resolution.reached == "grid"


def test_an_image_of_nothing_has_no_resolution():
    flat = correlate_rings(np.ones(WHOLE.shape), noise(1), WHOLE)
    assert np.isnan(flat.correlation).all()
    assert flat.resolution.reached == "nothing"
    with pytest.raises(ValueError, match="mask is empty"):
        correlate_rings(noise(1), noise(1), ~WHOLE)


def test_the_threshold_is_the_published_curve():
    """Van Heel & Schatz 2005, eq. 17: 1/2 bit for many voxels is 0.1716, for one it is 1."""
    assert half_bit(np.array([1.0]))[0] == pytest.approx(1.0, abs=1e-3)
    assert half_bit(np.array([1e12]))[0] == pytest.approx(0.1716, abs=1e-4)
    assert np.all(np.diff(half_bit(np.geomspace(1, 1e6))) < 0)


def test_a_resolution_is_spoken_in_its_unit():
    one = Resolution(half_period=1.234e-8, reached="crossing", unit="m")
    assert str(one) == "12.3 nm"
    assert str(replace(one, half_period=2.5e-6)) == "2.5 µm"
    assert str(replace(one, half_period=2.5, unit="pixel", reached="grid")) == "≤ 2.5 px"
