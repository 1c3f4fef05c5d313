"""Child processes: start one, exchange lines with it, stop it, and describe how it ended."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any


def command_line(*arguments: str) -> list[str]:
    """Return the command that runs this package's command line with the present Python."""
    return [sys.executable, "-P", "-m", "napari_ptychonn", *arguments]


def child_environment() -> dict[str, str]:
    """Return the environment of this process, with the folders that it imports from."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUNBUFFERED": "1",
    }


def describe_exit(code: int) -> str:
    """Describe an exit code, which is minus the number of the signal after a signal.

    'SIGSEGV' for -11, 'exit code 2' for 2.
    """
    from signal import Signals

    if code >= 0:
        return f"exit code {code}"
    try:
        return Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def describe_kill(code: int) -> str:
    """Describe the end of a process that a signal ended, for after 'the process was'."""
    why = f"ended from outside ({describe_exit(code)})"
    return f"{why}, as the system does when memory is short" if code == -9 else why


def start_process(
    command: list[str],
    *,
    environment: dict[str, str],
    stdout: int | None = subprocess.PIPE,
    stderr: int | IO[bytes] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process with a pipe to its standard input, away from the terminal.

    A Ctrl-C there does not reach it; on Windows it opens no console.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        cwd=cwd,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def end_process(process: subprocess.Popen[bytes], seconds: float = 0.0) -> None:
    """End a process, after as many seconds for it to end by itself.

    The end of its standard input is its signal, and that of the processes
    that it has started.
    """
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    if seconds:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    process.kill()
    process.wait()


class SubprocessRunner:
    """A child process, which is sent words on its standard input and answers in lines of JSON.

    Not by `multiprocessing`, whose new processes import the program's main
    module again: a script that opens napari would open it twice.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    environment : dict, optional
        The whole environment; `child_environment` by default.
    stdout : int or None
        As of `subprocess.Popen`; `messages` need a pipe.
    stderr : Path or None
        File that its standard error is written to; ours without one.
    """

    def __init__(
        self,
        command: list[str],
        *,
        environment: dict[str, str] | None = None,
        stdout: int | None = subprocess.PIPE,
        stderr: Path | None = None,
    ) -> None:
        self._stderr = stderr
        self._stop_sent: float | None = None
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._has_more = True
        with nullcontext() if stderr is None else stderr.open("wb") as errors:
            self._process = start_process(
                command,
                environment=child_environment() if environment is None else environment,
                stdout=stdout,
                stderr=errors,
            )
        self._reader: threading.Thread | None = None
        if self._process.stdout is not None:
            # In a thread of its own: not every system can wait for a pipe with a time limit.
            self._reader = threading.Thread(
                target=self._read, args=(self._process.stdout,), daemon=True
            )
            self._reader.start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for the process to end; return its exit code."""
        return self._process.wait()

    @property
    def has_more(self) -> bool:
        """Whether there may still be messages."""
        return self._has_more

    def next_message(self, timeout: float) -> dict[str, Any] | None:
        """Return the next message, or None when there was none within `timeout` seconds.

        Lines that are not JSON, as libraries print them, are left out.
        """
        if not self._has_more:
            return None
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        self._has_more = message is not None
        return message

    def send(self, word: str) -> None:
        """Send a line; a process that has ended is left to its exit code."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(f"{word}\n".encode())
            self._process.stdin.flush()

    def stop(self) -> None:
        """Send 'stop', once: it is to keep what it has, and to end."""
        if self._stop_sent is None:
            self._stop_sent = time.monotonic()
            self.send("stop")

    def is_overdue(self, seconds: float) -> bool:
        """Whether 'stop' was sent longer ago than this."""
        return self._stop_sent is not None and time.monotonic() - self._stop_sent > seconds

    def close(self, seconds: float = 0.0) -> None:
        """End the process; see `end_process`."""
        process = self._process
        end_process(process, seconds)
        if self._reader is not None:
            self._reader.join(timeout=max(seconds, 1.0))
            # Else a process that it has started still holds the pipe.
            if process.stdout is not None and not self._reader.is_alive():
                process.stdout.close()

    def printed(self, most: int = 4000) -> str:
        """Return the last characters of its standard error; needs a file for it."""
        if self._stderr is None:
            return ""
        try:
            return self._stderr.read_text(encoding="utf-8", errors="replace")[-most:]
        except OSError:
            return ""

    def last_words(self) -> str:
        """Return the last line of its standard error, by which a program reports why it ends."""
        lines = self.printed().strip().splitlines() or ["it printed nothing"]
        return lines[-1].removeprefix("error: ")

    def _read(self, stdout: IO[bytes]) -> None:
        for line in stdout:
            with suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    self._messages.put(message)
        self._messages.put(None)
