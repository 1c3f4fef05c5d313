"""Zero frequency and bad pixels are seen in a few frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
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
