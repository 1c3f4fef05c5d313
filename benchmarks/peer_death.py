"""Ends of two training processes of which one dies: the other must end with its sentence.

    python benchmarks/peer_death.py --deaths 100 --busy 2

Starts pairs of processes that train together; the second one dies in one of several
ways, while `--busy` other processes load the machine.  The first must print why the
training ends and exit with 0 (it catches the error), the second with the code of its
death.  Prints a table; exit code 1 when any pair ended in another way.
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
import os, signal, sys, time
import torch
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.training.process_group import joined

torch.set_num_threads(1)
death = sys.argv[1]
with joined() as team:
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
        while True:
            team.add(torch.zeros(1))
    except InputError as error:
        print(error, flush=True)
"""

DEATHS = {
    "exit": 9,
    "exception": 1,
    "kill": -signal.SIGKILL,
    "terminate": -signal.SIGTERM,
    "abrupt": 9,
}


def free_port() -> int:
    """Find a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_of_pair(death: str) -> tuple[tuple[int, int], bool]:
    """Run one pair.

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
            [sys.executable, "-c", MEMBER, death],
            env=environment | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for rank in (0, 1)
    ]
    output, _ = pair[0].communicate(timeout=300)
    pair[1].communicate(timeout=300)
    return (pair[0].returncode, pair[1].returncode), output.strip() == LOST


def main() -> int:
    """Run the pairs and print how they ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deaths", type=int, default=100)
    parser.add_argument("--busy", type=int, default=2, help="other processes that load the machine")
    arguments = parser.parse_args()
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.busy)
    ]
    ends: Counter[tuple[str, int, int, bool]] = Counter()
    try:
        for number in range(arguments.deaths):
            death = list(DEATHS)[number % len(DEATHS)]
            codes, explained = end_of_pair(death)
            ends[death, *codes, explained] += 1
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
