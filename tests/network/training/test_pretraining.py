from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.epochs import train
from napari_ptychonn.network.training.pretraining import Pretraining
from napari_ptychonn.simulation.scan import diffract


@pytest.fixture(scope="module")
def made(toy):
    return Pretraining(points=48, phase=-2.0, amplitude=0.8).simulate_for_scan(toy.scan)


def test_frames_are_as_bright_as_measured_and_follow_from_the_object(toy, made):
    scan, truth = made
    assert scan.frames.shape == (48, *toy.scan.frame_shape)
    assert scan.frames.sum() / 48 == pytest.approx(toy.scan.frames.sum() / len(toy.scan), rel=0.1)
    expected = diffract(truth, scan.positions[:4])
    assert np.abs(scan.frames[:4] - expected).sum() < 0.1 * expected.sum()
    assert (scan.unit, scan.pixel_size) == (toy.scan.unit, toy.scan.pixel_size)


def test_the_sample_has_the_range_that_was_asked_for(made):
    truth = made[1].object
    assert np.abs(truth).min() == pytest.approx(0.8, abs=1e-3)
    assert np.abs(truth).max() == pytest.approx(1.0, abs=1e-3)
    assert np.angle(truth).min() == pytest.approx(-2.0, abs=1e-3)


def test_the_same_seed_gives_the_same_scan(toy, made):
    again, _ = Pretraining(points=48, phase=-2.0, amplitude=0.8).simulate_for_scan(toy.scan)
    other, _ = Pretraining(points=48, phase=-2.0, amplitude=0.8, seed=1).simulate_for_scan(toy.scan)
    np.testing.assert_array_equal(made[0].frames, again.frames)
    assert (made[0].frames != other.frames).any()


def test_what_was_practised_goes_on_with_measured_frames(toy, made):
    options = TrainingOptions(epochs=1, rescans=1)
    region = TrainingRegion.from_indices(made[0], slice(None))
    *_, practised = train(*made, region, options, NetworkOptions(width=4), device="cpu")
    assert len(next(practised.best.predict(toy.scan, device="cpu")))
    region = TrainingRegion.from_lines(toy.scan, 0, 6)
    *_, last = train(toy.scan, toy.reconstruction, region, options, resume=practised.best)
    assert last.number == 2
    assert float(last.best.state["label_spread"][1]) != float(
        practised.best.state["label_spread"][1]
    ), "other labels spread otherwise"


def test_bad_pixels_of_the_scan_to_come_are_those_of_the_practised_model(toy, made):
    valid = np.ones((64, 64), bool)
    valid[5, 6] = False
    options = TrainingOptions(epochs=1, rescans=0)
    region = TrainingRegion.from_indices(made[0], slice(None))
    *_, practised = train(*made, region, options, NetworkOptions(width=4), device="cpu")
    assert practised.best.preprocessing.valid is None
    region = TrainingRegion.from_lines(toy.scan, 0, 6)
    masked = replace(toy.scan, valid=valid)
    *_, last = train(masked, toy.reconstruction, region, options, resume=practised.best)
    np.testing.assert_array_equal(last.best.preprocessing.valid, valid)


def test_a_reconstruction_of_another_sample_is_enough(toy):
    scan, truth = Pretraining(points=20).simulate_for_reconstruction(toy.truth)
    assert scan.frame_shape == toy.truth.probe.shape[-2:]
    assert (scan.unit, scan.pixel_size) == (toy.truth.unit, toy.truth.pixel_size)
    expected = float(np.sum(np.abs(toy.truth.probe) ** 2))
    assert scan.frames.sum() / 20 == pytest.approx(expected, rel=0.1)
    bright, _ = Pretraining(points=20).simulate_for_reconstruction(toy.truth, counts=5000)
    assert bright.frames.sum() / 20 == pytest.approx(5000, rel=0.1)
    assert truth.algorithm == "simulated"


def test_a_probe_without_a_scale_needs_the_counts(toy):
    faint = replace(toy.truth, probe=toy.truth.probe * 1e-6)
    with pytest.raises(InputError, match="1e-06 counts"):
        Pretraining(points=20).simulate_for_reconstruction(faint)
    with pytest.raises(InputError, match="has none"):
        Pretraining(points=20).simulate_for_reconstruction(replace(toy.truth, probe=None))


def test_without_a_probe_there_is_no_pretraining(toy):
    with pytest.raises(InputError, match="needs a probe of 64x64"):
        Pretraining().simulate_for_scan(replace(toy.scan, probe=None))
    with pytest.raises(InputError, match="64x64"):
        Pretraining().simulate_for_scan(toy.scan, np.ones((1, 32, 32), np.complex64))
    with pytest.raises(InputError, match="points"):
        Pretraining(points=1)
