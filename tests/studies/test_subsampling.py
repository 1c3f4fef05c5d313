from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.studies.subsampling import is_raster, spacing, subsample_scan


def scan_at(positions, line=None):
    positions = np.asarray(positions, float)
    frames = np.zeros((len(positions), 2, 2), np.uint8)
    return Scan(frames=frames, positions=positions, line=line)


def raster(ny, nx, step=3.0):
    rows, columns = np.indices((ny, nx)).reshape(2, -1)
    return scan_at(np.stack([rows, columns], axis=1) * step, rows.astype(np.int64))


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_a_raster_keeps_every_kth_line_and_point(every):
    scan = raster(12, 9)
    kept = np.arange(12 * 9).reshape(12, 9)[::every, ::every].ravel()
    np.testing.assert_array_equal(subsample_scan(scan, every), kept)
    assert spacing(scan.positions[kept]) == pytest.approx(3.0 * every)


def test_lines_may_run_either_way():
    there, back = (
        Simulation(points=(8, 9), path=path, frame_size=8).run().scan
        for path in ("raster", "serpentine")
    )
    one, other = (
        {tuple(np.round(scan.positions[k] * 1e9)) for k in subsample_scan(scan, 2)}
        for scan in (there, back)
    )
    assert one == other


def test_jitter_and_missing_points_do_not_shift_the_columns():
    regular = raster(10, 10)
    rng = np.random.default_rng(0)
    kept = rng.permutation(100)[:90]
    kept = np.union1d(kept, np.arange(10) * 10)  # a line begins with its first point
    moved = scan_at(
        regular.positions[kept] + rng.uniform(-0.5, 0.5, (len(kept), 2)), regular.line[kept]
    )
    wanted = np.intersect1d(subsample_scan(regular, 2), kept)
    np.testing.assert_array_equal(kept[subsample_scan(moved, 2)], wanted)


def test_a_scan_that_moves_along_y_first():
    scan = raster(12, 9)
    turned = replace(scan, positions=np.ascontiguousarray(scan.positions[:, ::-1]))
    np.testing.assert_array_equal(subsample_scan(turned, 3), subsample_scan(scan, 3))


@pytest.mark.parametrize("every", [2, 3, 4])
def test_a_spiral_keeps_as_many_as_a_larger_step_would_have(every):
    scan = Simulation(points=(20, 20), path="spiral", frame_size=8).run().scan
    chosen = subsample_scan(scan, every)
    assert len(chosen) == round(400 / every**2)
    assert spacing(scan.positions[chosen]) > 0.8 * every * scan.step


def test_lines_that_do_not_lie_side_by_side_are_no_raster():
    """As in the Siemens star: few points far apart in each line, the next line shifted."""
    lines = np.repeat(np.arange(20), 5)
    columns = 66.0 * np.tile(np.arange(5), 20) + 13.0 * (lines % 5)
    scan = scan_at(np.stack([3.4 * lines, columns], axis=1), lines)
    assert not is_raster(scan)
    assert is_raster(raster(4, 4))
    assert len(subsample_scan(scan, 2)) == 25


@given(st.integers(1, 60), st.integers(1, 6), st.integers(0, 9))
def test_what_is_chosen_is_part_of_the_scan_once(count, every, seed):
    scan = scan_at(np.random.default_rng(seed).uniform(0, 50, (count, 2)))
    chosen = subsample_scan(scan, every)
    assert 1 <= len(chosen) <= count
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] >= 0 and chosen[-1] < count


def test_points_at_one_place_are_not_chosen_twice():
    assert len(np.unique(subsample_scan(scan_at(np.zeros((9, 2))), 2))) == 2


def test_a_factor_below_one_is_refused():
    with pytest.raises(InputError, match="1 or more, got 0"):
        subsample_scan(raster(3, 3), 0)
