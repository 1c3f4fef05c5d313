from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ptychonn.data.patches import Patches, cut_patches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.optics.interpolation import TAPS, cubic_weights
from napari_ptychonn.stitching.mosaic import BATCH, Mosaic, window_weight

RNG = np.random.default_rng(5)
NOISE = Reconstruction(
    object=(
        RNG.uniform(0.5, 1.0, (80, 90)) * np.exp(1j * RNG.uniform(-np.pi, np.pi, (80, 90)))
    ).astype(np.complex64)
)
Y, X = np.mgrid[0:80, 0:90]
SMOOTH = Reconstruction(
    object=((0.8 + 0.1 * np.cos(Y / 3)) * np.exp(1j * np.sin(X / 3 + Y / 5))).astype(np.complex64)
)
WHOLE = st.lists(
    st.tuples(st.integers(8, 72), st.integers(10, 80)), min_size=1, max_size=12, unique=True
)
ANYWHERE = st.lists(
    st.tuples(st.floats(10, 68), st.floats(12, 76)), min_size=1, max_size=12, unique=True
)


def stitched(reconstruction, positions, shape=(16, 20), order=None, batches=1):
    positions = np.asarray(positions, float)
    order = np.arange(len(positions)) if order is None else order
    patches = cut_patches(reconstruction, positions, np.arange(len(positions)), shape)
    mosaic = Mosaic.covering(positions, shape, (1.0, 1.0))
    for rows in np.array_split(order, batches):
        mosaic.add(patches[rows], positions[rows])
    return mosaic.image()


def under(image, reconstruction):
    row, column = (round(v) for v in image.origin)
    ny, nx = image.amplitude.shape
    padded = np.pad(reconstruction.object, 30, constant_values=np.nan)
    return padded[row + 30 : row + 30 + ny, column + 30 : column + 30 + nx]


@given(WHOLE)
def test_true_patches_at_whole_positions_give_the_object_back(positions):
    image = stitched(NOISE, positions)
    target, lit = under(image, NOISE), image.weight > 0
    assert lit.any()
    np.testing.assert_allclose(image.amplitude[lit], np.abs(target[lit]), rtol=1e-5)
    error = np.angle(np.exp(1j * image.phase[lit]) * np.conj(target[lit]))
    np.testing.assert_allclose(error, 0, atol=1e-5)
    np.testing.assert_allclose(image.overlap_std[lit], 0, atol=2e-3)


@given(ANYWHERE)
def test_between_pixels_the_mosaic_is_off_by_the_cubic_error(positions):
    """Cut and moved back: waves of 19 pixels come back within 0.6 %, away from the patch rims."""
    image = stitched(SMOOTH, positions)
    target = under(image, SMOOTH)
    inner = image.weight > 0.2  # at a rim the moved patch repeats its last pixel
    error = np.abs(image.amplitude * np.exp(1j * image.phase) - target)[inner]
    assert error.max(initial=0) < 0.006


@given(WHOLE, st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=40)
def test_order_and_batching_do_not_matter(positions, random, batches):
    order = list(range(len(positions)))
    random.shuffle(order)
    one = stitched(NOISE, positions)
    other = stitched(NOISE, positions, order=np.array(order), batches=batches)
    for name in ("amplitude", "weight"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5)
    np.testing.assert_allclose(np.exp(1j * one.phase), np.exp(1j * other.phase), atol=1e-5)


def moved(image, fraction):
    """One image read at (row − f, column − g), line by line; its ends repeat."""
    for axis, f in enumerate(fraction):
        at = np.arange(image.shape[axis]) - f
        below = np.floor(at).astype(int)
        source = np.clip(below[:, None] + TAPS, 0, image.shape[axis] - 1)
        read = np.take(image, source, axis=axis)
        weights = cubic_weights(at - below)
        image = np.einsum("ktx,kt->kx" if axis == 0 else "ykt,kt->yk", read, weights)
    return image


def moved_weight(weight, fraction):
    """Linear between pixels, and 0 at the rim that a patch leaves behind."""
    for axis, f in enumerate(fraction):
        before = np.roll(weight, 1, axis)
        weight = (1 - f) * weight + f * before
        if f > 0:
            weight[(slice(None),) * axis + (0,)] = 0
    return weight


