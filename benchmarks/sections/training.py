"""Frames a second while training, from the batch to the new weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

from napari_ptychonn import NetworkOptions, TrainingOptions, TrainingRegion
from napari_ptychonn.network.inference.precision import Precision
from napari_ptychonn.network.options import Preset
from napari_ptychonn.network.training.data import TrainingData, TrainingSource
from napari_ptychonn.network.training.trainer import Trainer
from sections.limits import matmul_rate, of_the_limit, step_flops
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
    # On a GPU the library multiplies in TF32 by itself.
    precision: Precision = "tf32" if setting.device.startswith("cuda") else "float32"
    rate = matmul_rate(setting.device, precision)
    flops = {p: step_flops(_stepping(p, 1, "cpu")[0]) / sizes[p] for p in presets}
    rows = [
        [
            f"{preset} recipe",
            f"{sizes[preset]}",
            f"{1e3 * seconds[preset].seconds / steps:.0f}",
            f"{1e3 * seconds[preset].processor_seconds / steps:.0f}",
            f"{found[preset]:,.0f}",
            f"{flops[preset] / 1e6:,.0f}",
            of_the_limit(found[preset], flops[preset], rate),
        ]
        for preset in presets
    ]
    return Table(
        title="Training",
        columns=[
            "",
            "batch",
            "ms/step",
            "CPU ms/step",
            "frames/s",
            "MFLOP/frame",
            "of the limit",
        ],
        rows=rows,
        notes=[
            "64x64, batches made on the way; three quarters of the default recipe's frames are "
            "virtual and made in the same time.",
            f"The limit is the rate of a matrix product in {precision}, {rate / 1e9:,.0f} GFLOP/s, "
            "over the convolutions and their gradients alone.",
        ],
        values={
            "frames_per_second": found,
            "matmul_flops": rate,
            "flops_per_frame": flops,
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
    source = TrainingSource(scan=scan.scan, reconstruction=scan.reconstruction, region=region)
    data = TrainingData.load(source, options, network, device)
    trainer = Trainer(options, data.network, data, device, options.steps)
    batches = data.batches(options)

    def go() -> None:
        for number in range(steps):
            batch, share = next(batches)
            loss = trainer.step(batch, number, share)
        float(loss)

    return go, options.batch_size
