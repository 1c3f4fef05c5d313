from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.consistency.gain import estimate_gain

GOOD = np.ones((32, 32), bool)


def photons(mean, seed):
    rng = np.random.default_rng(seed)
    away = (np.arange(32) - 16)[:, None] ** 2 + (np.arange(32) - 16) ** 2
    return rng.poisson(mean * np.exp(-away / 60), (8, 32, 32))


@given(
    mean=st.floats(0.5, 3000),
    gain=st.floats(1e-6, 1e6),
    dtype=st.sampled_from(["<f4", ">f4", "<f8"]),
    hot=st.sampled_from([None, 0.1234, 5e5, np.nan]),
    seed=st.integers(0, 2**16),
)
def test_the_gain_of_scaled_counts_is_found(mean, gain, dtype, hot, seed):
    counts = photons(mean, seed)
    frames = (counts * gain).astype(dtype)
    if hot is not None:
        frames[:, 3, 4] = hot * gain
    found = estimate_gain(frames, GOOD)
    assert found.value == pytest.approx(gain, rel=1e-4)
    assert found.warning is None
    assert not found.amplitudes


@given(
    gain=st.integers(1, 500),
    dtype=st.sampled_from([">u4", "<i8", "uint32"]),
    mean=st.floats(2, 1000),
    seed=st.integers(0, 2**16),
)
def test_the_gain_of_whole_numbers_is_found(gain, dtype, mean, seed):
    found = estimate_gain((photons(mean, seed) * gain).astype(dtype), GOOD)
    assert found.value == gain
    assert found.warning is None


@given(norm=st.floats(1e-3, 1e3), mean=st.floats(2, 2000), seed=st.integers(0, 2**16))
def test_square_roots_of_counts_are_squared_with_a_warning(norm, mean, seed):
    found = estimate_gain((np.sqrt(photons(mean, seed)) * norm).astype(np.float32), GOOD)
    assert found.amplitudes
    assert found.value == pytest.approx(norm**2, rel=1e-4)
    assert found.warning is not None


def test_frames_divided_by_their_own_monitor_are_reported():
    counts = photons(50, 0)
    found = estimate_gain(counts / np.linspace(1000, 5000, len(counts))[:, None, None], GOOD)
    assert found.warning is not None
    assert found.range == pytest.approx((1 / 5000, 1 / 1000))
    assert found.range[0] <= found.value <= found.range[1]


@given(mean=st.floats(2, 2000), seed=st.integers(0, 2**16))
def test_an_unknown_gain_is_reported(mean, seed):
    counts = photons(mean, seed)
    flat_field = np.random.default_rng(seed).normal(1, 0.05, (32, 32))
    found = estimate_gain((counts / counts.max() * flat_field).astype(np.float32), GOOD)
    assert found.value is None
    assert found.warning is not None


def test_dark_subtracted_counts_are_taken_as_counts():
    noise = np.random.default_rng(0).normal(0, 0.4, (8, 32, 32))
    assert estimate_gain(photons(500, 0) + noise, GOOD).warning is None


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_empty_frames_are_counts(dtype):
    assert estimate_gain(np.zeros((4, 32, 32), dtype), GOOD).warning is None
