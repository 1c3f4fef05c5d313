import numpy as np
import pytest

from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.result import Result
from napari_ptychonn.simulation.scan import diffract
from napari_ptychonn.stitching.mosaic import Mosaic, window_weight


@pytest.fixture
def result(toy):
    """The truth as if a network had predicted it."""
    placed, positions = toy.truth.align_to(toy.scan)
    patches = cut_patches(placed, positions, np.arange(20, 60))
    mosaic = Mosaic.covering(
        positions, patches.shape, placed.pixel_size, window_weight(patches.shape), placed.origin
    )
    mosaic.add(patches, positions[patches.indices])
    return Result(
        predictions=patches,
        positions=positions[patches.indices],
        mosaic=mosaic.image(),
        unit="m",
        probe=placed.probe,
    )


def test_the_mosaic_is_a_starting_point_that_explains_the_frames(toy, result):
    """Object, probe and positions are on one grid: they diffract to what was measured."""
    start = result.starting_point()
    assert np.isfinite(start.object).all()
    measured = toy.scan.frames[start.indices[10:20]]
    expected = diffract(start, start.positions[10:20])
    assert np.abs(expected - measured).sum() < 0.1 * measured.sum()
    assert start.algorithm == "PtychoNN"
