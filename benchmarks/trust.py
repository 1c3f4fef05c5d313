"""How well the trust values rank the true errors: the table in docs/accuracy.md.

A scan is simulated whose held-out part has a defect, a region of another
structure than the training region.  The trust values know nothing of the truth;
Spearman's correlation says how well they rank each frame's true error.

    python benchmarks/trust.py --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from napari_ptychonn import NetworkOptions, TrainingOptions, TrainingRegion, train
from napari_ptychonn.comparison.registration import phase_offset, wrap
from napari_ptychonn.data.patches import Patches, cut_patches
from napari_ptychonn.data.result import Result
from napari_ptychonn.optics.illumination import illumination_weight
from napari_ptychonn.simulation.scan import SimulatedScan, Simulation
from napari_ptychonn.tasks.predict import make_result

POINTS = (48, 48)
TRAINING_LINES = 28
STEP = 30e-9
DEFECT = (300e-9, 100e-9, 300e-9, 500e-9)
PARTS = ("in_defect", "elsewhere", "told", "not_told")


def main() -> None:
    """Simulate, train and judge for each seed; print one table."""
    options = _arguments()
    runs = [run(seed, options.steps) for seed in options.seeds]
    if options.output:
        options.output.write_text(json.dumps(runs, indent=1))
    names = ["seed", "spread", "residual", "doubt (shown)", "told to disagree", "in the defect"]
    names += ["error in the defect", "elsewhere", "error of those told", "of the others"]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for r in runs:
        ranks = " | ".join(f"{r[name]:.2f}" for name in ("spread", "residual", "doubt"))
        share = f"{r['disagree']} of {r['frames']} | {r['disagree_in_defect']} of {r['defect']}"
        errors = " | ".join(f"{r[f'error_{name}']:.3f}" for name in PARTS)
        print(f"| {r['seed']} | {ranks} | {share} | {errors} |")


def run(seed: int, steps: int) -> dict[str, Any]:
    """One simulated scan: Spearman's correlations over the held-out frames."""
    simulated = Simulation(points=POINTS, step=STEP, defect=DEFECT, seed=seed).run()
    region = TrainingRegion.from_lines(simulated.scan, 0, TRAINING_LINES)
    recipe = TrainingOptions(steps=steps, seed=seed)
    *_, last = train(simulated.scan, simulated.reconstruction, region, recipe, NetworkOptions())
    model = last.best
    held_out = model.held_out(simulated.scan)
    assert held_out is not None
    predictions = Patches.join(list(model.predict(simulated.scan, held_out)))
    result = make_result(simulated.scan, model, simulated.reconstruction, predictions)
    assert result.uncertainty is not None
    assert result.uncertainty.diffraction_residual is not None
    errors = true_errors(result, simulated)
    within = in_defect(result)
    disagreeing = np.isin(result.predictions.indices, result.uncertainty.disagreeing)
    return {
        "seed": seed,
        "frames": len(errors),
        "defect": int(within.sum()),
        "disagree": int(disagreeing.sum()),
        "disagree_in_defect": int((disagreeing & within).sum()),
        **{
            f"error_{name}": float(errors[part].mean()) if part.any() else float("nan")
            for name, part in zip(PARTS, (within, ~within, disagreeing, ~disagreeing), strict=True)
        },
        **{
            name: float(spearmanr(getattr(result.uncertainty, name), errors).statistic)
            for name in ("spread", "residual", "doubt")
        },
    }


def true_errors(result: Result, simulated: SimulatedScan) -> NDArray[np.float64]:
    """Mean absolute phase error of each frame against the exact truth, as the beam lit it, rad."""
    truth, positions = simulated.truth.align_to(simulated.scan)
    labels = cut_patches(truth, positions, result.predictions.indices)
    assert truth.probe is not None
    weight = illumination_weight(truth.probe, labels.shape)
    off = wrap(result.predictions.phase - labels.phase)
    off = wrap(off - phase_offset(off, np.broadcast_to(weight, off.shape)))
    return np.asarray(np.sum(np.abs(off) * weight, axis=(1, 2)) / weight.sum())


def in_defect(result: Result) -> NDArray[np.bool_]:
    """Whether the beam's centre lay in the defect: (m,)."""
    centre, extent = np.asarray(DEFECT[:2]), np.asarray(DEFECT[2:])
    return np.asarray((np.abs(result.positions - centre) <= extent / 2).all(axis=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=TrainingOptions().steps)
    parser.add_argument("-o", "--output", type=Path, help="JSON with every number")
    return parser.parse_args()


if __name__ == "__main__":
    main()
