"""Several processes of one training, started on this machine as torchrun would start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from napari_ptychonn.errors import InputError
from napari_ptychonn.processes.subprocess_runner import (
    SubprocessRunner,
    child_environment,
    describe_kill,
)

GRACE = 30.0
"""Seconds that the others get to save and to end, once one of them has ended."""

POLL = 0.05
LOST = 3
"""Exit code of a process that ends because another one of its training is gone."""


class FirstMemberError(InputError):
    """The first process has failed, and has reported why by itself."""


def run_processes(command: list[str], size: int, should_stop: Callable[[], bool]) -> None:
    """Run one command in `size` processes, and wait for them.

    The first one has our standard output and error; what the others print is
    shown only if one fails.  They end when this process does.

    Parameters
    ----------
    command : list of str
        A program that stops at 'stop' on its standard input, and at its end.
    size : int
        Processes.
    should_stop : callable
        Called often; True ends them early, keeping what they have.

    Raises
    ------
    FirstMemberError
        When the first one has failed and reported why.
    InputError
        When another one has failed.
    """
    with tempfile.TemporaryDirectory(prefix="napari-ptychonn-") as folder:
        members: list[_Member] = []
        try:
            port = _free_port()
            # One after the other, so that those that were started are ended when one is not.
            members.extend(_Member(command, k, size, port, Path(folder)) for k in range(size))
            _wait(members, should_stop)
            _check_exits(members)
        finally:
            for member in members:
                member.runner.close()


class _Member:
    """One of the processes of a training."""

    def __init__(self, command: list[str], rank: int, size: int, port: int, folder: Path) -> None:
        self.name = f"process {rank + 1} of {size}"
        self.runner = SubprocessRunner(
            command,
            environment=_member_environment(rank, size, port),
            stdout=None if rank == 0 else subprocess.DEVNULL,
            stderr=None if rank == 0 else folder / f"stderr-{rank}.txt",
        )


def _wait(members: list[_Member], should_stop: Callable[[], bool]) -> None:
    """Wait until all have ended, or some have not although others have."""
    deadline = float("inf")
    while time.monotonic() < deadline:
        ended = [member.runner.poll() is not None for member in members]
        if all(ended):
            return
        if any(ended) and deadline == float("inf"):
            deadline = time.monotonic() + GRACE
        if should_stop():
            for member in members:
                member.runner.stop()
        time.sleep(POLL)


def _check_exits(members: list[_Member]) -> None:
    """Raise what went wrong, if anything did."""
    first, *others = members
    code = first.runner.poll()
    if code == 0:
        return
    if code is not None and code > 0 and code != LOST:
        raise FirstMemberError(f"{first.name} has ended with exit code {code}.")
    for member in [*others, first]:
        code = member.runner.poll()
        if code is None or code in (0, LOST):
            continue
        if code < 0:
            raise InputError(f"{member.name} was {describe_kill(code)}.")
        raise InputError(f"{member.name}: {member.runner.last_words()}")
    raise InputError("the processes of this training have lost each other.")


def _member_environment(rank: int, size: int, port: int) -> dict[str, str]:
    """Environment of one member: torchrun's names, and its share of the processor's cores."""
    threads = max(1, (os.cpu_count() or 1) // size)
    loopback = {"darwin": "lo0", "linux": "lo"}.get(sys.platform)
    proposed = {"OMP_NUM_THREADS": str(threads)}
    if loopback is not None:
        proposed["GLOO_SOCKET_IFNAME"] = loopback  # whatever the machine's name resolves to
    return proposed | child_environment() | {
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
