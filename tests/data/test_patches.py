from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.data.patches import Patches, cut_patches, on_object, phase_origin
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.errors import InputError

ALL = np.arange(144)


def test_whole_positions_copy_pixels(toy):
    placed, positions = toy.truth.align_to(toy.scan)
    patches = cut_patches(placed, positions, np.array([7, 100]), (32, 16))
    row, column = np.round(placed.pixel_index(positions[[100]])[0]).astype(int)
    expected = placed.object[row - 16 : row + 16, column - 8 : column + 8]
    assert patches.shape == (32, 16)
    np.testing.assert_allclose(patches.amplitude[1], np.abs(expected), rtol=1e-6)
    np.testing.assert_allclose(patches.phase[1], np.angle(expected), atol=1e-6)


def test_between_pixels_a_smooth_object_is_read_within_the_cubic_error():
    """The stated error: for waves of 8 pixels or longer, at most 1.5 % of their amplitude."""
    y, x = np.mgrid[0:96, 0:96]

    def wave(y, x):
        return np.exp(0.5j * np.cos(2 * np.pi * y / 8) * np.sin(2 * np.pi * x / 11))

    smooth = Reconstruction(object=wave(y, x).astype(np.complex64))
    centre = np.array([[47.37, 48.81]])
    patch = cut_patches(smooth, centre, np.array([0]), (32, 32))
    py, px = (c + np.arange(32) - 16 for c in centre[0])
    exact = wave(*np.meshgrid(py, px, indexing="ij"))
    error = np.abs(patch.amplitude[0] * np.exp(1j * patch.phase[0]) - exact)
    assert error.max() < 0.015 * 0.5


def test_phase_offset_is_taken_away_without_tearing(toy):
    placed, positions = toy.truth.align_to(toy.scan)
    plain = cut_patches(placed, positions, ALL, (16, 16))
    turned = cut_patches(placed, positions, ALL, (16, 16), phase_offset=2.5)
    np.testing.assert_allclose(
        np.exp(1j * turned.phase), np.exp(1j * (plain.phase - 2.5)), atol=1e-5
    )
    assert np.abs(turned.phase).max() <= np.pi + 1e-6


def test_phase_origin_is_the_angle_of_the_mean_object(toy):
    placed, positions = toy.truth.align_to(toy.scan)
    offset = phase_origin(placed, positions, ALL)
    zeroed = cut_patches(placed, positions, ALL, phase_offset=offset)
    mean = np.mean(zeroed.amplitude * np.exp(1j * zeroed.phase))
    assert abs(np.angle(mean)) < 1e-5


def test_patches_off_the_object_are_counted_and_refused(toy):
    placed, positions = toy.truth.align_to(toy.scan)
    cropped = replace(placed, object=placed.object[:-20])
    there = on_object(cropped, positions, (64, 64))
    assert 0 < there.sum() < len(there)
    with pytest.raises(InputError, match=f"{(~there).sum()} of 144 patches"):
        cut_patches(cropped, positions, ALL)


def test_selecting_and_joining_keep_indices(toy):
    placed, positions = toy.truth.align_to(toy.scan)
    patches = cut_patches(placed, positions, ALL, (8, 8))
    joined = Patches.join([patches[100:], patches[:100]])
    np.testing.assert_array_equal(joined.indices, np.r_[100:144, :100])
    np.testing.assert_array_equal(joined.phase[-1], patches.phase[99])
    assert len(joined) == 144
