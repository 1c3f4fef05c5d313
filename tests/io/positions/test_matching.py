"""Frames and positions are paired by number, else in order, and never cut silently."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.positions.matching import match_frames

numbers = st.lists(st.integers(0, 30), min_size=1, max_size=20)


@given(frames=numbers, positions=numbers)
def test_pairs_have_the_same_number(frames: list[int], positions: list[int]) -> None:
    f, p = (np.array(n, dtype=np.int64) for n in (frames, positions))
    if not set(frames) & set(positions):
        with pytest.raises(InputError, match="none of the"):
            match_frames("x", len(f), np.zeros((len(p), 2)), f, p)
        return
    joined = match_frames("x", len(f), np.zeros((len(p), 2)), f, p)
    np.testing.assert_array_equal(f[joined.frames], joined.numbers)
    np.testing.assert_array_equal(p[joined.positions], joined.numbers)
    assert set(joined.numbers) == set(frames) & set(positions)
    whole = len(frames) == len(positions) == len(joined)
    assert whole == (not joined.notes)
    points, known = joined.points_of(f)
    np.testing.assert_array_equal(joined.numbers[points[known]], f[known])
    assert set(f[~known]) == set(frames) - set(positions)


def test_numbers_that_are_not_as_many() -> None:
    with pytest.raises(InputError, match="expected 3 numbers for 3 frames, got 2"):
        match_frames("x", 3, np.zeros((2, 2)), np.arange(2), None)


@given(
    where=st.tuples(st.floats(-1e-2, 1e-2), st.floats(-1e-2, 1e-2)),
    outlying=st.sets(st.integers(0, 99), min_size=0, max_size=4),
    scale=st.sampled_from([1e-9, 1e-6, 1.0]),
)
def test_outlying_positions_are_left_out_and_named(where, outlying, scale):
    positions = (np.mgrid[:10, :10].reshape(2, -1).T + np.asarray(where) * 1e3) * scale
    rows = sorted(outlying)
    positions[rows] += 1e4 * scale
    joined = match_frames("scan.h5", 100, positions)
    assert joined.frames.tolist() == [k for k in range(100) if k not in outlying]
    assert len(joined.warnings) == bool(outlying)
    assert all(str(rows[0]) in warning for warning in joined.warnings)
