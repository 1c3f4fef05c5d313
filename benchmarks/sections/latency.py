"""Milliseconds from one frame's counts to its patch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_ptychonn import TrainedModel
from sections.measuring import Setting, Table, timed
from sections.models import model, scan_of


def measure(setting: Setting) -> Table:
    count = 20 if setting.quick else 500
    scan = scan_of(64)
    usual = model("paper").network().to(setting.device)
    rows, values = [], {}
    ways = {
        "published network, the usual way": (model("paper"), usual),
        "published network, ours": (model("paper"), None),
        "default network, ours": (model("default"), None),
    }
    for name, (trained, network) in ways.items():
        run = network or trained.predictor(setting.device, scan, np.arange(1))

        def one(k: int, run: Any = run, trained: TrainedModel = trained) -> None:
            with torch.inference_mode():
                frame = trained.preparation.read(scan, np.array([k % len(scan)]))
                for part in run(frame.to(setting.device))[:2]:
                    part.cpu()

        for k in range(5):
            one(k)
        found = 1e3 * np.array([timed(lambda k=k: one(k)) for k in range(count)])
        middle, high = (float(np.percentile(found, q)) for q in (50, 99))
        rows.append([name, f"{middle:.1f}", f"{high:.1f}"])
        values[name] = {"p50_ms": middle, "p99_ms": high}
    return Table(
        title="Latency of a single frame",
        columns=["", "p50, ms", "p99, ms"],
        rows=rows,
        notes=[f"{count} frames one after the other, from counts in memory to NumPy patches."],
        values=values,
    )
