"""Corrections: their text, and that each mistake has one that undoes it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.consistency.correction import WORDS, ScanCorrection
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError

corrections = st.builds(
    ScanCorrection,
    frames=st.integers(0, 7),
    shift=st.tuples(st.integers(-40, 40), st.integers(-40, 40)),
    positions=st.integers(0, 7),
    scale=st.sampled_from([1.0, 1e-3, 0.76923, 1.3, 1e6]),
    about_zero=st.booleans(),
)


@given(correction=corrections)
def test_the_text_is_read_back(correction):
    assert ScanCorrection.parse(str(correction)) == correction


def test_no_text_changes_nothing():
    correction = ScanCorrection.parse("")
    assert not correction
    assert str(correction) == ""


@pytest.mark.parametrize(
    "text",
    [
        "upside-down",
        "positions-scale=0",
        "positions-scale=nan",
        "positions-scale",
        "frames-shift=3",
        "frames-shift=a:b",
    ],
)
def test_what_is_no_correction_is_refused(text):
    with pytest.raises(InputError) as error:
        ScanCorrection.parse(f"frames-transpose,{text}")
    assert error.value.got is not None


def test_the_error_lists_all_words():
    with pytest.raises(InputError) as error:
        ScanCorrection.parse("upside-down")
    assert error.value.expected == WORDS
    assert all(word in str(error.value) for word in WORDS)


def scan_of(frames, positions):
    return Scan(
        frames=frames, positions=positions, valid=frames[0] > 10, unit="m", pixel_size=(1e-9, 2e-9)
    )


@given(
    correction=corrections,
    seed=st.integers(0, 2**16),
    shape=st.sampled_from([(6, 6), (5, 8), (7, 7)]),
)
def test_every_frame_the_mask_and_every_position_are_corrected(correction, seed, shape):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 100, (9, *shape)).astype(np.uint16)
    scan = scan_of(frames, rng.normal(size=(9, 2)))
    corrected = correction.apply(scan)
    expected = np.stack([correction.apply_to_image(frame) for frame in frames])
    np.testing.assert_array_equal(corrected.frames[:], expected)
    np.testing.assert_array_equal(corrected.frames[2:4, 1:3, 2:5], expected[2:4, 1:3, 2:5])
    np.testing.assert_array_equal(corrected.valid, correction.apply_to_image(scan.valid))
    np.testing.assert_allclose(corrected.positions, correction.apply_to_positions(scan.positions))
    assert len(corrected.notes) == len(scan.notes) + bool(correction)


@given(
    orientation=st.integers(0, 7), scale=st.sampled_from([1.0, 0.5, 1e3]), seed=st.integers(0, 99)
)
def test_positions_keep_the_middle_of_the_scan_and_all_distances(orientation, scale, seed):
    positions = np.random.default_rng(seed).normal(size=(20, 2))
    turned = ScanCorrection(positions=orientation, scale=scale).apply_to_positions(positions)
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
    np.testing.assert_allclose((turned.min(axis=0) + turned.max(axis=0)) / 2, middle, atol=1e-9)
    np.testing.assert_allclose(
        np.linalg.norm(turned - turned[0], axis=1),
        scale * np.linalg.norm(positions - positions[0], axis=1),
    )


def test_about_zero_is_a_change_of_the_axes_of_the_stage():
    positions = np.array([[1.0, 2.0], [3.0, 5.0]])
    mirrored = ScanCorrection.parse("positions-flip-x,positions-about-zero")
    np.testing.assert_array_equal(mirrored.apply_to_positions(positions), positions * [1, -1])
    exchanged = ScanCorrection.parse("positions-exchange,positions-about-zero")
    np.testing.assert_array_equal(exchanged.apply_to_positions(positions), positions[:, ::-1])


def test_the_pixels_of_transposed_frames_are_transposed_too(toy):
    optics = replace(toy.scan.optics, detector_pitch=(1e-6, 2e-6))
    scan = replace(toy.scan, pixel_size=(1e-9, 2e-9), optics=optics)
    corrected = ScanCorrection(frames=4).apply(scan)
    assert corrected.pixel_size == (2e-9, 1e-9)
    assert corrected.optics.detector_pitch == (2e-6, 1e-6)
