"""A scan of a known object, a network that hardly knows it, and an engine that costs nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.epochs import train
from napari_ptychonn.reconstruction import Iteration
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.studies import sparse, warm_start

NETWORK = NetworkOptions(size=32, width=4, refinements=0)
RECIPE = TrainingOptions(steps=4, rescans=0)


@pytest.fixture(autouse=True)
def _one_thread():
    """Two threads of torch wait for each other a long time on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small():
    """12 x 12 points, 3 px apart."""
    return Simulation(points=(12, 12), frame_size=32).run()


@pytest.fixture(scope="session")
def model(small):
    """Trained for a moment on the first six lines."""
    region = TrainingRegion.from_indices(small.scan, slice(0, 72))
    *_, last = train(small.scan, small.reconstruction, region, RECIPE, NETWORK, device="cpu")
    return last.best


class Engine:
    """Stands in for pty-chi: comes nearer to the truth by a factor with every iteration.

    From a start it begins as near as that is; one frame more or less does not matter to it.
    """

    def __init__(self, truth, factor=0.7):
        self.truth, self.factor, self.calls = truth, factor, []

    def __call__(self, scan, options, *, indices, start, device, should_stop):
        self.calls.append((options, indices, start))
        away = 1.0 if start is None or start.algorithm == "none" else 0.1
        wrong = np.random.default_rng(0).standard_normal(self.truth.object.shape)
        for number in range(1, options.iterations + 1):
            if should_stop():
                return
            away *= self.factor
            made = replace(
                self.truth,
                object=(self.truth.object * np.exp(1j * away * wrong)).astype(np.complex64),
                indices=indices,
                positions=scan.positions[indices],
                iterations=number,
                seconds=0.5 * number,
                name="stand-in",
            )
            yield Iteration(
                number=number,
                total=options.iterations,
                error=away**2,
                seconds=0.5 * number,
                reconstruction=made,
            )


@pytest.fixture
def engine(small, monkeypatch):
    """The stand-in, in the place of `reconstruct`."""
    stand_in = Engine(small.truth)
    monkeypatch.setattr("napari_ptychonn.reconstruction.iterations.reconstruct", stand_in)
    for module in (sparse, warm_start):
        monkeypatch.setattr(module, "why_not", lambda: "")
    return stand_in


@pytest.fixture(scope="session")
def documented():
    """Tell whether docs/reproducing.md explains the column of a table."""
    page = Path(__file__).parents[2].joinpath("docs", "reproducing.md").read_text(encoding="utf-8")
    groups = ("epie_", "ptychonn_", "single_shot_", "lit_", "mosaic_", "constant_")

    def check(column):
        group = next((g for g in groups if column.startswith(g)), "")
        measure = column.removeprefix(group).replace("amplitude_", "phase_")
        return f"`{column}`" in page or (f"`{group}…`" in page and f"`{measure}`" in page)

    return check
