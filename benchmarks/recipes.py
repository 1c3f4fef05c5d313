"""One network and recipe on one scan, with any option changed: the rows in docs/accuracy.md.

    python benchmarks/recipes.py compact --network refinements=4 --training steps=300
    python benchmarks/recipes.py siemens_star_516.h5 --frames 0:100
    python benchmarks/recipes.py spiral --preset paper --cpu-seconds 170
    python benchmarks/recipes.py siemens_star_516.h5 --practice

The columns: recipe, steps, CPU seconds of training, frames predicted in a CPU second; then mean
absolute error / correlation of the phase over whole patches, of phase and of amplitude as the beam
lit the patches, of phase and of amplitude of the mosaic.  Simulated scans are judged against the
exact truth, a Siemens star against the ePIE of all frames.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_ptychonn import (
    NetworkOptions,
    Pretraining,
    Reconstruction,
    Scan,
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
from napari_ptychonn.optics.probe import ZonePlate
from napari_ptychonn.simulation.scan import Simulation

WIDE = ZonePlate(defocus=150e-6)
"""Out of focus, so that the beam fills the patch as it does in the published experiment."""

SIMULATED = {
    "compact": Simulation(points=(40, 40), photons=1e6, seed=1),
    "particles": Simulation(
        points=(40, 40), photons=1e5, pattern="particles", jitter=6e-9, modes=2, seed=2
    ),
    "spiral": Simulation(
        points=(40, 40), step=40e-9, photons=3e5, path="spiral", zone_plate=WIDE, seed=3
    ),
}


def main() -> None:
    """Train once, and print one row of a Markdown table."""
    options = _arguments()
    scan, labels, reference, chosen, test = _data(options.scan)
    chosen = parse_frames(options.frames) if options.frames else chosen
    measured = scan
    if options.practice:
        scan, labels = Pretraining(seed=options.seed).simulate_for_scan(scan, labels.probe)
        chosen = slice(None)
    split = Split(kind="blocks" if options.preset == "default" else "random", seed=options.seed)
    region = TrainingRegion.from_indices(scan, chosen, split)
    recipe = replace(TrainingOptions.preset(options.preset), seed=options.seed)
    recipe = replace(recipe, **_values(options.training))
    network = replace(NetworkOptions.preset(options.preset), **_values(options.network))
    began = time.process_time()

    def over_budget() -> bool:
        return time.process_time() - began > (options.cpu_seconds or math.inf)

    *_, last = train(scan, labels, region, recipe, network, should_stop=over_budget)
    seconds = time.process_time() - began
    began = time.process_time()
    predicted = Patches.join(list(last.best.predict(measured, test)))
    rate = len(test) / (time.process_time() - began)
    placed, positions = reference.align_to(measured)
    found = compare(predicted, positions[test], placed)
    changed = [options.preset, *options.network, *options.training]
    changed += [f"frames {options.frames}"] * bool(options.frames)
    changed += ["practice only"] * options.practice
    whole, lit, mosaic = found.single_shot, found.illuminated, found.mosaic
    cells = [
        f"{Path(options.scan).stem}, {' '.join(changed)}, seed {options.seed}",
        f"{last.step}",
        f"{seconds:.0f}",
        f"{rate:.0f}",
        f"{whole.phase_mae:.4f} / {whole.phase_correlation:.3f}",
        f"{lit.phase_mae:.4f} / {lit.phase_correlation:.3f}",
        f"{lit.amplitude_mae:.4f} / {lit.amplitude_correlation:.3f}",
        f"{mosaic.phase_mae:.4f} / {mosaic.phase_correlation:.3f}",
        f"{mosaic.amplitude_mae:.4f} / {mosaic.amplitude_correlation:.3f}",
    ]
    print(f"| {' | '.join(cells)} |")


def _data(
    name: str,
) -> tuple[Scan, Reconstruction, Reconstruction, slice, np.ndarray[Any, np.dtype[np.int64]]]:
    """Scan, labels, reference, frames to train on, frames to test."""
    if name in SIMULATED:
        simulated = SIMULATED[name].run()
        ny, nx = SIMULATED[name].points
        # Two lines between the training region and the test are left out: their beams overlap.
        chosen, test = slice(0, (ny - 10) * nx), np.arange((ny - 8) * nx, ny * nx)
        return simulated.scan, simulated.reconstruction, simulated.truth, chosen, test
    labels, reference = (
        read_reconstruction(f"{name}::/{group}") for group in ("epie_first_387", "epie")
    )
    return read_scan(name), labels, reference, slice(0, 387), np.arange(387, 516)


def _values(pairs: Sequence[str]) -> dict[str, Any]:
    """'width=8' as {'width': 8}; what is no number stays text."""
    return {key: _number(text) for key, text in (pair.split("=", 1) for pair in pairs)}


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", help=f"the Siemens star file, or one of {', '.join(SIMULATED)}")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--network", nargs="*", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--training", nargs="*", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--frames", metavar="A:B[:K]", help="train on these only")
    parser.add_argument("--cpu-seconds", type=float, help="stop the training after so many")
    parser.add_argument(
        "--practice", action="store_true", help="train on made-up samples under the scan's beam"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
