"""The parent's side of the process that reconstructs."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from napari_ptychonn.errors import InputError
from napari_ptychonn.processes.subprocess_runner import (
    SubprocessRunner,
    child_environment,
    describe_kill,
)

logger = logging.getLogger(__name__)

MODULE = "napari_ptychonn.reconstruction.worker"
STDERR = "stderr.txt"

PATIENCE = 0.7
"""Seconds that a process that was sent 'stop' gets to hand over its last object."""


class EngineError(Exception):
    """The engine failed in a way that nobody foresaw; its notes are what it printed."""


class WorkerProcess:
    """Runs `napari_ptychonn.reconstruction.worker` on a folder.

    Parameters
    ----------
    folder : Path
        What to reconstruct, as `napari_ptychonn.reconstruction.iterations` writes it.
    environment : dict, optional
        Variables beside those of this process.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self._runner = SubprocessRunner(
            [sys.executable, "-P", "-m", MODULE, str(folder)],
            environment=child_environment() | (environment or {}),
            stderr=folder / STDERR,
        )
        self.stop, self.close = self._runner.stop, self._runner.close

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._runner.pid

    def next_message(self, timeout: float) -> dict[str, Any] | None:
        """Return the next message, or None when there is none yet.

        Raises
        ------
        InputError
            When the process was ended from outside, or reports why it cannot go on.
        EngineError
            When it failed otherwise.
        """
        message = self._runner.next_message(timeout)
        if message is None:
            if not self._runner.has_more:
                raise self._exit_error()
            return None
        if "failed" in message:
            raise (
                self._defect(message["failed"])
                if message["defect"]
                else InputError(message["failed"])
            )
        return message

    def acknowledge(self) -> None:
        """Report that the state was read, so that it may be overwritten."""
        self._runner.send("taken")

    @property
    def is_overdue(self) -> bool:
        """Whether it was sent 'stop' more than `PATIENCE` ago."""
        return self._runner.is_overdue(PATIENCE)

    def _exit_error(self) -> Exception:
        """Make the error of a process that has ended without its last message."""
        code = self._runner.wait()
        if code >= 0:
            last = self._runner.last_words()
            return self._defect(f"the reconstruction process ended with exit code {code}: {last}")
        logger.info("the reconstruction process ended with %s:\n%s", code, self._runner.printed())
        return InputError(
            f"the reconstruction process was {describe_kill(code)}; nothing else was touched."
        )

    def _defect(self, sentence: str) -> EngineError:
        error = EngineError(sentence)
        error.add_note(f"The process printed:\n{self._runner.printed()}")
        return error
