"""What studies are made of: predict, reconstruct, train.

Each yields a `Stage` now and then and returns what it made, or None when it
was stopped: half a reconstruction is no point of a study.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.epochs import Epoch, train
from napari_ptychonn.reconstruction.iterations import Iteration, reconstruct
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.studies.stage import ShouldStop, Stage
from napari_ptychonn.tasks.events import PredictionEnded
from napari_ptychonn.tasks.predict import PredictTask


def predicting(
    scan: Scan,
    model: TrainedModel,
    indices: NDArray[np.int64] | None,
    device: str,
    should_stop: ShouldStop,
    what: str,
) -> Generator[Stage, None, Result | None]:
    """Predict and stitch some scan points; all for None."""
    total = len(scan) if indices is None else len(indices)
    yield Stage(what=what, done=0, total=total)
    result: Result | None = None
    task = PredictTask(scan=scan, model=model, indices=indices, device=device)
    for step in task.run(should_stop):
        if isinstance(step, PredictionEnded):
            result = step.result
        else:
            yield Stage(what=what, done=step.done, total=total)
    return None if should_stop() else result


def reconstructing(
    scan: Scan,
    options: EngineOptions,
    indices: NDArray[np.int64] | None,
    device: str,
    should_stop: ShouldStop,
    what: str,
    *,
    start: Reconstruction | None = None,
    seen: Callable[[Iteration], None] = lambda iteration: None,
) -> Generator[Stage, None, Reconstruction | None]:
    """Reconstruct some scan points; `seen` is called with every iteration."""
    yield Stage(what=what, done=0, total=options.iterations)
    made: Reconstruction | None = None
    for iteration in reconstruct(
        scan, options, indices=indices, start=start, device=device, should_stop=should_stop
    ):
        made = iteration.reconstruction
        seen(iteration)
        yield Stage(what=what, done=iteration.number, total=iteration.total)
    return None if should_stop() else made


def training(
    scan: Scan,
    labels: Reconstruction,
    region: TrainingRegion,
    options: TrainingOptions,
    network: NetworkOptions,
    device: str,
    should_stop: ShouldStop,
    what: str,
) -> Generator[Stage, None, Epoch | None]:
    """Train on a region; the last epoch carries the best model."""
    yield Stage(what=what, done=0, total=1)
    last: Epoch | None = None
    for last in train(
        scan, labels, region, options, network, device=device, should_stop=should_stop
    ):
        yield Stage(what=what, done=last.step, total=last.steps)
    return None if should_stop() else last


def never() -> bool:
    """Nobody asks to stop."""
    return False
