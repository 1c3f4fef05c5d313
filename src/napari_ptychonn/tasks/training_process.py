"""Training in child processes, followed epoch by epoch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ptychonn.errors import InputError
from napari_ptychonn.processes.subprocess_runner import (
    SubprocessRunner,
    command_line,
    describe_kill,
)

if TYPE_CHECKING:
    from napari_ptychonn.network.training.epochs import Epoch
    from napari_ptychonn.tasks.train import TrainTask

MODEL, STDERR = "model.safetensors", "stderr.txt"

PATIENCE = 15.0
"""Seconds that a training that was sent 'stop' gets to finish its step and to save."""

LINGER = 1.0
"""Seconds that it gets to end by itself when it is closed."""

POLL = 0.1


def train_in_process(
    task: TrainTask, processes: int, should_stop: Callable[[], bool]
) -> Iterator[Epoch]:
    """Train in child processes, whose crash leaves this process alone.

    Parameters
    ----------
    task : TrainTask
        What to train.
    processes : int
        How many train together.
    should_stop : callable
        Asked often; True ends the training with one last epoch, if there was any.

    Yields
    ------
    Epoch
        Each with the best model as it was last saved, a few seconds ago at most.

    Raises
    ------
    InputError
        When the training fails, or its processes are ended from outside.
    """
    with tempfile.TemporaryDirectory(prefix="napari-ptychonn-") as name:
        folder = Path(name)
        if not task.save(folder, should_stop):
            return
        runner = SubprocessRunner(
            command_line(
                "train-task",
                str(folder),
                *("--output", str(folder / MODEL)),
                *("--processes", str(processes)),
                "--progress",
                "--attended",
            ),
            stderr=folder / STDERR,
        )
        try:
            yield from _follow(runner, folder / MODEL, should_stop)
        finally:
            runner.close(LINGER)


def _follow(
    runner: SubprocessRunner, model: Path, should_stop: Callable[[], bool]
) -> Iterator[Epoch]:
    """Yield the epochs that the process reports, until it ends."""
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.tasks.epoch_lines import parse_epoch

    best: TrainedModel | None = None
    while not runner.is_overdue(PATIENCE):
        if should_stop():
            if best is None:
                return  # there is nothing to keep, so there is nothing to wait for
            runner.stop()
        message = runner.next_message(POLL)
        if message is not None:
            if message["saved"]:
                best = TrainedModel.load(model)
            if best is not None:
                yield parse_epoch(message, best)
        elif not runner.has_more:
            _check_exit(runner)
            return


def _check_exit(runner: SubprocessRunner) -> None:
    code = runner.wait()
    if code < 0:
        raise InputError(
            f"the training process was {describe_kill(code)}; the best model so far is kept."
        )
    if code > 0:
        raise InputError(
            runner.last_words()
            if runner.printed().strip()
            else f"the training process ended with exit code {code}."
        )
