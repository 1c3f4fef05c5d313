from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.data.patches import Patches
from napari_ptychonn.stitching.mosaic import Mosaic, window_weight
from napari_ptychonn.stitching.uncertainty import Uncertainty

SHAPE = (16, 16)


@pytest.fixture
def judged():
    """Nine agreeing predictions, but that of point 4 is another image with a bad residual."""
    positions = np.stack(np.meshgrid(*[np.arange(3.0) * 8] * 2, indexing="ij"), -1).reshape(-1, 2)
    phase = np.zeros((9, *SHAPE), np.float32)
    phase[4] = 1.0
    residual = np.ones(9, np.float32)
    residual[4] = 7.0
    predictions = Patches(
        indices=np.arange(9), amplitude=np.ones_like(phase), phase=phase, residual=residual
    )
    weight = window_weight(SHAPE)
    mosaic = Mosaic.covering(positions, SHAPE, (1.0, 1.0), weight)
    mosaic.add(predictions, positions)
    return predictions, positions, mosaic.image(), weight


def test_the_odd_one_out_is_doubted_most(judged):
    trust = Uncertainty.from_predictions(*judged, residual_limit=3.0)
    assert trust.overlap_std.argmax() == trust.score.argmax() == 4
    np.testing.assert_array_equal(trust.disagreeing, [4])
    assert "1 of 9 " in trust.sentence


def test_the_residual_map_lies_on_the_mosaic(judged):
    mosaic = judged[2]
    trust = Uncertainty.from_predictions(*judged)
    assert trust.residual_map.shape == mosaic.phase.shape
    np.testing.assert_array_equal(np.isnan(trust.residual_map), np.isnan(mosaic.phase))
    assert np.nanmin(trust.residual_map) == pytest.approx(1.0)
    y, x = np.unravel_index(np.nanargmax(trust.residual_map), mosaic.phase.shape)
    assert np.hypot(y - 16, x - 16) < 6


def test_the_residual_map_averages_as_patch_by_patch_would(judged):
    predictions, positions, _, weight = judged
    positions = positions + np.random.default_rng(3).uniform(0, 0.9, positions.shape)
    mosaic = Mosaic.covering(positions, SHAPE, (1.0, 1.0), weight)
    mosaic.add(predictions, positions)
    residual = np.arange(1.0, 10.0, dtype=np.float32)
    residual[7] = np.nan  # has no say
    told = replace(predictions, residual=residual)
    found = Uncertainty.from_predictions(told, positions, mosaic.image(), weight).residual_map
    painted = Mosaic.covering(positions, SHAPE, (1.0, 1.0), weight)
    constant = np.zeros_like(predictions.phase) + residual[:, None, None]
    painted.add(replace(predictions, amplitude=constant), positions)
    one_by_one = painted.image()
    lit = one_by_one.weight > 0.3  # at a patch's rim the two share pixels out differently
    np.testing.assert_allclose(found[lit], one_by_one.amplitude[lit], atol=0.2)
    assert np.median(np.abs(found - one_by_one.amplitude)[lit]) < 0.01


def test_the_spread_under_a_patch_is_its_weighted_mean(judged):
    predictions, positions, mosaic, weight = judged
    found = Uncertainty.from_predictions(predictions, positions, mosaic, weight).overlap_std
    for k, (y, x) in enumerate((positions - mosaic.origin).astype(int) - 8):
        cell = mosaic.overlap_std[y : y + 16, x : x + 16]
        known = weight * np.isfinite(cell)
        expected = np.nansum(cell * known) / known.sum()
        assert found[k] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_agreement_of_all_is_one_sentence(judged):
    sentence = Uncertainty.from_predictions(*judged, residual_limit=10.0).sentence
    assert "all 9 " in sentence


def test_without_a_beam_only_the_spread_counts(judged):
    predictions, *rest = judged
    blind = Patches(
        indices=predictions.indices, amplitude=predictions.amplitude, phase=predictions.phase
    )
    trust = Uncertainty.from_predictions(blind, *rest)
    assert trust.residual_map is None
    np.testing.assert_array_equal(trust.score, trust.overlap_std)
    assert "no probe" in trust.sentence
    assert not len(trust.disagreeing)