def test_patches_move_as_they_would_one_by_one():
    """More than one batch, and threads, against sums in float64 without either."""
    positions = RNG.uniform(10, 40, (2 * BATCH + 3, 2))
    positions[::5] = positions[::5].round()
    patches = Patches(
        indices=np.arange(len(positions)),
        amplitude=RNG.uniform(0.5, 1, (len(positions), 12, 16)).astype(np.float32),
        phase=RNG.uniform(-np.pi, np.pi, (len(positions), 12, 16)).astype(np.float32),
    )
    mosaic = Mosaic.covering(positions, (12, 16), (1.0, 1.0))
    mosaic.add(patches, positions)
    image = mosaic.image()
    weight, amplitude = np.zeros(image.weight.shape), np.zeros(image.weight.shape)
    phasor = np.zeros(image.weight.shape, complex)
    for k, (y, x) in enumerate(positions - mosaic.origin - np.array([6, 8])):
        fraction = (y % 1, x % 1)
        cell = slice(int(y), int(y) + 12), slice(int(x), int(x) + 16)
        share = moved_weight(window_weight((12, 16)), fraction)
        weight[cell] += share
        amplitude[cell] += share * moved(patches.amplitude[k], fraction)
        turned = np.exp(1j * patches.phase[k].astype(float))
        phasor[cell] += share * moved(turned, fraction)
    lit = image.weight > 0
    np.testing.assert_allclose(image.weight[lit], weight[lit], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose((image.amplitude * image.weight)[lit], amplitude[lit], atol=1e-5)
    # Cubic convolution may overshoot; what is longer than 1 has no spread.
    resultant = np.minimum(np.abs(phasor[lit]) / weight[lit], 1.0)
    found = np.exp(-(image.overlap_std[lit] ** 2) / 2 + 1j * image.phase[lit])
    expected = resultant * np.exp(1j * np.angle(phasor[lit]))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@given(ANYWHERE, st.lists(st.integers(0, 11), max_size=6))
@settings(max_examples=40)
def test_a_frame_that_comes_twice_counts_once(positions, again):
    positions = np.asarray(positions)
    rows = np.array([k % len(positions) for k in again], dtype=int)
    patches = cut_patches(SMOOTH, positions, np.arange(len(positions)), (16, 16))
    once, twice = (Mosaic.covering(positions, (16, 16), (1.0, 1.0)) for _ in range(2))
    for mosaic in (once, twice):
        mosaic.add(patches, positions)
    twice.add(patches[rows], positions[rows])
    np.testing.assert_array_equal(once.image().weight, twice.image().weight)


def test_nothing_predicted_is_nan():
    positions = np.array([[0.0, 0.0], [60.0, 60.0]])
    patches = Patches(
        indices=np.arange(1),
        amplitude=np.ones((1, 16, 16), np.float32),
        phase=np.zeros((1, 16, 16), np.float32),
    )
    mosaic = Mosaic.covering(positions, (16, 16), (1.0, 1.0))
    mosaic.add(patches, positions[:1])
    image = mosaic.image()
    for values in (image.amplitude, image.phase, image.weight, image.overlap_std):
        np.testing.assert_array_equal(np.isfinite(values), image.weight > 0)
        assert np.isfinite(values).sum() == 256


def test_predictions_that_are_not_finite_are_left_out():
    positions = np.array([[0.0, 0.0], [4.0, 4.0]])
    amplitude = np.ones((2, 16, 16), np.float32)
    amplitude[1, 3, 3] = np.nan
    patches = Patches(indices=np.arange(2), amplitude=amplitude, phase=np.zeros_like(amplitude))
    mosaic = Mosaic.covering(positions, (16, 16), (1.0, 1.0))
    mosaic.add(patches, positions)
    assert np.isfinite(mosaic.image().amplitude).sum() == 256


def test_spread_is_the_circular_deviation_of_overlapping_phases():
    positions = np.zeros((2, 2))
    phase = np.stack([np.full((16, 16), 0.3), np.full((16, 16), -0.3)]).astype(np.float32)
    patches = Patches(indices=np.arange(2), amplitude=np.ones_like(phase), phase=phase)
    mosaic = Mosaic.covering(positions, (16, 16), (1.0, 1.0))
    mosaic.add(patches, positions)
    image = mosaic.image()
    lit = image.weight > 0
    np.testing.assert_allclose(image.phase[lit], 0, atol=1e-6)
    np.testing.assert_allclose(image.overlap_std[lit], np.sqrt(-2 * np.log(np.cos(0.3))), rtol=1e-5)


def test_grid_falls_on_the_reconstruction(jittered):
    placed, positions = jittered.truth.align_to(jittered.scan)
    mosaic = Mosaic.covering(positions, (64, 64), placed.pixel_size, anchor=placed.origin)
    index = placed.pixel_index(np.asarray([mosaic.origin]))
    np.testing.assert_allclose(index, np.round(index), atol=1e-6)


def test_true_patches_of_a_spiral_scan_give_the_object_back(jittered):
    placed, positions = jittered.truth.align_to(jittered.scan)
    patches = cut_patches(placed, positions, np.arange(len(positions)))
    mosaic = Mosaic.covering(positions, (64, 64), placed.pixel_size, anchor=placed.origin)
    mosaic.add(patches, positions)
    image = mosaic.image()
    row, column = np.round(placed.pixel_index(np.asarray([mosaic.origin]))[0]).astype(int)
    ny, nx = image.phase.shape
    target = np.pad(placed.object, 8)[row + 8 : row + 8 + ny, column + 8 : column + 8 + nx]
    well_lit = image.weight > 2
    error = np.angle(np.exp(1j * image.phase) * np.conj(target))[well_lit]
    assert np.sqrt(np.mean(error**2)) < 0.05  # edges of etched features are sharper than a pixel


def test_large_patches_are_moved_a_few_at_a_time():
    """Patches of 200 x 220 pixels in batches of two."""
    positions = RNG.uniform(100, 104, (3, 2))
    phase = RNG.uniform(-1, 1, (3, 200, 220)).astype(np.float32)
    patches = Patches(indices=np.arange(3), amplitude=np.ones_like(phase), phase=phase)
    together, alone = (Mosaic.covering(positions, (200, 220), (1.0, 1.0)) for _ in range(2))
    together.add(patches, positions)
    for k in range(3):
        alone.add(patches[k : k + 1], positions[k : k + 1])
    np.testing.assert_allclose(together.image().phase, alone.image().phase, atol=1e-4)


@given(ANYWHERE, st.integers(1, 3))
def test_patches_that_are_on_a_device_already_are_stitched_there_alike(positions, batches):
    positions = np.asarray(positions)
    patches = cut_patches(SMOOTH, positions, np.arange(len(positions)), (16, 20))
    patches.phase[len(patches) // 2, 3, 3] = np.nan
    there, here = (Mosaic.covering(positions, (16, 20), (1.0, 1.0)) for _ in range(2))
    for rows in np.array_split(np.arange(len(positions)), batches):
        batch = patches[rows]
        here.add(batch, positions[rows])
        images = torch.from_numpy(batch.amplitude), torch.from_numpy(batch.phase)
        for _ in range(2):  # what comes again is not counted again
            there.add(replace(batch, on_device=images), positions[rows])
    a, b = here.image(), there.image()
    np.testing.assert_allclose(b.weight, a.weight, rtol=1e-5)
    np.testing.assert_allclose(b.amplitude, a.amplitude, rtol=1e-5)
    np.testing.assert_allclose(np.exp(1j * b.phase), np.exp(1j * a.phase), atol=1e-5)


def test_patches_outside_the_grid_are_a_defect_of_the_caller(toy):
    positions = np.zeros((1, 2))
    patches = Patches(
        indices=np.arange(1),
        amplitude=np.ones((1, 16, 16), np.float32),
        phase=np.zeros((1, 16, 16), np.float32),
    )
    mosaic = Mosaic.covering(positions, (16, 16), (1.0, 1.0))
    with pytest.raises(ValueError, match="outside"):
        mosaic.add(replace(patches, indices=np.array([9])), positions + 20)


def test_window_weight_fades_to_the_rim():
    weight = window_weight((16, 20))
    assert weight.shape == (16, 20)
    assert weight.min() > 0
    assert weight[8, 10] == weight.max()
    np.testing.assert_allclose(weight, weight[::-1, ::-1], rtol=1e-5)
