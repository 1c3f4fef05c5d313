from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ptychonn.consistency.correction import ScanCorrection, orientation_matrix
from napari_ptychonn.consistency.overlap import check_overlap
from napari_ptychonn.data.patches import Patches, cut_patches
from napari_ptychonn.optics.illumination import illumination_weight
from napari_ptychonn.simulation.scan import Simulation


def predicted(simulation):
    """Labels with the errors of predictions; their positions, pixel size and weight."""
    truth = simulation.run().reconstruction
    labels = cut_patches(truth, truth.positions, np.arange(len(truth.positions)), (64, 64))
    rng = np.random.default_rng(simulation.seed)
    patches = Patches(
        indices=labels.indices,
        amplitude=labels.amplitude + 0.05 * rng.standard_normal(labels.amplitude.shape),
        phase=labels.phase + 0.15 * rng.standard_normal(labels.phase.shape),
    )
    return patches, truth.positions, truth.pixel_size, illumination_weight(truth.probe, (64, 64))


@pytest.fixture(scope="module")
def overlapping():
    return predicted(Simulation(points=(12, 12), step=60e-9, jitter=10e-9, photons=1e5))


@given(orientation=st.integers(0, 7))
@settings(max_examples=8)
def test_any_orientation_of_positions_is_found(overlapping, orientation):
    patches, positions, pixel, weight = overlapping
    wrong = ScanCorrection(positions=orientation).apply_to_positions(positions)
    check = check_overlap(patches, wrong, pixel, weight)
    if not orientation:
        assert check.correction is None
        return
    found = orientation_matrix(check.correction.positions) @ orientation_matrix(orientation)
    np.testing.assert_array_equal(found, np.eye(2))
    assert check.corrected > check.correlation
    assert str(check.correction) in check.warning


@given(power=st.integers(1, 9))
@settings(max_examples=4)
def test_a_power_of_ten_is_found(overlapping, power):
    patches, positions, pixel, weight = overlapping
    check = check_overlap(patches, positions * 10.0**power, pixel, weight)
    assert check.correction.scale == pytest.approx(10.0**-power, rel=0.1)


@pytest.mark.parametrize("step", [30e-9, 120e-9, 200e-9, 400e-9])
@pytest.mark.parametrize("path", ["raster", "spiral"])
def test_right_positions_are_not_doubted_at_any_overlap(step, path):
    for seed in range(3):
        simulation = Simulation(points=(10, 10), step=step, path=path, seed=seed)
        check = check_overlap(*predicted(simulation))
        assert check is None or check.warning is None


def test_few_or_flat_predictions_are_not_judged(overlapping):
    patches, positions, pixel, weight = overlapping
    for few in (0, 1, 2, 5):
        assert check_overlap(patches[:few], positions[:few], pixel, weight) is None
    flat = Patches(
        indices=patches.indices,
        amplitude=np.ones_like(patches.amplitude),
        phase=np.zeros_like(patches.phase),
    )
    assert check_overlap(flat, positions, pixel, weight) is None
    assert check_overlap(patches, np.zeros_like(positions), pixel, weight) is None
