"""Expected noise of the square roots of counts."""

import numpy as np
import pytest

from napari_ptychonn.consistency.photon_noise import expected_square


@pytest.mark.parametrize("mean", [0.003, 0.1, 0.7, 2.0, 8.0, 40.0, 1e4])
def test_it_is_that_of_poisson_numbers(mean):
    counts = np.random.default_rng(0).poisson(mean, 400_000)
    measured = np.mean((np.sqrt(counts) - np.sqrt(mean)) ** 2)
    assert expected_square(np.array([mean]))[0] == pytest.approx(measured, rel=0.04)


def test_no_photons_have_no_noise():
    assert expected_square(np.zeros(3)).max() == 0
