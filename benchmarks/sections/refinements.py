"""What fewer refinements would save, and what they would cost, on the Siemens star."""

from __future__ import annotations

from dataclasses import replace

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
from napari_ptychonn.core.patches import Patches
from napari_ptychonn.core.predictor import Predictor
from napari_ptychonn.core.region import Split
from sections.accuracy import TEST, TRAIN
from sections.measuring import Setting, Table, in_turns, middle

TITLE = "Fewer refinements at prediction"


def measure(setting: Setting) -> Table:
    path = setting.data and setting.data / "siemens-star" / "siemens_star_516.h5"
    if path is None or not path.exists():
        return Table(title=TITLE, columns=[""], rows=[["not measured: no Siemens star"]])
    scan = read_scan(path)
    labels, reference = (
        read_reconstruction(f"{path}::/{name}") for name in ("epie_first_387", "epie")
    )
    placed, positions = reference.under(scan)
    recipe = TrainingOptions(steps=2) if setting.quick else TrainingOptions()
    region = TrainingRegion.from_indices(scan, TRAIN, Split(kind="blocks"))
    *_, last = train(scan, labels, region, recipe, NetworkOptions(), device=setting.device)
    trained = last.best
    ways, found = {}, {}
    for count in range(trained.options.refinements + 1):
        predictor = Predictor(trained.network(), setting.device)
        predictor.options = replace(predictor.options, refinements=count)

        def predict(predictor: Predictor = predictor) -> Patches:
            return Patches.join(list(predictor.over(scan, trained.preparation, TEST, 32)))

        ways[str(count)], found[count] = predict, predict()
    seconds = in_turns(ways, 1 if setting.quick else setting.repeats, setting.device)
    rows, values = [], {}
    for count, patches in found.items():
        errors = compare(patches, positions[TEST], placed)
        rate = len(TEST) / middle(seconds[str(count)])
        shot, mosaic = errors.single_shot, errors.mosaic
        rows.append(
            [
                f"{count}",
                f"{rate:,.0f}",
                f"{shot.phase_mae:.4f}",
                f"{errors.lit.phase_mae:.4f}",
                f"{mosaic.phase_mae:.4f}",
                f"{np.mean(patches.residual):.1f}",
            ]
        )
        values[str(count)] = {"frames_per_second": rate, **errors.as_dict()}
    return Table(
        title=TITLE,
        columns=[
            "refinements",
            "frames/s",
            "phase error, rad",
            "where lit, rad",
            "mosaic, rad",
            "residual",
        ],
        rows=rows,
        notes=[
            "One default network, trained with two refinements; held-out frames 387:516 of the "
            "Siemens star (128x128), against the ePIE of all frames.",
        ],
        values=values,
    )
