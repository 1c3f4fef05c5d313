"""The parent's side of the child process: start it, hear it, end it."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from napari_ptychonn.errors import InputError
from napari_ptychonn.processes.program import apart, ended_from_outside, surroundings

logger = logging.getLogger(__name__)

MODULE = "napari_ptychonn.reconstruction.worker"
STDERR = "stderr.txt"

PATIENCE = 0.7
"""Seconds that a child that was asked to stop gets to hand over its last object."""

TOLD = 4000
"""Characters of what a failed child printed that go into the log."""


class EngineError(Exception):
    """The engine failed in a way that nobody foresaw; its notes are what it printed."""


class WorkerProcess:
    """Runs `napari_ptychonn.reconstruction.worker` on a folder.

    Not by `multiprocessing`, whose new processes import the program's main
    module again: a script that opens napari would open it twice.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._asked_to_stop: float | None = None
        with (folder / STDERR).open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=surroundings() | (environment or {}),
                **apart(),
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def next_message(self, timeout: float) -> dict[str, Any] | None:
        """Return the next message, or None when there is none yet.

        Raises
        ------
        InputError
            When the process was ended from outside, or says why it cannot go on.
        EngineError
            When it failed otherwise.
        """
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            raise self._obituary()
        if "failed" in message:
            raise (
                self._defect(message["failed"])
                if message["defect"]
                else InputError(message["failed"])
            )
        return message

    def acknowledge(self) -> None:
        """Tell that the state was read, so that it may be overwritten."""
        self._say("taken")

    def stop(self) -> None:
        """Ask it to end; once is enough."""
        if self._asked_to_stop is None:
            self._asked_to_stop = time.monotonic()
            self._say("stop")

    @property
    def out_of_patience(self) -> bool:
        """Whether it was asked to stop, and has not."""
        asked = self._asked_to_stop
        return asked is not None and time.monotonic() - asked > PATIENCE

    def close(self) -> None:
        """End the process, if it has not ended by itself."""
        process = self._process
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        process.kill()
        process.wait()
        self._reader.join()
        if process.stdout is not None:
            process.stdout.close()

    def _say(self, word: str) -> None:
        stdin = self._process.stdin
        with suppress(OSError):  # it has ended; the messages say how
            if stdin is not None:
                stdin.write(f"{word}\n".encode())
                stdin.flush()

    def _read(self) -> None:
        """In a thread of its own: pipes cannot be waited for with a time limit everywhere."""
        stdout: IO[bytes] | None = self._process.stdout
        assert stdout is not None
        for line in stdout:
            with suppress(ValueError):  # whatever else printed before the child took it over
                self._messages.put(json.loads(line))
        self._messages.put(None)

    def _obituary(self) -> Exception:
        """What to raise when it has ended without a word."""
        code = self._process.wait()
        if code >= 0:
            last = (self._printed().strip().splitlines() or ["it said nothing"])[-1]
            return self._defect(f"the reconstruction process ended with exit code {code}: {last}")
        logger.info("the reconstruction process ended with %s:\n%s", code, self._printed())
        return InputError(
            f"the reconstruction process was {ended_from_outside(code)}; nothing else was touched."
        )

    def _defect(self, sentence: str) -> EngineError:
        error = EngineError(sentence)
        error.add_note(f"The process printed:\n{self._printed()}")
        return error

    def _printed(self) -> str:
        try:
            text = (self._folder / STDERR).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return text[-TOLD:]
