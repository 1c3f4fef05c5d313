"""How much sooner than 400 iterations of ePIE a scan is predicted: `python benchmarks/speedup.py`.

Both on this machine, in this run, on the same frames in memory, in turns: frames → predictions →
mosaic with its trust maps, against pty-chi at the batch size and number of threads that are fastest
here.  Imports, set-up and a warm-up are not counted on either side.  A few iterations are measured
and scaled to 400: they all take the same time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from napari_ptychonn import NetworkOptions, Scan, TrainedModel, TrainingOptions, TrainingRegion
from napari_ptychonn.comparison.speed_up import PAPER_ITERATIONS
from napari_ptychonn.network.training.epochs import train
from napari_ptychonn.reconstruction import EngineOptions, reconstruct
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.tasks.events import PredictionEnded
from napari_ptychonn.tasks.predict import PredictTask

WARM_UP = 1


def main() -> None:
    """Measure in turns, and print medians."""
    options = _arguments()
    ny, nx = options.points
    simulated = Simulation(points=(ny, nx), frame_size=options.frame_size).run()
    scan = simulated.scan
    model = _model(options, simulated)
    threads = sorted({1, os.cpu_count() or 1})
    predictions: dict[Any, list[float]] = {n: [] for n in threads}
    iterations: dict[Any, list[float]] = {(b, n): [] for b in options.batches for n in threads}
    for count in threads:
        prediction(scan, model, count, options.device)
    for _ in range(options.repeats):
        for count, found in predictions.items():
            found.append(prediction(scan, model, count, options.device))
        for (batch, count), found in iterations.items():
            found.append(iteration(scan, batch, count, options.iterations, options.device))
    _print(len(scan), predictions, iterations)
    if options.json:
        told = {
            "frames": len(scan),
            "frame_size": options.frame_size,
            "preset": options.preset,
            "prediction_seconds": {f"{n} threads": v for n, v in predictions.items()},
            "iteration_seconds": {f"batch {b}, {n} threads": v for (b, n), v in iterations.items()},
            "factor": _factor(predictions, iterations),
        }
        options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


def prediction(scan: Scan, model: TrainedModel, threads: int, device: str) -> float:
    """Seconds from frames to predictions and mosaic."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    *_, last = PredictTask(scan=scan, model=model, device=device).run()
    assert isinstance(last, PredictionEnded)
    return time.perf_counter() - began


def iteration(scan: Scan, batch: int, threads: int, count: int, device: str) -> float:
    """Seconds of one iteration, the first not counted; infinite where the error rises."""
    options = EngineOptions(iterations=WARM_UP + count, batch_size=batch, threads=threads)
    done = list(reconstruct(scan, options, device=device))
    if done[-1].error > done[0].error:
        return math.inf  # that many updates at once overshoot, and reconstruct nothing
    return (done[-1].seconds - done[WARM_UP - 1].seconds) / count


def _model(options: argparse.Namespace, simulated: Any) -> TrainedModel:
    """The one given, or one of the same network that was hardly trained: as fast as a good one."""
    if options.model:
        return TrainedModel.load(options.model)
    network = NetworkOptions.preset(options.preset)
    region = TrainingRegion.from_indices(simulated.scan, slice(0, len(simulated.scan) // 2))
    recipe = TrainingOptions(steps=3)
    *_, last = train(simulated.scan, simulated.reconstruction, region, recipe, network)
    return last.best


def _factor(predictions: dict[Any, list[float]], iterations: dict[Any, list[float]]) -> float:
    quickest = min(median(found) for found in iterations.values())
    return PAPER_ITERATIONS * quickest / min(median(found) for found in predictions.values())


def _print(
    frames: int, predictions: dict[Any, list[float]], iterations: dict[Any, list[float]]
) -> None:
    table = Table("what", "batch", "threads", "median, s", "lowest … highest", "ms/frame")
    rows = [("predictions and mosaic", "–", n, found) for n, found in predictions.items()]
    rows += [("one iteration of ePIE", b, n, found) for (b, n), found in iterations.items()]
    for what, batch, threads, found in rows:
        spread = f"{min(found):.3f} … {max(found):.3f}"
        each = f"{1e3 * median(found) / frames:.3f}"
        table.add_row(what, str(batch), str(threads), f"{median(found):.3f}", spread, each)
    console = Console()
    console.print(table)
    console.print(
        f"{frames} frames: {PAPER_ITERATIONS} iterations (scaled) over a prediction, each at its "
        f"fastest: {_factor(predictions, iterations):.0f}×"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, nargs=2, default=(40, 40), metavar=("NY", "NX"))
    parser.add_argument("--frame-size", type=int, default=64)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--device", default="cpu", help="of both sides")
    parser.add_argument("--model", type=Path, help="trained on frames of the same size")
    parser.add_argument("--batches", type=int, nargs="+", default=(32, 100, 200, 400))
    parser.add_argument("--iterations", type=int, default=3, help="measured each time")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
