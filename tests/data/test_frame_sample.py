"""Zero frequency and bad pixels are seen in a few frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_ptychonn.data.frame_sample import FrameSample
from napari_ptychonn.data.frame_source import ArraySource
from napari_ptychonn.data.lazy_frames import LazyFrames


def sample(frames: NDArray[Any]) -> FrameSample:
    return FrameSample.from_stack(LazyFrames(ArraySource(frames)))


def donut(n: int = 64) -> NDArray[np.float32]:
    """A zone plate's far field: a ring, with little in the middle of it."""
    y, x = np.mgrid[:n, :n] - n // 2
    radius = np.hypot(y, x)
    return np.repeat(np.exp(-((radius - 6) ** 2) / 4)[np.newaxis], 5, 0).astype(np.float32)


def test_centre_and_corner() -> None:
    assert not sample(donut()).has_zero_frequency_at_corner()
    assert sample(np.fft.ifftshift(donut(), axes=(1, 2))).has_zero_frequency_at_corner()


def test_a_beam_stop_is_not_a_corner() -> None:
    frames = donut() + 0.01
    frames[:, 20:44, 20:44] = 0
    assert not sample(frames).has_zero_frequency_at_corner()


def test_flat_frames_are_centred() -> None:
    assert not sample(np.ones((4, 16, 16))).has_zero_frequency_at_corner()


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.float32])
def test_markers(dtype: type) -> None:
    frames = np.arange(4 * 64, dtype=dtype).reshape(4, 8, 8)
    if np.issubdtype(dtype, np.unsignedinteger):
        frames[2, 1, 1] = np.iinfo(dtype).max
    else:
        frames[:, 1, 1] = -1
    assert np.argwhere(sample(frames).invalid_pixels()).tolist() == [[1, 1]]


def test_numbers_that_are_not_finite() -> None:
    frames = np.random.default_rng(0).normal(size=(4, 8, 8))
    frames[:, 2, 2] = np.nan
    frames[1, 3, 3] = np.inf
    found = sample(frames)
    assert np.argwhere(found.invalid_pixels()).tolist() == [[2, 2]]


def test_the_sample_is_small_and_spread() -> None:
    found = sample(np.zeros((1000, 4, 4)))
    assert len(found.frames) == 32
    assert found.indices[[0, -1]].tolist() == [0, 999]


MARKERS = {
    "uint16": 2**16 - 1,
    "uint32": 2**32 - 1,
    "int32": -1,
    "int64": 2**32 - 1,
    "uint64": 2**32 - 1,
    "float32": 2**32 - 1,
    "float64": 2**31 - 1,
}


@given(
    dtype=st.sampled_from(sorted(MARKERS)),
    order=st.sampled_from("<>"),
    place=st.tuples(st.integers(0, 63), st.integers(0, 63)),
    corner=st.booleans(),
)
def test_one_marked_pixel_anywhere_moves_nothing(dtype, order, place, corner):
    frames = (1000 * donut()).astype(np.dtype(dtype).newbyteorder(order))
    if corner:
        frames = np.fft.ifftshift(frames, axes=(1, 2))
    frames[:, *place] = MARKERS[dtype]
    found = sample(frames)
    assert np.argwhere(found.invalid_pixels()).tolist() == [list(place)]
    assert found.has_zero_frequency_at_corner() == corner


@given(
    value=st.floats(1, 2.0**40),
    place=st.tuples(st.integers(0, 63), st.integers(0, 63)),
    frame=st.sampled_from([0, 3, slice(None)]),
    corner=st.booleans(),
)
def test_one_bright_pixel_anywhere_moves_nothing(value, place, frame, corner):
    frames = donut()
    if corner:
        frames = np.fft.ifftshift(frames, axes=(1, 2))
    frames[frame, *place] += np.float32(value)
    assert sample(frames).has_zero_frequency_at_corner() == corner


@given(
    sigma=st.floats(0.3, 30),
    dtype=st.sampled_from(["int16", "int32", "int64", "float32"]),
    seed=st.integers(0, 2**16),
)
def test_dark_subtracted_frames_have_no_markers(sigma, dtype, seed):
    noise = np.random.default_rng(seed).normal(0, sigma, (12, 16, 16))
    frames = np.round(100 * donut(16)[:1] + noise).astype(dtype)
    frames[:, 5, 5] = -2
    assert np.argwhere(sample(frames).invalid_pixels()).tolist() == [[5, 5]]
