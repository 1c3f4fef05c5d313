"""Training in child processes, followed epoch by epoch."""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from napari_ptychonn.errors import InputError
from napari_ptychonn.processes.program import (
    apart,
    command_line,
    ended_from_outside,
    surroundings,
)

if TYPE_CHECKING:
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.network.training.epochs import Epoch
    from napari_ptychonn.tasks.train import TrainTask

MODEL, STDERR = "model.safetensors", "stderr.txt"

PATIENCE = 15.0
"""Seconds that a training that was asked to stop gets to finish its step and to save."""

LINGER = 1.0
"""Seconds that it gets to end by itself when nobody wants it any more."""

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
        process = _Process(folder, processes)
        try:
            yield from process.epochs(should_stop)
        finally:
            process.close()


class _Process:
    """The program that trains what lies in a folder."""

    def __init__(self, folder: Path, processes: int) -> None:
        self._folder = folder
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        command = command_line(
            "train-task",
            str(folder),
            *("--output", str(folder / MODEL)),
            *("--processes", str(processes)),
            "--progress",
            "--attended",
        )
        with (folder / STDERR).open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=surroundings(),
                **apart(),
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def epochs(self, should_stop: Callable[[], bool]) -> Iterator[Epoch]:
        """Yield the epochs that it reports, until it ends."""
        from napari_ptychonn.network.model import TrainedModel
        from napari_ptychonn.tasks.epoch_lines import epoch_of

        best: TrainedModel | None = None
        deadline = float("inf")
        while time.monotonic() < deadline:
            if deadline == float("inf") and should_stop():
                if best is None:
                    return  # there is nothing to keep, so nobody need wait
                self._say("stop")
                deadline = time.monotonic() + PATIENCE
            try:
                told = self._lines.get(timeout=POLL)
            except queue.Empty:
                continue
            if told is None:
                self._must_have_ended_well()
                return
            if told["saved"]:
                best = TrainedModel.load(self._folder / MODEL)
            if best is not None:
                yield epoch_of(told, best)

    def close(self) -> None:
        """End it, and its own processes with it."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):
            process.stdin.close()  # which ends it, and those that it has started
        try:
            process.wait(timeout=LINGER)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._reader.join(timeout=LINGER)
        if not self._reader.is_alive():  # else a process that it has started still has the pipe
            process.stdout.close()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended; its exit code says how
            self._process.stdin.write(f"{word}\n".encode())
            self._process.stdin.flush()

    def _read(self) -> None:
        """In a thread of its own: pipes cannot be waited for with a time limit everywhere."""
        stdout: IO[bytes] | None = self._process.stdout
        assert stdout is not None
        for line in stdout:
            with suppress(ValueError):  # a library that prints
                self._lines.put(json.loads(line))
        self._lines.put(None)

    def _must_have_ended_well(self) -> None:
        code = self._process.wait()
        if code < 0:
            raise InputError(
                f"the training process was {ended_from_outside(code)}; "
                "the best model so far is kept."
            )
        if code > 0:
            text = (self._folder / STDERR).read_text(encoding="utf-8", errors="replace")
            last = (text.strip().splitlines() or [f"the training ended with exit code {code}."])[-1]
            raise InputError(last.removeprefix("error: "))
