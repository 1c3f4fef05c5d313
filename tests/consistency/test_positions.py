"""Positions of a scan against those of a reconstruction, frame by frame."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.consistency.positions import check_positions, compare_positions


def grid(seed, n=8):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((n, n + 3)).reshape(2, -1)
    return np.stack([rows, columns], axis=1) + rng.normal(0, 0.05, (len(rows), 2))


@given(
    seed=st.integers(0, 999),
    orientation=st.integers(0, 7),
    scale=st.sampled_from([1e-3, 0.7, 1.0, 1.3, 1e3]),
    shift=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
)
def test_every_orientation_and_scale_is_found(seed, orientation, scale, shift):
    theirs = grid(seed)
    mistake = ScanCorrection(positions=orientation, scale=scale)
    ours = mistake.apply_to_positions(theirs) + shift
    check = compare_positions(ours, np.arange(len(ours)), theirs, step=1.0)
    if not mistake:
        assert check.warning is None
        return
    corrected = check.correction.apply_to_positions(ours)
    apart = (corrected - corrected.mean(axis=0)) - (theirs - theirs.mean(axis=0))
    assert np.abs(apart).max() < 0.05
    assert str(check.correction) in check.warning


@given(seed=st.integers(0, 999), noise=st.floats(0, 0.2))
def test_refined_positions_agree(seed, noise):
    theirs = grid(seed)
    ours = theirs + np.random.default_rng(seed).normal(0, noise, theirs.shape)
    assert compare_positions(ours, np.arange(len(ours)), theirs, step=1.0).warning is None


def test_positions_of_other_frames_are_reported_without_a_correction():
    theirs = grid(0)
    shuffled = np.random.default_rng(0).permutation(theirs)
    check = compare_positions(shuffled, np.arange(len(theirs)), theirs, step=1.0)
    assert check.correction is None
    assert f"{check.steps_apart:.3g}" in check.warning


@pytest.mark.parametrize("orientation", range(1, 8))
def test_a_scan_is_checked_against_its_reconstruction(toy, orientation):
    wrong = ScanCorrection(positions=orientation).apply(toy.scan)
    check = check_positions(wrong, toy.reconstruction)
    again = check_positions(check.correction.apply(wrong), toy.reconstruction)
    assert again.steps_apart < 0.01
    assert check_positions(toy.scan, toy.reconstruction).warning is None


def test_a_reconstruction_without_positions_is_not_compared(toy):
    bare = replace(toy.reconstruction, indices=None, positions=None)
    assert check_positions(toy.scan, bare) is None
