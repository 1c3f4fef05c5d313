"""Several processes of one training, started on this machine as torchrun would start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from napari_ptychonn.errors import InputError
from napari_ptychonn.processes.program import apart, ended_from_outside, surroundings

GRACE = 30.0
"""Seconds that the others get to save and to end, once one of them has ended."""

POLL = 0.05
LOST = 3
"""Exit code of a process that ends because another one of its training is gone."""


class FirstMemberError(InputError):
    """The first process has failed, and has said why by itself."""


def run_crew(command: list[str], size: int, should_stop: Callable[[], bool]) -> None:
    """Run one command in `size` processes, and wait for them.

    The first one has our standard output and error; of the others nothing is
    heard unless one fails.  They end when this process does.

    Parameters
    ----------
    command : list of str
        A program that stops at 'stop' on its standard input, and at its end.
    size : int
        Processes.
    should_stop : callable
        Asked often; True asks them to end early and to keep what they have.

    Raises
    ------
    FirstMemberError
        When the first one has said what is wrong.
    InputError
        When it is for us to say what went wrong.
    """
    with tempfile.TemporaryDirectory(prefix="napari-ptychonn-") as folder:
        crew: list[_Member] = []
        try:
            port = _free_port()
            # One after the other, so that those that were started are ended when one is not.
            crew.extend(_Member(command, k, size, port, Path(folder)) for k in range(size))
            _wait(crew, should_stop)
            _judge(crew)
        finally:
            for member in crew:
                member.end()


class _Member:
    """One process of the crew."""

    def __init__(self, command: list[str], rank: int, size: int, port: int, folder: Path) -> None:
        self.name = f"process {rank + 1} of {size}"
        self._stderr = folder / f"stderr-{rank}.txt"
        with self._stderr.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=None if rank == 0 else subprocess.DEVNULL,
                stderr=None if rank == 0 else errors,
                env=_place(rank, size, port),
                **apart(),
            )

    def stop(self) -> None:
        """Ask it to end early."""
        stdin = self.process.stdin
        assert stdin is not None
        with suppress(OSError):
            stdin.write(b"stop\n")
            stdin.flush()

    def end(self) -> None:
        """End it for good."""
        stdin = self.process.stdin
        assert stdin is not None
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            stdin.close()

    def last_words(self) -> str:
        """The last line that it wrote to its standard error."""
        lines = self._stderr.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return (lines or ["it said nothing"])[-1].removeprefix("error: ")


def _wait(crew: list[_Member], should_stop: Callable[[], bool]) -> None:
    """Until all have ended, or some have not although others have."""
    asked, deadline = False, float("inf")
    while time.monotonic() < deadline:
        ended = [member.process.poll() is not None for member in crew]
        if all(ended):
            return
        if any(ended) and deadline == float("inf"):
            deadline = time.monotonic() + GRACE
        if not asked and should_stop():
            asked = True
            for member in crew:
                member.stop()
        time.sleep(POLL)


def _judge(crew: list[_Member]) -> None:
    """Raise what went wrong, if anything did."""
    first, *others = crew
    code = first.process.poll()
    if code == 0:
        return
    if code is not None and code > 0 and code != LOST:
        raise FirstMemberError(f"{first.name} has ended with exit code {code}.")
    for member in [*others, first]:
        code = member.process.poll()
        if code is None or code in (0, LOST):
            continue
        if code < 0:
            raise InputError(f"{member.name} was {ended_from_outside(code)}.")
        raise InputError(f"{member.name}: {member.last_words()}")
    raise InputError("the processes of this training have lost each other.")


def _place(rank: int, size: int, port: int) -> dict[str, str]:
    """Environment of one member: torchrun's names, and its share of the processor's cores."""
    threads = max(1, (os.cpu_count() or 1) // size)
    loopback = {"darwin": "lo0", "linux": "lo"}.get(sys.platform)
    proposed = {"OMP_NUM_THREADS": str(threads)}
    if loopback is not None:
        proposed["GLOO_SOCKET_IFNAME"] = loopback  # whatever the machine's name resolves to
    return proposed | surroundings() | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
