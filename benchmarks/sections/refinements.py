"""What fewer refinements at prediction would save, and what they would cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn import (
    NetworkOptions,
    Reconstruction,
    Scan,
    TrainingOptions,
    TrainingRegion,
    compare,
    read_reconstruction,
    read_scan,
    train,
)
from napari_ptychonn.comparison.metrics import Comparison
from napari_ptychonn.data.patches import Patches
from napari_ptychonn.data.region import Split
from napari_ptychonn.network.inference.predictor import Predictor
from napari_ptychonn.simulation.scan import Simulation
from sections.accuracy import TEST, TRAIN
from sections.measuring import Setting, Table, in_turns

BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scan, what trains on it, and what its held-out frames are held against."""

    name: str
    scan: Scan
    labels: Reconstruction
    reference: Reconstruction
    trained: slice
    held_out: NDArray[np.int64]


def measure(setting: Setting) -> Table:
    rows, values = [], {}
    for case in _cases(setting):
        for count, (rate, errors, residual) in _curve(case, setting).items():
            rows.append(
                [
                    f"{case.name}: {count}",
                    f"{rate:,.0f}",
                    f"{errors.single_shot.phase_mae:.4f}",
                    f"{errors.single_shot.amplitude_correlation:.3f}",
                    f"{errors.mosaic.phase_mae:.4f}",
                    f"{residual:.1f}",
                ]
            )
            values[f"{case.name}, {count}"] = {"frames_per_second": rate, **errors.as_dict()}
    return Table(
        title="Fewer refinements at prediction",
        columns=[
            "refinements",
            "frames/s",
            "phase error, rad",
            "amplitude corr.",
            "mosaic, rad",
            "residual",
        ],
        rows=rows,
        notes=[
            "Each network was trained once, with two; held-out frames over whole patches, against "
            "the exact truth (simulated, 64x64, 300 steps) or the ePIE of all frames (Siemens "
            "star, 128x128, the default recipe).",
        ],
        values=values,
    )


def _curve(case: Case, setting: Setting) -> dict[int, tuple[float, Comparison, float]]:
    """Frames a second, errors and mean residual for each number of refinements."""
    steps = 2 if setting.quick else 300 if case.name == "simulated" else TrainingOptions().steps
    region = TrainingRegion.from_indices(case.scan, case.trained, Split(kind="blocks"))
    recipe = TrainingOptions(steps=steps)
    *_, last = train(
        case.scan, case.labels, region, recipe, NetworkOptions(), device=setting.device
    )
    placed, positions = case.reference.align_to(case.scan)
    ways, found = {}, {}
    for count in range(last.best.options.refinements + 1):
        predictor = Predictor(last.best.network(), setting.device)
        predictor.options = replace(predictor.options, refinements=count)

        def predict(predictor: Predictor = predictor) -> Patches:
            batches = predictor.predict_scan(
                case.scan, last.best.preprocessing, case.held_out, BATCH
            )
            return Patches.join(list(batches))

        ways[str(count)], found[count] = predict, predict()
    seconds = in_turns(ways, 1 if setting.quick else setting.repeats, setting.device)
    return {
        count: (
            len(case.held_out) / seconds[str(count)].seconds,
            compare(patches, positions[case.held_out], placed),
            float(np.mean(patches.residual)),
        )
        for count, patches in found.items()
    }


def _cases(setting: Setting) -> Iterator[Case]:
    lines = 16 if setting.quick else 40
    simulated = Simulation(points=(lines, lines), photons=1e6, seed=1).run()
    yield Case(
        name="simulated",
        scan=simulated.scan,
        labels=simulated.reconstruction,
        reference=simulated.truth,
        trained=slice(0, (lines - 10) * lines),
        held_out=np.arange((lines - 8) * lines, lines * lines),
    )
    path = setting.data and setting.data / "siemens-star" / "siemens_star_516.h5"
    if path is None or not path.exists():
        return
    labels, reference = (
        read_reconstruction(f"{path}::/{name}") for name in ("epie_first_387", "epie")
    )
    yield Case(
        name="Siemens star",
        scan=read_scan(path),
        labels=labels,
        reference=reference,
        trained=TRAIN,
        held_out=TEST,
    )
