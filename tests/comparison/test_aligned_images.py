from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.comparison.aligned_images import AlignedImages
from napari_ptychonn.comparison.registration import Alignment
from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.stitching.mosaic import window_weight


@pytest.fixture
def pair(toy):
    """The truth and the truth plus 0.2 rad on its right half."""
    placed, positions = toy.truth.align_to(toy.scan)
    patches = cut_patches(placed, positions, np.arange(len(toy.scan)))
    made = AlignedImages.from_patches(patches, positions, placed, window_weight(patches.shape))
    right = np.arange(made.mask.shape[1]) >= made.mask.shape[1] // 2
    changed = made.reference * np.where(right, np.exp(0.2j), 1)
    return replace(made, predicted=changed.astype(np.complex64))


def wrapped(count=60):
    """Two ramps of five turns, half a radian and 10 % apart."""
    phase = np.broadcast_to(np.linspace(0, 10 * np.pi, count), (count, count))
    return AlignedImages(
        predicted=(1.1 * np.exp(1j * (phase + 0.5))).astype(np.complex64),
        reference=np.exp(1j * phase).astype(np.complex64),
        mask=np.ones((count, count), np.bool_),
        alignment=Alignment(shift=(0.0, 0.0), scale=1.0, offset=0.0, ramp=(0.0, 0.0)),
        pixel_size=(2e-9, 1e-9),
        origin=(1e-6, 2e-6),
        unit="m",
    )


def test_the_stitched_truth_is_the_truth(toy, pair):
    placed, positions = toy.truth.align_to(toy.scan)
    patches = cut_patches(placed, positions, np.arange(len(toy.scan)))
    made = AlignedImages.from_patches(patches, positions, placed, window_weight(patches.shape))
    for channel in ("amplitude", "phase"):
        assert np.nanmax(np.abs(made.difference(channel))) < 2e-3
        np.testing.assert_array_equal(np.isfinite(made.difference(channel)), made.mask)
        assert made.rings(channel).resolution.reached == "grid"
        assert made.rings(channel).resolution.half_period == pytest.approx(10e-9)


def test_differences_are_the_mosaics_minus_the_objects(pair):
    difference = pair.difference("phase")
    half = difference.shape[1] // 2
    assert np.nanmax(np.abs(difference[:, :half])) < 1e-5
    np.testing.assert_allclose(np.nanmedian(difference[:, half:]), 0.2, atol=1e-5)
    assert np.nanmax(np.abs(pair.difference("amplitude"))) < 1e-5


def test_differences_do_not_tear_where_the_phase_wraps():
    pair = wrapped()
    np.testing.assert_allclose(pair.difference("phase"), 0.5, atol=1e-5)
    np.testing.assert_allclose(pair.difference("amplitude"), 0.1, atol=1e-5)
    predicted, wanted = pair.images("phase")
    assert np.abs(wanted).max() <= np.pi + 1e-6
    np.testing.assert_allclose(predicted - wanted, 0.5, atol=1e-5)


def test_a_profile_reads_both_images_at_physical_places():
    pair = wrapped()
    line = ((1e-6 + 20e-9, 2e-6 + 5e-9), (1e-6 + 20e-9, 2e-6 + 25e-9))
    profile = pair.profile(line, "phase")
    assert profile.distance[0] == 0
    assert profile.distance[-1] == pytest.approx(20e-9)
    np.testing.assert_allclose(np.diff(profile.distance), 1e-9)
    _, wanted = pair.images("phase")
    np.testing.assert_allclose(
        np.exp(1j * profile.reference), np.exp(1j * wanted[10, 5:26]), atol=1e-4
    )
    np.testing.assert_allclose(profile.predicted - profile.reference, 0.5, atol=1e-3)
    np.testing.assert_allclose(pair.profile(line, "amplitude").reference, 1, atol=1e-5)


def test_a_slanting_line_is_as_long_as_it_is():
    pair = wrapped()
    profile = pair.profile(((1e-6, 2e-6), (1e-6 + 30e-9, 2e-6 + 40e-9)), "amplitude")
    assert profile.distance[-1] == pytest.approx(50e-9)
    assert np.isfinite(profile.predicted).all()


def test_a_profile_has_gaps_where_nothing_is_compared():
    pair = wrapped()
    mask = pair.mask.copy()
    mask[:, 20:30] = False
    row = 1e-6 + 20e-9
    profile = replace(pair, mask=mask).profile(((row, 2e-6 - 5e-9), (row, 2e-6 + 59e-9)), "phase")
    assert np.isnan(profile.predicted[:5]).all()
    assert np.isnan(profile.reference[25:35]).all()
    assert np.isfinite(profile.reference[6:24]).all()


def test_a_line_of_no_length_is_one_value():
    profile = wrapped().profile(((1e-6, 2e-6), (1e-6, 2e-6)), "phase")
    assert len(profile.distance) == 1


def test_the_offered_line_goes_through_the_middle_the_long_way(pair):
    (y0, x0), (y1, x1) = pair.middle_line
    assert y0 == y1 or x0 == x1
    profile = pair.profile(pair.middle_line, "phase")
    assert np.isfinite(profile.reference).all()
    flat = wrapped()
    (y0, x0), (y1, x1) = flat.middle_line
    assert x0 == x1, "60 rows of 2 nm are longer than 60 columns of 1 nm"
    assert y1 - y0 == pytest.approx(59 * 2e-9)


def test_a_line_to_the_moon_is_read_at_some_places():
    profile = wrapped().profile(((1e-6, 2e-6), (1e-6, 3.8e8)), "phase")
    assert len(profile.distance) <= 20_000
    assert not profile.is_empty, "it begins on the map"
    assert wrapped().profile(((0.0, 0.0), (0.0, 1e-9)), "phase").is_empty
