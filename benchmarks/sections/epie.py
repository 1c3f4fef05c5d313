"""400 iterations of ePIE (pty-chi) against the prediction of the same scan."""

from __future__ import annotations

import math
import os

from speedup import iteration, prediction

from napari_ptychonn.comparison.speed_up import PAPER_ITERATIONS
from napari_ptychonn.simulation.scan import Simulation
from sections.measuring import Setting, Table, middle
from sections.models import model

BATCHES = (32, 100, 200, 400)

BATCHES_ON_GPU = (200, 800, 1600)
PAPER = (161, 161)


def measure(setting: Setting) -> Table:
    title = f"{PAPER_ITERATIONS} iterations of ePIE against a prediction"
    try:
        import ptychi
    except ImportError:
        missing = "not measured: pip install 'napari-ptychonn[epie]'"
        return Table(title=title, columns=[""], rows=[[missing]])
    on_cpu = setting.device == "cpu"
    points = (10, 10) if setting.quick else (40, 40) if on_cpu else PAPER
    batches = (100,) if setting.quick else BATCHES if on_cpu else BATCHES_ON_GPU
    cores = os.cpu_count() or 1
    threads = (1,) if setting.quick else tuple(sorted({1, cores})) if on_cpu else (cores,)
    count, repeats = (1, 1) if setting.quick else (3, 3 if on_cpu else 2)
    scan, trained = Simulation(points=points).run().scan, model("default")
    predictions: dict[int, list[float]] = {n: [] for n in threads}
    iterations: dict[tuple[int, int], list[float]] = {(b, n): [] for b in batches for n in threads}
    for turn in range(repeats + 1):
        for n in threads:
            seconds = prediction(scan, trained, n, setting.device)
            if turn:  # the first warms up
                predictions[n].append(seconds)
        for (batch, n), found in iterations.items() if turn else ():
            found.append(iteration(scan, batch, n, count, setting.device))
    setting_of_ours = min(predictions, key=lambda n: middle(predictions[n]))
    (batch, n), found = min(iterations.items(), key=lambda item: middle(item[1]))
    one, ours = middle(found), middle(predictions[setting_of_ours])
    whole = one * PAPER_ITERATIONS
    rows = [
        [f"ePIE, batch {batch}, {n} threads", f"{whole:,.0f}", f"{one:.3f}", "1×"],
        [
            f"predictions and mosaic, {setting_of_ours} threads",
            f"{ours:.2f}",
            "–",
            f"{whole / ours:,.0f}×",
        ],
    ]
    tried = ", ".join(
        f"batch {b} with {t} threads {_told(middle(s))}" for (b, t), s in iterations.items()
    )
    notes = [
        f"{len(scan):,} frames of 64x64, pty-chi {ptychi.__version__}, both on "
        f"{'the processor' if on_cpu else 'the GPU'}; imports, set-up and warm-up are not counted "
        "on either side.",
        f"{PAPER_ITERATIONS} iterations are scaled from {count}, which all take the same time; "
        "the fastest setting of each side is told, of ePIE's that reconstruct.",
        f"One iteration: {tried}.",
    ]
    values = {
        "frames": len(scan),
        "prediction_seconds": {str(t): s for t, s in predictions.items()},
        "iteration_seconds": {
            f"{b}, {t}": [x if math.isfinite(x) else None for x in s]
            for (b, t), s in iterations.items()
        },
        "measured_iterations": count,
        "factor": whole / ours,
    }
    columns = ["", f"s for {PAPER_ITERATIONS} iterations", "s for one", "ratio"]
    return Table(title=title, columns=columns, rows=rows, notes=notes, values=values)


def _told(seconds: float) -> str:
    return f"{seconds:.3f} s" if math.isfinite(seconds) else "diverges"
