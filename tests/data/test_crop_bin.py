"""Less of each frame: what is read, and that geometry, mask and probe still belong to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_ptychonn.data.bad_pixels import BadPixels
from napari_ptychonn.data.crop_bin import (
    crop_and_bin,
    crop_and_bin_reconstruction,
)
from napari_ptychonn.data.frame_source import ArraySource
from napari_ptychonn.data.frame_transforms import Bin, Crop
from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.simulation.scan import SimulatedScan


class Watched:
    """Frames that remember how much of them was read."""

    def __init__(self, frames: NDArray[Any]) -> None:
        self._frames, self.read = frames, 0
        self.shape, self.dtype = frames.shape, frames.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        block = np.asarray(self._frames[key])
        self.read += block.size
        return block


def test_only_the_window_is_read() -> None:
    frames = Watched(np.arange(4 * 32 * 32).reshape(4, 32, 32))
    block = LazyFrames(ArraySource(frames), (Crop(8, 8, 16, 16), Bin(2)))[1]
    assert frames.read == 16 * 16
    assert block.shape == (8, 8)


@settings(max_examples=40)
@given(
    crop=st.sampled_from([None, 16, 17, 24, 40]),
    bin=st.integers(1, 2),
    first=st.one_of(st.integers(0, 5), st.just(slice(1, 4)), st.just(np.array([5, 0, 2]))),
    rows=st.sampled_from([slice(None), slice(2, 5), slice(3, 3), 4]),
)
def test_reading_a_part_is_part_of_reading_all(
    crop: int | None, bin: int, first: Any, rows: Any
) -> None:
    frames = np.random.default_rng(0).integers(0, 2**16, (6, 40, 41)).astype(np.uint16)
    size = [(n if crop is None else min(crop, n)) // bin * bin for n in (40, 41)]
    top, left = 40 // 2 - size[0] // 2, 41 // 2 - size[1] // 2
    whole = frames[:, top : top + size[0], left : left + size[1]].astype(np.int64)
    whole = whole.reshape(6, size[0] // bin, bin, size[1] // bin, bin).sum((2, 4))
    read = LazyFrames(ArraySource(frames), (Crop(top, left, *size), Bin(bin)))
    assert read.shape == whole.shape
    np.testing.assert_array_equal(read[first, rows, 1:7], whole[first][..., rows, :][..., 1:7])
    np.testing.assert_array_equal(np.asarray(read), whole)


def test_cropping_makes_the_object_pixel_larger(toy: SimulatedScan) -> None:
    cropped = crop_and_bin(toy.scan, crop=32)
    assert cropped.frame_shape == (32, 32)
    assert cropped.pixel_size == pytest.approx((20e-9, 20e-9))
    assert cropped.optics.object_pixel(cropped.frame_shape) == pytest.approx(cropped.pixel_size)
    np.testing.assert_array_equal(cropped.frames[0], toy.scan.frames[0][16:48, 16:48])
    np.testing.assert_array_equal(cropped.positions, toy.scan.positions)
    assert "cropped to 32 x 32." in cropped.notes[-1]


def test_binning_keeps_the_object_pixel(toy: SimulatedScan) -> None:
    binned = crop_and_bin(toy.scan, bin=2)
    assert binned.frame_shape == (32, 32)
    assert binned.pixel_size == pytest.approx((10e-9, 10e-9))
    assert binned.optics.object_pixel(binned.frame_shape) == pytest.approx(binned.pixel_size)
    assert int(binned.frames[3].sum()) == int(toy.scan.frames[3].sum())


def test_the_probe_has_the_cropped_far_field(toy: SimulatedScan) -> None:
    cropped = crop_and_bin(toy.scan, crop=48)
    assert cropped.probe is not None
    assert toy.scan.probe is not None

    def far(probe: NDArray[np.complex64]) -> NDArray[Any]:
        shifted = np.fft.ifftshift(probe[0], (-2, -1))
        return np.abs(np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"))) ** 2

    wanted = far(toy.scan.probe)[8:56, 8:56]
    np.testing.assert_allclose(far(cropped.probe), wanted, atol=1e-3 * wanted.max())
    binned = crop_and_bin(toy.scan, bin=2)
    assert binned.probe is not None
    np.testing.assert_allclose(binned.probe, toy.scan.probe[:, 16:48, 16:48], atol=1e-2)


def disagreement(scan: Scan, made: Reconstruction) -> float:
    """Of the frames whose windows lie on whole pixels, and probe times object: share of counts."""
    placed, positions = made.align_to(scan)
    centres = placed.pixel_index(positions)
    whole = np.abs(centres - np.rint(centres)).max(axis=1) < 0.02
    assert whole.sum() > 5
    assert placed.probe is not None
    height, width = scan.frame_shape
    wrong = counts = 0.0
    for index in np.flatnonzero(whole):
        top, left = np.rint(centres[index]).astype(int) - (height // 2, width // 2)
        patch = placed.object[top : top + height, left : left + width]
        if min(top, left) < 0 or patch.shape != (height, width):
            continue
        near = np.fft.ifftshift(placed.probe * patch, (-2, -1))
        far = np.fft.fftshift(np.fft.fft2(near, norm="ortho"), (-2, -1))
        frame = np.asarray(scan.frames[index], float)
        wrong += np.abs((np.abs(far) ** 2).sum(axis=0) - frame).sum()
        counts += frame.sum()
    return wrong / counts


@pytest.mark.parametrize("unit", ["m", "pixel"])
@pytest.mark.parametrize(("crop", "bin"), [(32, 1), (None, 2), (48, 1)])
def test_a_reconstruction_of_the_whole_frames_follows(
    toy: SimulatedScan, crop: int | None, bin: int, unit: Literal["m", "pixel"]
) -> None:
    scan, made = toy.scan, toy.reconstruction
    if unit == "pixel":
        made = made.align_to(replace(scan, positions=scan.positions / 10e-9, unit="pixel",
                                  pixel_size=(1.0, 1.0)))[0]  # fmt: skip
        scan = replace(scan, positions=scan.positions / 10e-9, unit="pixel", pixel_size=(1.0, 1.0))
    small = crop_and_bin(scan, crop, bin)
    fitting = crop_and_bin_reconstruction(made, scan, crop, bin)
    assert fitting.probe is not None
    assert fitting.probe.shape[-2:] == small.frame_shape
    assert fitting.pixel_size == pytest.approx(small.pixel_size)
    if bin == 1:  # summed pixels blur what a wide beam makes, so that these are not compared
        assert disagreement(small, fitting) < 1.15 * disagreement(scan, made)
    else:
        np.testing.assert_array_equal(fitting.object, made.object)


def test_a_reconstruction_of_reduced_frames_stays(toy: SimulatedScan) -> None:
    small = crop_and_bin_reconstruction(toy.reconstruction, toy.scan, 32)
    assert crop_and_bin_reconstruction(small, toy.scan, 32) is small
    assert crop_and_bin_reconstruction(toy.reconstruction, toy.scan) is toy.reconstruction
    bare = replace(toy.reconstruction, probe=None, pixel_size=(20e-9, 20e-9))
    assert crop_and_bin_reconstruction(bare, toy.scan, 32) is bare


def test_positions_in_object_pixels_follow(toy: SimulatedScan) -> None:
    scan = replace(toy.scan, unit="pixel", pixel_size=(1.0, 1.0))
    cropped = crop_and_bin(scan, crop=32)
    assert cropped.pixel_size == (1.0, 1.0)
    np.testing.assert_allclose(cropped.positions, scan.positions / 2)


def test_masks_follow(toy: SimulatedScan) -> None:
    frames = np.asarray(toy.scan.frames).copy()
    frames[:, 20, 21] = np.random.default_rng(0).poisson(9000, len(frames))
    faulty = BadPixels.find(frames[:32])
    scan = replace(toy.scan, frames=frames, bad_pixels=faulty, valid=faulty.valid)
    cropped = crop_and_bin(scan, crop=32)
    assert cropped.valid is not None
    assert np.argwhere(~cropped.valid).tolist() == [[4, 5]]
    assert cropped.masked_above(None).valid is None
    binned = crop_and_bin(scan, crop=32, bin=2)
    assert binned.valid is not None
    assert np.argwhere(~binned.valid).tolist() == [[2, 2]]


@pytest.mark.parametrize(("crop", "bin"), [(128, 1), (4, 1), (None, 16), (0, 1), (None, 0)])
def test_what_cannot_be_done_is_said(toy: SimulatedScan, crop: int | None, bin: int) -> None:
    with pytest.raises(InputError, match="expected"):
        crop_and_bin(toy.scan, crop=crop, bin=bin)


def test_nothing_to_do_changes_nothing(toy: SimulatedScan) -> None:
    assert crop_and_bin(toy.scan) is toy.scan
    assert crop_and_bin(toy.scan, crop=64) is toy.scan
