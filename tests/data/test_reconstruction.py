from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.errors import InputError


def test_median_difference_places_the_object(toy):
    scan, truth = toy.scan, toy.truth
    shift = np.array([1.5e-6, -2.5e-7])
    moved = replace(
        truth,
        origin=tuple(np.add(truth.origin, shift)),
        positions=truth.positions[::2] + shift,
        indices=truth.indices[::2],
    )
    placed, positions = moved.align_to(scan)
    np.testing.assert_allclose(placed.origin, truth.origin, atol=1e-15)
    np.testing.assert_allclose(positions, scan.positions, atol=1e-15)


def test_corrected_positions_are_used_where_listed(toy):
    scan, truth = toy.scan, toy.truth
    own = truth.positions.copy()
    own[3] += 4e-9  # one corrected position does not move the median
    _, positions = replace(truth, positions=own[:50], indices=np.arange(50)).align_to(scan)
    np.testing.assert_allclose(positions[3] - scan.positions[3], 4e-9)
    np.testing.assert_allclose(positions[50:], scan.positions[50:])


def test_an_object_in_pixels_goes_under_a_scan_in_metres(toy):
    scan, truth = toy.scan, toy.truth
    pixel = np.asarray(truth.pixel_size)
    in_pixels = replace(
        truth,
        unit="pixel",
        pixel_size=(1.0, 1.0),
        origin=tuple(truth.origin / pixel),
        positions=truth.positions / pixel,
    )
    placed, _ = in_pixels.align_to(scan)
    assert placed.unit == "m"
    np.testing.assert_allclose(placed.pixel_size, truth.pixel_size)
    np.testing.assert_allclose(placed.origin, truth.origin, atol=1e-15)


def test_pixels_under_metres_without_calibration_is_refused(toy):
    scan = replace(toy.scan, pixel_size=None)
    in_pixels = Reconstruction(object=toy.truth.object)
    with pytest.raises(InputError, match="unknown pixel size"):
        in_pixels.align_to(scan)


def test_frames_of_another_scan_are_refused(toy):
    other = replace(toy.truth, indices=toy.truth.indices + 1000)
    with pytest.raises(InputError, match="none of which"):
        other.align_to(toy.scan)


def test_pixel_index_inverts_origin_and_pixel_size(toy):
    index = toy.truth.pixel_index(np.asarray([toy.truth.origin]))
    np.testing.assert_allclose(index, 0.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"object": np.zeros((2, 4, 4), np.complex64)}, "expected an object"),
        ({"positions": None}, "come together"),
        ({"positions": np.zeros((3, 2))}, "expected 144 positions"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(toy, wrong, says):
    with pytest.raises(InputError, match=says):
        replace(toy.truth, **wrong)
