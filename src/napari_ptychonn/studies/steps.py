"""Run a task as one step of a study: yield its progress, return what it made.

Each returns None when it was stopped: half a reconstruction is no point of a study.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.network.training.epochs import Epoch
from napari_ptychonn.reconstruction.iterations import Iteration
from napari_ptychonn.studies.study import Progress
from napari_ptychonn.tasks.events import IterationEnded, PredictionEnded, ShouldStop
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.tasks.reconstruct import ReconstructTask
from napari_ptychonn.tasks.train import TrainTask


def run_prediction(
    task: PredictTask, should_stop: ShouldStop, step: str
) -> Generator[Progress, None, Result | None]:
    """Predict and stitch."""
    yield Progress(step=step, done=0, total=task.total)
    result: Result | None = None
    for event in task.run(should_stop):
        if isinstance(event, PredictionEnded):
            result = event.result
        else:
            yield Progress(step=step, done=event.done, total=event.total)
    return None if should_stop() else result


def run_reconstruction(
    task: ReconstructTask,
    should_stop: ShouldStop,
    step: str,
    on_iteration: Callable[[Iteration], None] = lambda iteration: None,
) -> Generator[Progress, None, Reconstruction | None]:
    """Reconstruct, calling `on_iteration` with every iteration."""
    yield Progress(step=step, done=0, total=task.options.iterations)
    made: Reconstruction | None = None
    for event in task.run(should_stop):
        if isinstance(event, IterationEnded):
            iteration = event.iteration
            made = iteration.reconstruction
            on_iteration(iteration)
            yield Progress(step=step, done=iteration.number, total=iteration.total)
    return None if should_stop() else made


def run_training(
    task: TrainTask, should_stop: ShouldStop, step: str
) -> Generator[Progress, None, Epoch | None]:
    """Train; the last epoch carries the best model."""
    yield Progress(step=step, done=0, total=1)
    last: Epoch | None = None
    for last in task.epochs(should_stop):
        yield Progress(step=step, done=last.step, total=last.steps)
    return None if should_stop() else last
