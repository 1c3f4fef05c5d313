"""Seconds of training to the published recipe's best held-out error, on the Siemens star."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from napari_ptychonn import (
    NetworkOptions,
    TrainedModel,
    TrainingOptions,
    TrainingRegion,
    compare,
    read_reconstruction,
    read_scan,
    train,
)
from napari_ptychonn.data.patches import Patches
from napari_ptychonn.data.region import Split
from napari_ptychonn.network.options import Preset
from sections.measuring import Setting, Table

TRAIN, TEST = slice(0, 387), np.arange(387, 516)


def measure(setting: Setting) -> Table:
    path = setting.data and setting.data / "siemens-star" / "siemens_star_516.h5"
    title = "Time to the published recipe's best held-out error"
    if path is None or not path.exists():
        return Table(title=title, columns=[""], rows=[["not measured: no Siemens star"]])
    scan = read_scan(path)
    labels, reference = (
        read_reconstruction(f"{path}::/{name}") for name in ("epie_first_387", "epie")
    )
    placed, positions = reference.align_to(scan)

    def error(model: TrainedModel) -> float:
        predicted = Patches.join(list(model.predict(scan, TEST, device=setting.device)))
        return compare(predicted, positions[TEST], placed).single_shot.phase_mae

    def course(preset: Preset) -> Iterator[tuple[float, float]]:
        """Seconds of training, and held-out error, after each epoch that was the best."""
        recipe = TrainingOptions.preset(preset)
        if setting.quick:
            recipe = replace(recipe, epochs=0, steps=2)
        region = TrainingRegion.from_indices(
            scan, TRAIN, Split(kind="blocks" if preset == "default" else "random")
        )
        network = NetworkOptions.preset(preset)
        spent, began = 0.0, time.perf_counter()
        for epoch in train(scan, labels, region, recipe, network, device=setting.device):
            spent += time.perf_counter() - began
            if epoch.is_best:
                yield spent, error(epoch.best)
            began = time.perf_counter()

    published = list(course("paper"))
    best_time, best = min(published, key=lambda pair: pair[1])
    default = []
    for pair in course("default"):
        default.append(pair)
        if pair[1] <= best:
            break
    reached = default[-1][0] if default and default[-1][1] <= best else None
    final = min((e for _, e in default), default=float("nan"))
    rows = [
        ["published recipe", f"{best_time:.0f}", f"{best:.4f}", ""],
        [
            "default recipe",
            "–" if reached is None else f"{reached:.0f}",
            f"{final:.4f}",
            "not reached" if reached is None else f"{best_time / reached:.1f}×",
        ],
    ]
    notes = [
        "Siemens star, frames 0:387 train and 387:516 are held out; error of the phase over whole "
        "patches against the ePIE of all frames, rad; only training is timed.",
    ]
    if setting.quick:
        notes.append("Two steps each: shows that it works and nothing else.")
    return Table(
        title=title,
        columns=["", "s", "held-out phase error, rad", "sooner"],
        rows=rows,
        notes=notes,
        values={"paper": published, "default": default},
    )
