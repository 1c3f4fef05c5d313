import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.comparison.registration import align, phase_offset, wrap


@given(st.floats(-50, 50))
def test_wrapping_changes_whole_turns_only(angle):
    wrapped = wrap(np.array(angle))
    assert -np.pi <= wrapped < np.pi
    assert np.isclose(np.exp(1j * wrapped), np.exp(1j * angle), atol=1e-9)


@given(st.floats(-3, 3), st.integers(0, 99))
def test_offset_is_the_median_on_the_circle(offset, seed):
    noise = np.random.default_rng(seed).normal(0, 0.2, 301)
    found = phase_offset(wrap(offset + noise))
    assert abs(wrap(np.array(found - offset - np.median(noise)))) < 1e-9


def test_offset_can_be_weighted():
    assert phase_offset(np.array([0.1, 0.5]), np.array([9.0, 1.0])) == pytest.approx(0.1)


def test_what_is_already_aligned_stays(toy):
    image = toy.truth.object
    aligned, found = align(image, image, np.ones(image.shape, bool))
    assert found.shift == pytest.approx((0.0, 0.0), abs=1e-9)
    assert found.scale == pytest.approx(1.0)
    np.testing.assert_allclose(aligned, image, atol=1e-5)
