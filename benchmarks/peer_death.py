"""Ends of two training processes of which one dies: the other must end with its sentence.

    python benchmarks/peer_death.py --deaths 100 --busy 2

Starts pairs of processes that train together; the second one dies in one of several
ways, while `--busy` other processes load the machine.  The first must print why the
training ends and exit with 0 (it catches the error), the second with the code of its
death.  Prints each pair as it ends, and then a table; exit code 1 when any pair ended in another
way.  `--starve` makes aborts by gloo's threads more frequent, if they can happen.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections import Counter

from napari_ptychonn.network.training.process_group import LOST

MEMBER = """
import os, signal, sys, threading, time
from datetime import timedelta
import torch
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.training import process_group
from napari_ptychonn.network.training.process_group import joined

torch.set_num_threads(1)
death = sys.argv[1]

if death == "absent":
    if os.environ["RANK"] == "1":
        os._exit(9)
    process_group.PATIENCE = timedelta(seconds=5)  # not ten minutes for one that never comes


def train_until_death(team):
    # As in a training: torch.optim is imported, and gradients are summed over both.
    weights = torch.nn.Parameter(torch.ones(1000))
    optimiser = torch.optim.Adam([weights])
    for _ in range(20):
        optimiser.zero_grad()
        weights.square().sum().backward()
        team.add(weights.grad)
        optimiser.step()
    try:
        if team.rank:
            if death == "exit":
                sys.exit(9)
            if death == "exception":
                raise ValueError("dies")
            if death == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if death == "terminate":
                os.kill(os.getpid(), signal.SIGTERM)
            if death == "abrupt":
                os._exit(9)
            if death == "exchange":  # while 64 MB are being summed
                threading.Timer(0.2, os._exit, (9,)).start()
        if death == "compute" and team.rank:
            os._exit(9)
        if death == "compute":  # the other one is gone long before the next exchange
            end = time.monotonic() + 2
            while time.monotonic() < end:
                torch.ones(200, 200) @ torch.ones(200, 200)
        if "starve" in sys.argv:
            for thread in os.listdir("/proc/self/task"):
                with open(f"/proc/self/task/{thread}/comm") as name:
                    if "gloo" in name.read():
                        os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))
        size = 16_000_000 if death == "exchange" else 1
        while True:
            team.add(torch.zeros(size))  # freed by whichever thread lets go of it last
    except InputError as error:
        print(error, flush=True)


try:
    with joined() as team:
        train_until_death(team)
except InputError as error:  # the two could not meet
    print(error, flush=True)
"""

DEATHS = {
    "exit": 9,
    "exception": 1,
    "kill": -signal.SIGKILL,
    "terminate": -signal.SIGTERM,
    "abrupt": 9,
    "exchange": 9,
    "compute": 9,
    "absent": 9,
}
"""Ways to die, with the exit code of each: `exchange` in the middle of a sum, `compute` while the
survivor computes, `absent` before joining."""

CANNOT_MEET = "the processes of this training cannot meet: "


def free_port() -> int:
    """Find a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_of_pair(death: str, *, starve: bool = False) -> tuple[tuple[int, int], bool]:
    """Run one pair.

    Parameters
    ----------
    death : str
        One of `DEATHS`.
    starve : bool
        Give gloo's threads the lowest priority (Linux only), so that they let go of their last
        tensor late, as on a busy machine, perhaps while the interpreter is shutting down.

    Returns
    -------
    codes : tuple of int
        Exit codes of the survivor and of the one that dies.
    explained : bool
        Whether the survivor printed its sentence.
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", MEMBER, death, *(["starve"] if starve else [])],
            env=environment | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for rank in (0, 1)
    ]
    output, _ = pair[0].communicate(timeout=300)
    pair[1].communicate(timeout=300)
    sentence = output.strip()
    explained = sentence.startswith(CANNOT_MEET) if death == "absent" else sentence == LOST
    return (pair[0].returncode, pair[1].returncode), explained


def main() -> int:
    """Run the pairs and print how they ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deaths", type=int, default=100)
    parser.add_argument("--only", nargs="+", choices=DEATHS, default=list(DEATHS))
    parser.add_argument("--starve", action="store_true", help="let gloo's threads run last (Linux)")
    parser.add_argument("--busy", type=int, default=2, help="other processes that load the machine")
    arguments = parser.parse_args()
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.busy)
    ]
    ends: Counter[tuple[str, int, int, bool]] = Counter()
    try:
        for number in range(arguments.deaths):
            death = arguments.only[number % len(arguments.only)]
            codes, explained = end_of_pair(death, starve=arguments.starve)
            ends[death, *codes, explained] += 1
            print(number + 1, death, *codes, explained, file=sys.stderr, flush=True)
    finally:
        for process in busy:
            process.kill()
    print(f"{'death':12}{'survivor':>10}{'other':>8}{'sentence':>10}{'pairs':>8}")
    for (death, first, second, explained), count in sorted(ends.items()):
        print(f"{death:12}{first:>10}{second:>8}{explained!s:>10}{count:>8}")
    good = sum(
        count
        for (death, first, second, explained), count in ends.items()
        if first == 0 and second == DEATHS[death] and explained
    )
    print(f"{good} of {arguments.deaths} ended as they should")
    return 0 if good == arguments.deaths else 1


if __name__ == "__main__":
    raise SystemExit(main())
