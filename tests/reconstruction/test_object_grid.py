"""Where object pixels lie under scan positions, and what is carried over onto them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.data.patches import on_object
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.object_grid import Grid

number = st.floats(-500, 500)


def scan(positions, unit="pixel", pixel=None, shape=(8, 8)):
    frames = np.broadcast_to(np.uint8(0), (len(positions), *shape))
    return Scan(frames=frames, positions=np.asarray(positions), unit=unit, pixel_size=pixel)


@given(
    st.lists(st.tuples(number, number), min_size=1, max_size=8),
    st.sampled_from([1.0, 0.3, 7e-9]),
    st.sampled_from([(8, 8), (7, 7), (6, 9)]),
    st.integers(0, 9),
)
def test_every_frame_lies_on_it_with_its_margin(points, pixel, shape, margin):
    positions = np.asarray(points) * pixel
    unit = "pixel" if pixel == 1.0 else "m"
    grid = Grid.under(scan(positions, unit, (pixel, pixel), shape), positions, margin)
    index = grid.index(positions)
    half = np.asarray(shape) // 2
    assert (np.floor(index) - half >= margin - 1).all()
    assert (np.ceil(index) + half <= np.asarray(grid.shape) - 1 - margin + 1).all()
    np.testing.assert_allclose(grid.position(index), positions, atol=1e-9 * pixel)
    made = Reconstruction(
        object=grid.flat(), pixel_size=grid.pixel_size, origin=grid.origin, unit=unit
    )
    np.testing.assert_allclose(made.pixel_index(positions), index, atol=1e-6)
    assert on_object(made, positions, shape).all()


def test_positions_on_a_raster_of_whole_pixels_stay_whole():
    positions = np.stack(np.meshgrid(np.arange(5), np.arange(4)), -1).reshape(-1, 2) * 30e-9
    grid = Grid.under(scan(positions, "m", (10e-9, 10e-9)), positions, 8)
    index = grid.index(positions)
    np.testing.assert_allclose(index, np.rint(index), atol=1e-6)


def test_an_object_on_the_same_pixels_is_copied_not_interpolated():
    rng = np.random.default_rng(0)
    image = (rng.random((40, 50)) + 1j * rng.random((40, 50))).astype(np.complex64)
    start = Reconstruction(object=image, origin=(-3.25, 2.25))
    positions = np.asarray([[10.0, 12.0], [30.5, 40.0]])
    grid = Grid.under(scan(positions), positions, 6, start)
    sampled = grid.sampled(start)
    index = grid.index(positions)
    there = start.pixel_index(positions)
    for mine, theirs in zip(np.rint(index).astype(int), np.rint(there).astype(int), strict=True):
        window = [slice(k - 4, k + 4) for k in mine]
        source = [slice(k - 4, k + 4) for k in theirs]
        np.testing.assert_array_equal(sampled[tuple(window)], image[tuple(source)])
    assert sampled[0, 0] == 1, "the start does not reach so far"


def test_an_object_beyond_the_grid_leaves_it_flat():
    start = Reconstruction(object=np.full((9, 9), 2j, np.complex64), origin=(1000.0, 0.0))
    positions = np.zeros((1, 2))
    grid = Grid.under(scan(positions), positions, 2, start)
    np.testing.assert_array_equal(grid.sampled(start), grid.flat())


def test_other_pixels_are_interpolated_where_they_lie():
    """A smooth object at half the pixel size keeps its values at the positions."""

    def smooth(y, x):
        return 1 + 0.2 * np.exp(1j * (y + 0.5 * x) / 9)

    rows, columns = np.meshgrid(np.arange(160), np.arange(160), indexing="ij")
    start = Reconstruction(
        object=smooth(rows * 0.5 - 20, columns * 0.5 - 20).astype(np.complex64),
        pixel_size=(0.5, 0.5),
        origin=(-20.0, -20.0),
    )
    positions = np.asarray([[10.25, 8.5], [20.0, 22.75]])
    grid = Grid.under(scan(positions), positions, 2)
    sampled = grid.sampled(start)
    y, x = grid.position(np.stack(np.indices(grid.shape), -1)).transpose(2, 0, 1)
    np.testing.assert_allclose(sampled, smooth(y, x), atol=2e-3)


def test_what_cannot_be_is_one_sentence():
    positions = np.asarray([[0.0, 0.0], [1e-3, 0.0]])
    with pytest.raises(InputError, match="size of an object pixel is not known"):
        Grid.under(scan(positions, "m"), positions, 8)
    with pytest.raises(InputError, match="check the unit"):
        Grid.under(replace(scan(positions, "m"), pixel_size=(1e-9, 1e-9)), positions, 8)
