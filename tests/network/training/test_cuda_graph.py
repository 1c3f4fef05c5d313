from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.cuda_graph import WARM_UP, GraphedStep
from napari_ptychonn.network.training.data import TrainingData, TrainingSource
from napari_ptychonn.network.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

STEPS = 12
OPTIONS = TrainingOptions(steps=STEPS, batch_size=16)


def losses(toy, eager, batch_size=16):
    options = replace(OPTIONS, batch_size=batch_size)
    region = TrainingRegion.from_lines(toy.scan, 0, 8)
    network = NetworkOptions(width=4)
    source = TrainingSource(scan=toy.scan, reconstruction=toy.reconstruction, region=region)
    data = TrainingData.load(source, options, network, "cuda")
    trainer = Trainer(options, data.network, data, "cuda", STEPS)
    if eager:
        trainer.graphed = None
    batches = data.batches(options)
    found = [trainer.step(*_numbered(next(batches), k)) for k in range(STEPS)]
    return torch.stack(found).cpu().numpy(), trainer


def _numbered(batch_and_share, number):
    batch, share = batch_and_share
    return batch, number, share


def test_played_steps_are_those_taken_one_by_one(toy):
    played, trainer = losses(toy, eager=False)
    assert trainer.graphed.is_captured
    one_by_one, _ = losses(toy, eager=True)
    np.testing.assert_allclose(played, one_by_one, rtol=2e-2)
    assert played[-1] < played[0]


def test_the_rate_goes_on_falling_and_is_a_number_outside(toy):
    _, trainer = losses(toy, eager=False)
    assert isinstance(trainer.rate, float)
    assert trainer.rate < 0.2 * OPTIONS.learning_rate


def test_a_step_that_cannot_be_recorded_is_taken_all_the_same(toy, caplog):
    def step(batch):
        return batch.frames.sum().cpu().cuda()  # waits for the device: not to be recorded

    region = TrainingRegion.from_lines(toy.scan, 0, 8)
    network = NetworkOptions(width=4)
    source = TrainingSource(scan=toy.scan, reconstruction=toy.reconstruction, region=region)
    data = TrainingData.load(source, OPTIONS, network, "cuda")
    graphed = GraphedStep(step)
    batch = data.train[:4]
    found = [float(graphed(batch)) for _ in range(WARM_UP + 2)]
    assert found == [pytest.approx(float(batch.frames.sum()))] * len(found)
    assert "could not be captured" in caplog.text
