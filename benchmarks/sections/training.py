"""Frames a second while training, from the batch to the new weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

from napari_ptychonn import NetworkOptions, TrainingOptions, TrainingRegion
from napari_ptychonn.core.fit import Fit
from napari_ptychonn.core.options import Preset
from napari_ptychonn.core.training_data import TrainingData
from sections.measuring import Setting, Table, in_turns
from sections.models import simulated

STEPS = 10


def measure(setting: Setting) -> Table:
    steps = 1 if setting.quick else STEPS
    ways, sizes = {}, {}
    presets: tuple[Preset, ...] = ("paper", "default")
    for preset in presets:
        ways[preset], sizes[preset] = _stepping(preset, steps, setting.device)
    seconds = in_turns(ways, 1 if setting.quick else setting.repeats, setting.device)
    found = {p: steps * sizes[p] / seconds[p].seconds for p in presets}
    rows = [
        [
            f"{preset} recipe",
            f"{sizes[preset]}",
            f"{1e3 * seconds[preset].seconds / steps:.0f}",
            f"{1e3 * seconds[preset].processor_seconds / steps:.0f}",
            f"{found[preset]:,.0f}",
        ]
        for preset in presets
    ]
    return Table(
        title="Training",
        columns=["", "batch", "ms/step", "CPU ms/step", "frames/s"],
        rows=rows,
        notes=[
            "64x64, batches made on the way; three quarters of the default recipe's frames are "
            "virtual and made in the same time."
        ],
        values={
            "frames_per_second": found,
            "seconds": {p: asdict(s) for p, s in seconds.items()},
            "steps": steps,
        },
    )


def _stepping(preset: Preset, steps: int, device: str) -> tuple[Callable[[], None], int]:
    """Function that takes some steps, and the frames in one."""
    scan = simulated()
    options, network = TrainingOptions.preset(preset), NetworkOptions.preset(preset)
    options = replace(options, epochs=0, steps=10**6)
    region = TrainingRegion.from_indices(scan.scan, slice(0, 224))
    data = TrainingData.load(scan.scan, scan.reconstruction, region, options, network, device)
    fit = Fit(options, data.network, data, device, options.steps)
    batches = data.batches(options)

    def go() -> None:
        for number in range(steps):
            batch, share = next(batches)
            loss = fit.step(batch, number, share)
        float(loss)

    return go, options.batch_size
