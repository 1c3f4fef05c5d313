from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.studies.judge import Evaluator


@pytest.fixture(scope="module")
def judge(small):
    return Evaluator(small.scan, small.truth, np.arange(len(small.scan)))


def test_the_reference_itself_has_no_error(judge, small):
    judged = judge.judge(small.truth)
    assert judged.phase_rms < 1e-5
    assert judged.amplitude_rms < 1e-5
    assert judged.errors.phase_correlation == pytest.approx(1.0)
    assert judged.errors.pixels == judge.pixels


def test_what_no_frame_can_tell_is_no_error(judge, small):
    """Global phase, ramp and amplitude."""
    rows, columns = np.indices(small.truth.object.shape)
    turned = 1.3 * small.truth.object * np.exp(1j * (0.7 + 0.01 * rows - 0.02 * columns))
    judged = judge.judge(replace(small.truth, object=turned.astype(np.complex64)))
    assert judged.phase_rms < 1e-4
    assert judged.amplitude_rms < 1e-4


def test_an_object_on_another_grid_is_compared_where_it_lies(judge, small):
    """Cut off rows and columns: the same sample, another origin."""
    truth = small.truth
    origin = np.asarray(truth.origin) + np.asarray([3, 5]) * np.asarray(truth.pixel_size)
    cut = replace(truth, object=truth.object[3:, 5:], origin=(float(origin[0]), float(origin[1])))
    assert judge.judge(cut).phase_rms < 1e-4


def test_noise_is_measured(judge, small):
    noise = np.random.default_rng(0).normal(0, 0.05, small.truth.object.shape)
    noisy = replace(small.truth, object=(small.truth.object * np.exp(1j * noise)).astype("c8"))
    judged = judge.judge(noisy)
    assert judged.phase_rms == pytest.approx(0.05, rel=0.15)
    assert judged.columns("epie")["epie_phase_rms"] == judged.phase_rms


def test_only_the_hull_of_the_points_counts(small):
    lower = np.flatnonzero(small.scan.positions[:, 0] >= 0)
    judge = Evaluator(small.scan, small.truth, lower)
    wrong = small.truth.object.copy()
    wrong[: wrong.shape[0] // 2 - 6] *= 1j
    assert judge.judge(replace(small.truth, object=wrong)).phase_rms < 1e-4


@pytest.mark.parametrize("points", [[0], [0, 1, 2], [5, 5, 5, 5]])
def test_points_without_area_are_refused(small, points):
    with pytest.raises(InputError, match="enclose"):
        Evaluator(small.scan, small.truth, np.asarray(points))
