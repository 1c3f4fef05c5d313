"""Frames against the far field of probe · object: right scans pass, mistakes are named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ptychonn.consistency.check import check_far_field
from napari_ptychonn.consistency.consistency import check_consistency
from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.io import read_reconstruction, read_scan
from napari_ptychonn.simulation.scan import Simulation

slow = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def made():
    """Steps of 100 nm, a small part of which a mirrored scan would share."""
    return Simulation(points=(9, 11), step=100e-9, photons=1e5, jitter=10e-9).run()


def without_positions(reconstruction):
    """A reconstruction whose place on the scan is known from its origin alone."""
    return replace(reconstruction, indices=None, positions=None)


def undoes(found, mistake, scan):
    image = np.arange(np.prod(scan.frame_shape)).reshape(scan.frame_shape)
    back = found.apply_to_image(mistake.apply_to_image(image))
    where = found.apply_to_positions(mistake.apply_to_positions(scan.positions))
    return np.array_equal(back, image) and np.allclose(
        where, scan.positions, rtol=0, atol=0.3 * scan.step
    )


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    log_photons=st.floats(3, 7),
    step=st.floats(60e-9, 200e-9),
    modes=st.integers(1, 3),
    degraded=st.booleans(),
)
def test_right_scans_pass(seed, log_photons, step, modes, degraded):
    simulation = Simulation(
        points=(7, 8), step=step, photons=10**log_photons, modes=modes, seed=seed, frame_size=48
    ).run()
    reconstruction = simulation.reconstruction if degraded else simulation.truth
    checks = check_consistency(simulation.scan, reconstruction)
    assert checks.warnings == ()
    assert checks.correction is None


def test_the_truth_explains_everything_but_the_noise(made):
    check = check_far_field(made.scan, made.truth)
    assert check.explained == pytest.approx(1, abs=0.02)
    assert check.misfit == pytest.approx(check.noise_misfit, rel=0.05)


@slow
@given(orientation=st.integers(1, 7))
def test_frames_in_another_orientation_are_named(made, orientation):
    mistake = ScanCorrection(frames=orientation)
    check = check_far_field(mistake.apply(made.scan), made.truth)
    assert check.explained < 0.5
    assert check.corrected > 0.9
    assert undoes(check.correction, mistake, made.scan)
    assert str(check.correction) in check.warning


@slow
@given(shift=st.tuples(st.integers(-9, 9), st.integers(-9, 9)).filter(any) | st.just((32, 32)))
def test_a_zero_frequency_elsewhere_is_named(made, shift):
    mistake = ScanCorrection(shift=shift)
    check = check_far_field(mistake.apply(made.scan), made.truth)
    assert undoes(check.correction, mistake, made.scan)


@slow
@given(orientation=st.integers(1, 7), about_zero=st.booleans())
def test_positions_in_another_orientation_are_named(made, orientation, about_zero):
    mistake = ScanCorrection(positions=orientation, about_zero=about_zero)
    check = check_far_field(mistake.apply(made.scan), without_positions(made.truth))
    assert undoes(check.correction, mistake, made.scan)


@slow
@given(scale=st.sampled_from([1e-6, 1e-3, 0.5, 0.7, 1.3, 2.0, 1e3, 1e6, 1e9]))
def test_positions_of_another_scale_are_named(made, scale):
    mistake = ScanCorrection(scale=scale)
    check = check_far_field(mistake.apply(made.scan), without_positions(made.truth))
    assert check.correction.scale == pytest.approx(1 / scale, rel=0.02)
    assert check.corrected > 0.8


def test_frames_and_positions_together(made):
    mistake = ScanCorrection(frames=4, positions=1)
    check = check_far_field(mistake.apply(made.scan), without_positions(made.truth))
    assert undoes(check.correction, mistake, made.scan)


def test_the_object_of_another_scan_is_reported_without_a_correction(made):
    other = Simulation(points=(9, 11), step=100e-9, photons=1e5, seed=7).run()
    check = check_far_field(made.scan, without_positions(other.truth))
    assert check.correction is None
    assert f"{check.misfit:.3g}" in check.warning


def test_an_object_that_no_frame_lies_on_is_reported(made):
    small = replace(without_positions(made.truth), object=made.truth.object[:32, :32])
    check = check_far_field(made.scan, small)
    assert check.frames == 0
    assert check.warning is not None


def test_lost_frames_and_bad_pixels_do_not_count(made):
    frames = made.scan.frames.copy()
    frames[::3] = 0
    frames[:, 5, 6] = 60_000
    valid = np.ones(made.scan.frame_shape, bool)
    valid[5, 6] = False
    check = check_far_field(replace(made.scan, frames=frames, valid=valid), made.truth)
    assert check.explained == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("missing", ["probe", "other shape"])
def test_where_nothing_can_be_compared_nothing_is_reported(made, missing):
    reconstruction = {
        "probe": replace(made.truth, probe=None),
        "other shape": replace(made.truth, probe=made.truth.probe[:, :32, :32]),
    }[missing]
    assert check_far_field(made.scan, reconstruction) is None


def test_the_real_scan_agrees_with_both_of_its_reconstructions():
    folder = Path(__file__).parents[2] / ".." / "shared" / "data" / "siemens-star"
    star = folder / "siemens_star_516.h5"
    if not star.exists():
        pytest.skip("needs real scans: set NAPARI_PTYCHONN_DATA to their folder")
    for name in ("epie", "epie_first_387"):
        checks = check_consistency(read_scan(star), read_reconstruction(f"{star}::{name}"))
        assert checks.warnings == ()
        assert checks.far_field.explained > 0.8
