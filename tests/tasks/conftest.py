"""A small scan, the task that trains on part of it, and the model that comes out."""

from __future__ import annotations

import pytest

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.tasks.events import EpochEnded
from napari_ptychonn.tasks.train import TrainTask

NETWORK = NetworkOptions(size=32, width=4)


@pytest.fixture(scope="package")
def small():
    """12 x 12 points, frames of 32 x 32 pixels."""
    return Simulation(points=(12, 12), frame_size=32).run()


@pytest.fixture(scope="package")
def region(small):
    return TrainingRegion.from_indices(small.scan, slice(0, 100))


@pytest.fixture(scope="package")
def train_task(small, region):
    """Build a task that trains on the first 100 frames; `options` are those of the training."""

    def build(**options):
        return TrainTask(
            scan=small.scan,
            reconstruction=small.reconstruction,
            region=region,
            training=TrainingOptions(rescans=0.0, batch_size=16, **options),
            network=NETWORK,
            device="cpu",
            shown_point=lambda: 5,
        )

    return build


@pytest.fixture(scope="package")
def model(train_task):
    return [e for e in train_task(steps=40).run() if isinstance(e, EpochEnded)][-1].epoch.best
