import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from napari_ptychonn.data.region import Split, TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.simulation.scan import Simulation

SCAN = Simulation(points=(10, 12)).run().scan


@given(
    chosen=st.sets(st.integers(0, 119), min_size=40),
    kind=st.sampled_from(["blocks", "random"]),
    fraction=st.floats(0, 0.5),
    gap=st.floats(0, 1.5),
)
def test_every_point_has_exactly_one_part(chosen, kind, fraction, gap):
    split = Split(kind=kind, fraction=fraction, gap=gap)
    region = TrainingRegion.from_indices(SCAN, np.array(sorted(chosen)), split)
    parts = [region.train, region.validation, region.gap, region.held_out]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(SCAN)))
    assert set(region.held_out) == set(range(120)) - chosen


def test_validation_block_keeps_its_distance():
    region = TrainingRegion.from_indices(SCAN, slice(0, 100), Split(gap=2.0))
    tree = cKDTree(SCAN.positions[region.validation])
    nearest, _ = tree.query(SCAN.positions[region.train])
    assert nearest.min() > 1.9 * SCAN.step
    assert len(region.gap) > 0
    np.testing.assert_array_equal(region.validation, np.arange(90, 100))


def test_random_split_is_reproducible():
    split = Split(kind="random", seed=3)
    first, again = (TrainingRegion.from_indices(SCAN, slice(0, 100), split) for _ in range(2))
    np.testing.assert_array_equal(first.validation, again.validation)
    assert len(first.validation) == 10
    assert len(first.gap) == 0


def test_lines_polygon_and_every_kth_choose_what_they_say():
    whole = Split(fraction=0)
    lines = TrainingRegion.from_lines(SCAN, 2, 5, whole)
    np.testing.assert_array_equal(lines.train, np.arange(24, 60))
    every = TrainingRegion.every(SCAN, 4, whole)
    np.testing.assert_array_equal(every.train, np.arange(0, 120, 4))
    y, x = SCAN.positions.min(axis=0) - 1e-9
    size = 3.5 * SCAN.step
    corners = np.array([[y, x], [y, x + size], [y + size, x + size], [y + size, x]])
    drawn = TrainingRegion.from_polygon(SCAN, corners, whole)
    np.testing.assert_array_equal(drawn.train, [12 * r + c for r in range(4) for c in range(4)])
    assert drawn.counts == "16 train · 0 validation · 104 held out"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: TrainingRegion.from_indices(SCAN, np.array([5, 400])), "frames 0 to 119"),
        (lambda: TrainingRegion.from_indices(SCAN, slice(7, 8)), "at least 2"),
        (lambda: TrainingRegion.every(SCAN, 0), "at least 1"),
        (lambda: TrainingRegion.from_indices(SCAN, slice(0, 9), Split(fraction=1.0)), "fraction"),
        (
            lambda: TrainingRegion.from_lines(
                Simulation(points=(3, 3), path="spiral").run().scan, 0, 1
            ),
            "no scan lines",
        ),
    ],
)
def test_regions_that_cannot_train_say_so(make, says):
    with pytest.raises(InputError, match=says):
        make()
