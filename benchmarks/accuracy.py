"""Held-out accuracy of presets on a real scan, several seeds: the table in docs/accuracy.md.

    python benchmarks/accuracy.py siemens_star_516.h5 --labels epie_first_387 --reference epie \
        --train 0:387 --test 387:516 --presets default paper --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_ptychonn import (
    NetworkOptions,
    TrainingOptions,
    TrainingRegion,
    compare,
    read_reconstruction,
    read_scan,
    train,
)
from napari_ptychonn.cli.options import parse_frames
from napari_ptychonn.data.patches import Patches
from napari_ptychonn.data.region import Split
from napari_ptychonn.network.ptychonn import PtychoNN, parameter_count

COLUMNS = {
    "phase_mae": "phase MAE, rad",
    "phase_correlation": "phase corr.",
    "amplitude_correlation": "amplitude corr.",
}


def main() -> None:
    """Train each preset with each seed; print one table and write every number."""
    options = _arguments()
    runs = []
    for preset in options.presets:
        for seed in options.seeds:
            runs.append(run(options, preset, seed))
            print(json.dumps(runs[-1]["single_shot"]), file=sys.stderr, flush=True)
            if options.output:
                options.output.write_text(json.dumps(runs, indent=1))
    print(table(runs, options.presets))


def run(options: argparse.Namespace, preset: Any, seed: int) -> dict[str, Any]:
    """One training, its held-out numbers, and what it cost."""
    scan = read_scan(options.scan)
    labels, reference = (
        read_reconstruction(f"{options.scan}::/{name}")
        for name in (options.labels, options.reference)
    )
    split = Split(kind="blocks" if preset == "default" else "random", seed=seed)
    region = TrainingRegion.from_indices(scan, parse_frames(options.train), split)
    recipe = replace(TrainingOptions.preset(preset), seed=seed)
    network = NetworkOptions.preset(preset)
    started, cpu = time.perf_counter(), time.process_time()
    *_, last = train(scan, labels, region, recipe, network, device=options.device)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    test = np.arange(len(scan))[parse_frames(options.test)]
    predicted = Patches.join(list(last.best.predict(scan, test, device=options.device)))
    placed, positions = reference.align_to(scan)
    return {
        "preset": preset,
        "seed": seed,
        "parameters": parameter_count(PtychoNN(network)),
        "options": asdict(recipe),
        "steps": last.step,
        "seconds": seconds,
        "cpu_seconds": cpu,
        **compare(predicted, positions[test], placed).as_dict(),
    }


def table(runs: list[dict[str, Any]], presets: list[str]) -> str:
    """Rows per seed and a mean per preset, in Markdown."""
    head = ["recipe", "seed", "CPU s", *COLUMNS.values(), "mosaic phase MAE, rad"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for preset in presets:
        rows = [_row(r) for r in runs if r["preset"] == preset]
        for r, row in zip((r for r in runs if r["preset"] == preset), rows, strict=True):
            lines.append(_line(preset, str(r["seed"]), row))
        means = [statistics.mean(column) for column in zip(*rows, strict=True)]
        lines.append(_line(f"**{preset}**", "mean", means))
    constant = runs[0]["single_shot"]["constant_phase_mae"]
    mosaic = runs[0]["mosaic"]["constant_phase_mae"]
    lines.append(f"| a constant | | | {constant:.3f} | 0 | 0 | {mosaic:.3f} |")
    return "\n".join(lines)


def _row(r: dict[str, Any]) -> list[float]:
    single = [r["single_shot"][name] for name in COLUMNS]
    return [r["cpu_seconds"], *single, r["mosaic"]["phase_mae"]]


def _line(preset: str, seed: str, row: list[float]) -> str:
    numbers = [f"{row[0]:.0f}", *(f"{value:.3f}" for value in row[1:])]
    return f"| {' | '.join([preset, seed, *numbers])} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("--labels", required=True, help="reconstruction that gives the labels")
    parser.add_argument("--reference", required=True, help="reconstruction to compare with")
    parser.add_argument("--train", required=True, help="frames A:B[:K]")
    parser.add_argument("--test", required=True, help="frames A:B[:K]")
    parser.add_argument("--presets", nargs="+", default=["default", "paper"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--device", default="auto")
    parser.add_argument("-o", "--output", type=Path, help="JSON with every number")
    return parser.parse_args()


if __name__ == "__main__":
    main()
