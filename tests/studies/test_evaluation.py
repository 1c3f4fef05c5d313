from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.studies.evaluation import Evaluator


@pytest.fixture(scope="module")
def evaluator(small):
    return Evaluator(small.scan, small.truth, np.arange(len(small.scan)))


def test_the_reference_itself_has_no_error(evaluator, small):
    found = evaluator.evaluate(small.truth)
    assert found.phase_rms < 1e-5
    assert found.amplitude_rms < 1e-5
    assert found.errors.phase_correlation == pytest.approx(1.0)
    assert found.errors.pixels == evaluator.pixels


def test_what_no_frame_can_tell_is_no_error(evaluator, small):
    """Global phase, ramp and amplitude."""
    rows, columns = np.indices(small.truth.object.shape)
    turned = 1.3 * small.truth.object * np.exp(1j * (0.7 + 0.01 * rows - 0.02 * columns))
    found = evaluator.evaluate(replace(small.truth, object=turned.astype(np.complex64)))
    assert found.phase_rms < 1e-4
    assert found.amplitude_rms < 1e-4


def test_an_object_on_another_grid_is_compared_where_it_lies(evaluator, small):
    """Cut off rows and columns: the same sample, another origin."""
    truth = small.truth
    origin = np.asarray(truth.origin) + np.asarray([3, 5]) * np.asarray(truth.pixel_size)
    cut = replace(truth, object=truth.object[3:, 5:], origin=(float(origin[0]), float(origin[1])))
    assert evaluator.evaluate(cut).phase_rms < 1e-4


def test_noise_is_measured(evaluator, small):
    noise = np.random.default_rng(0).normal(0, 0.05, small.truth.object.shape)
    noisy = replace(small.truth, object=(small.truth.object * np.exp(1j * noise)).astype("c8"))
    found = evaluator.evaluate(noisy)
    assert found.phase_rms == pytest.approx(0.05, rel=0.15)
    assert found.columns("epie")["epie_phase_rms"] == found.phase_rms


def test_only_the_hull_of_the_points_counts(small):
    lower = np.flatnonzero(small.scan.positions[:, 0] >= 0)
    evaluator = Evaluator(small.scan, small.truth, lower)
    wrong = small.truth.object.copy()
    wrong[: wrong.shape[0] // 2 - 6] *= 1j
    assert evaluator.evaluate(replace(small.truth, object=wrong)).phase_rms < 1e-4


@pytest.mark.parametrize("points", [[0], [0, 1, 2], [5, 5, 5, 5]])
def test_points_without_area_are_refused(small, points):
    with pytest.raises(InputError, match="enclose"):
        Evaluator(small.scan, small.truth, np.asarray(points))
