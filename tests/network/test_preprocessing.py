from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.preprocessing import Preprocessing


def scan_of(frames, **known):
    return Scan(frames=frames, positions=np.zeros((len(frames), 2)), **known)


def fitted(shape, size=16, **options):
    frames = np.random.default_rng(0).poisson(50, (4, *shape))
    scan = scan_of(frames)
    return scan, Preprocessing.fit(scan, np.arange(4), size=size, **options)


@pytest.mark.parametrize(
    ("shape", "window", "factor"),
    [
        ((64, 64), (0, 0, 64, 64), 4),
        ((70, 67), (3, 1, 64, 64), 4),
        ((16, 40), (0, 12, 16, 16), 1),
        ((12, 10), (0, 0, 12, 10), 1),
    ],
)
def test_crop_keeps_the_zero_frequency_in_the_middle(shape, window, factor):
    _, preprocessing = fitted(shape, scaling="raw")
    assert (preprocessing.window, preprocessing.bin) == (window, factor)
    spot = np.zeros((1, *shape))
    spot[0, shape[0] // 2, shape[1] // 2] = 1.0
    prepared = preprocessing.read(scan_of(spot), np.arange(1))[0, 0].numpy()
    assert np.unravel_index(prepared.argmax(), prepared.shape) == (8, 8)
    assert prepared.sum() == pytest.approx(1.0 / factor**2)


def test_raw_counts_are_averaged_as_published():
    scan, preprocessing = fitted((64, 64), scaling="raw")
    expected = scan.frames.reshape(4, 16, 4, 16, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(preprocessing.read(scan, np.arange(4))[:, 0], expected, rtol=1e-6)


def test_square_roots_are_scaled_to_their_spread():
    scan, preprocessing = fitted((64, 64))
    prepared = preprocessing.read(scan, np.arange(4)).numpy()
    assert prepared.std() == pytest.approx(1.0, rel=1e-3)


def test_bad_pixels_take_no_part_in_the_average():
    frames = np.full((2, 32, 32), 9.0)
    valid = np.ones((32, 32), bool)
    valid[5, 6] = valid[20:22, 20:22] = False
    frames[:, ~valid] = 1e9
    scan = scan_of(frames, valid=valid)
    preprocessing = Preprocessing.fit(scan, np.arange(2), size=16, scaling="raw")
    prepared = preprocessing.read(scan, np.arange(2))[:, 0].numpy()
    assert prepared[0, 2, 3] == pytest.approx(9.0)
    assert prepared[0, 10, 10] == 0  # a bin without any good pixel
    assert prepared.max() == pytest.approx(9.0)


@given(
    arrays(
        np.float32,
        (2, 16, 16),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    )
)
def test_whatever_the_detector_says_the_input_is_finite(counts):
    preprocessing = Preprocessing(frame_shape=(16, 16), window=(0, 0, 16, 16), bin=1, size=16)
    assert torch.isfinite(preprocessing.apply(torch.from_numpy(counts))).all()


def test_frames_of_another_shape_are_refused():
    _, preprocessing = fitted((64, 64))
    with pytest.raises(InputError, match="64x64 pixels, scan has 32x32"):
        preprocessing.read(scan_of(np.zeros((1, 32, 32))), np.arange(1))


def test_frames_without_any_contrast_are_refused():
    with pytest.raises(InputError, match="all the same"):
        Preprocessing.fit(scan_of(np.full((3, 16, 16), 7)), np.arange(3), size=16)


def test_only_the_window_is_read():
    class Recorder:
        shape, dtype, windows = (1, 70, 70), np.dtype(float), []

        def __getitem__(self, key):
            self.windows.append(key[1:])
            return np.ones(self.shape)[key]

    scan, preprocessing = fitted((70, 70), scaling="raw")
    recorder = Recorder()
    preprocessing.read(replace(scan, frames=recorder, positions=np.zeros((1, 2))), np.arange(1))
    assert recorder.windows == [(slice(3, 67), slice(3, 67))]
