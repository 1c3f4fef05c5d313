"""Milliseconds from one frame's counts to its patch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from napari_ptychonn import TrainedModel
from sections.measuring import Setting, Table, timed
from sections.models import model, scan_of

BEFORE = 1024
"""Frames predicted before, which is when a precision is chosen."""


def measure(setting: Setting) -> Table:
    count = 20 if setting.quick else 500
    scan = scan_of(64 if setting.quick else BEFORE)
    paper, default = model("paper"), model("default")
    usual = paper.network().to(setting.device)

    def usually(k: int) -> None:
        with torch.inference_mode():
            frame = paper.preprocessing.read(scan, np.array([k]))
            for part in usual(frame.to(setting.device)):
                part.cpu()

    def ours(trained: TrainedModel, k: int) -> None:
        for _ in trained.predict(scan, np.array([k]), device=setting.device):
            pass

    for trained in (paper, default):
        for _ in trained.predict(scan, device=setting.device):
            pass
    ways: dict[str, Callable[[int], None]] = {
        "published network, the usual way": usually,
        "published network, ours": partial(ours, paper),
        "default network, ours": partial(ours, default),
    }
    rows, values = [], {}
    for name, one in ways.items():
        for k in range(5):
            one(k)
        found = 1e3 * np.array([timed(partial(one, k % len(scan))) for k in range(count)])
        middle, high = (float(np.percentile(found, q)) for q in (50, 99))
        rows.append([name, f"{middle:.1f}", f"{high:.1f}"])
        values[name] = {"p50_ms": middle, "p99_ms": high}
    return Table(
        title="Latency of a single frame",
        columns=["", "p50, ms", "p99, ms"],
        rows=rows,
        notes=[
            f"{count} frames one after the other, from counts in memory to NumPy patches; ours as "
            f"the app does it once a scan of {len(scan):,} frames was predicted."
        ],
        values=values,
    )
