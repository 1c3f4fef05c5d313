"""The paper's protocol on 64×64 points: first part of the lines trains, the rest is predicted.

Both recipes have the same processor time.  The full size is in docs/reproducing.md.
"""

import time

import numpy as np
import pytest

from napari_ptychonn.comparison.metrics import Comparison, compare
from napari_ptychonn.data.patches import Patches
from napari_ptychonn.data.region import Split, TrainingRegion
from napari_ptychonn.network.options import NetworkOptions, Preset, TrainingOptions
from napari_ptychonn.network.training.epochs import train
from napari_ptychonn.simulation.scan import SimulatedScan, Simulation

STEPS = 90
TRAINING = slice(0, 40 * 64)
HELD_OUT = np.arange(60 * 64, 64 * 64)


@pytest.fixture(scope="module")
def simulated() -> SimulatedScan:
    return Simulation(points=(64, 64), photons=1e6, seed=5).run()


def _errors(
    simulated: SimulatedScan, preset: Preset, seconds: float = np.inf
) -> tuple[Comparison, float]:
    """Against the exact truth, and the processor time of the training."""
    scan, labels = simulated.scan, simulated.reconstruction
    recipe = TrainingOptions.preset(preset)
    if preset == "default":
        recipe = TrainingOptions(steps=STEPS)
    split = Split(kind="random", fraction=0.02)
    region = TrainingRegion.from_indices(scan, TRAINING, split)
    began = time.process_time()
    *_, last = train(
        scan,
        labels,
        region,
        recipe,
        NetworkOptions.preset(preset),
        device="cpu",
        should_stop=lambda: time.process_time() - began > seconds,
    )
    spent = time.process_time() - began
    predicted = Patches.join(list(last.best.predict(scan, HELD_OUT, device="cpu")))
    placed, positions = simulated.truth.align_to(scan)
    return compare(predicted, positions[HELD_OUT], placed), spent


@pytest.mark.timeout(600)
def test_held_out_errors_are_at_most_0_6_of_the_published_recipes_in_the_same_time(
    simulated: SimulatedScan,
) -> None:
    ours, spent = _errors(simulated, "default")
    published, _ = _errors(simulated, "paper", spent)
    for mine, theirs in (
        (ours.illuminated, published.illuminated),
        (ours.mosaic, published.mosaic),
    ):
        assert mine.phase_mae <= 0.6 * theirs.phase_mae
        assert mine.amplitude_mae <= 0.6 * theirs.amplitude_mae
