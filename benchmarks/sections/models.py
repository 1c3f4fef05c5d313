"""Scans and models to measure with."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from napari_ptychonn import NetworkOptions, Scan, TrainedModel, TrainingOptions, TrainingRegion
from napari_ptychonn.network.options import Preset
from napari_ptychonn.network.training.epochs import train
from napari_ptychonn.simulation.scan import SimulatedScan, Simulation


@cache
def simulated() -> SimulatedScan:
    """256 frames of 64x64."""
    return Simulation(points=(16, 16), photons=1e6).run()


@cache
def model(preset: Preset) -> TrainedModel:
    """A network of a preset that was hardly trained: as fast as a good one."""
    scan = simulated()
    region = TrainingRegion.from_indices(scan.scan, slice(0, 96))
    recipe = replace(TrainingOptions.preset(preset), epochs=0, steps=2)
    network = NetworkOptions.preset(preset)
    *_, last = train(scan.scan, scan.reconstruction, region, recipe, network, device="cpu")
    return last.best


def scan_of(count: int) -> Scan:
    """`count` frames in memory: those of the simulated scan again and again."""
    scan = simulated().scan
    rows = np.arange(count) % len(scan)
    return replace(scan, frames=scan.read(rows), positions=scan.positions[rows], line=None)
