from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.cuda_graph import BEFORE, RecordedStep
from napari_ptychonn.network.training.data import TrainingData
from napari_ptychonn.network.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

STEPS = 12
OPTIONS = TrainingOptions(steps=STEPS, batch_size=16)


def losses(toy, eager, batch_size=16):
    options = replace(OPTIONS, batch_size=batch_size)
    region = TrainingRegion.from_lines(toy.scan, 0, 8)
    network = NetworkOptions(width=4)
    data = TrainingData.load(toy.scan, toy.reconstruction, region, options, network, "cuda")
    fit = Trainer(options, data.network, data, "cuda", STEPS)
    if eager:
        fit.recorded = None
    batches = data.batches(options)
    found = [fit.step(*_numbered(next(batches), k)) for k in range(STEPS)]
    return torch.stack(found).cpu().numpy(), fit


def _numbered(batch_and_share, number):
    batch, share = batch_and_share
    return batch, number, share


def test_played_steps_are_those_taken_one_by_one(toy):
    played, fit = losses(toy, eager=False)
    assert fit.recorded.is_played
    one_by_one, _ = losses(toy, eager=True)
    np.testing.assert_allclose(played, one_by_one, rtol=2e-2)
    assert played[-1] < played[0]


def test_the_rate_goes_on_falling_and_is_a_number_outside(toy):
    _, fit = losses(toy, eager=False)
    assert isinstance(fit.rate, float)
    assert fit.rate < 0.2 * OPTIONS.learning_rate


def test_a_step_that_cannot_be_recorded_is_taken_all_the_same(toy, caplog):
    def step(batch):
        return batch.frames.sum().cpu().cuda()  # waits for the device: not to be recorded

    region = TrainingRegion.from_lines(toy.scan, 0, 8)
    network = NetworkOptions(width=4)
    data = TrainingData.load(toy.scan, toy.reconstruction, region, OPTIONS, network, "cuda")
    recorded = RecordedStep(step)
    batch = data.train[:4]
    found = [float(recorded(batch)) for _ in range(BEFORE + 2)]
    assert found == [pytest.approx(float(batch.frames.sum()))] * len(found)
    assert "recording one failed" in caplog.text
