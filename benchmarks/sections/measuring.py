"""Times, medians and tables that all sections share."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How everything is measured.

    Attributes
    ----------
    quick : bool
        Only show that it works.
    device : str
        Torch device of our predictions and trainings.
    data : Path or None
        Folder of real scans.
    repeats : int
        Measured so often, in turns; medians are told.
    points : tuple of int
        Of the simulated whole scan (ny, nx).
    """

    quick: bool = False
    device: str = "cpu"
    data: Path | None = None
    repeats: int = 7
    points: tuple[int, int] = (60, 60)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One section's result.

    Attributes
    ----------
    title : str
        Heading.
    columns : Sequence of str
        Heads of the columns.
    rows : Sequence
        Cells as text.
    notes : Sequence of str
        What to know about the numbers, one sentence each.
    values : dict
        All numbers, unrounded, for the JSON file.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of some repeats.

    Attributes
    ----------
    wall : list of float
        On the clock (on a GPU: by its events).
    processor : list of float
        Of all cores together, for this process alone: hardly longer when others are at work too.
    """

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median on the clock."""
        return float(median(self.wall))

    @property
    def processor_seconds(self) -> float:
        """Median of the processor time."""
        return float(median(self.processor))


def in_turns(
    ways: Mapping[str, Callable[[], Any]], repeats: int, device: str = "cpu"
) -> dict[str, Times]:
    """Seconds of several ways that take turns, so that a busy machine slows all of them.

    The first turn warms up and is not counted.
    """
    found = {name: Times() for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            began = time.process_time()
            seconds = timed(way, device)
            if turn:
                found[name].wall.append(seconds)
                found[name].processor.append(time.process_time() - began)
    return found


def timed(way: Callable[[], Any], device: str = "cpu") -> float:
    """Seconds of one call; on a GPU by its own events."""
    if device.startswith("cuda"):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        way()
        end.record()
        torch.cuda.synchronize(device)
        return float(start.elapsed_time(end)) / 1e3
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


def middle(seconds: Sequence[float]) -> float:
    return float(median(seconds))


def machine(device: str) -> dict[str, Any]:
    """What the numbers were measured on."""
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else None
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "load_at_start": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "napari_ptychonn": version("napari-ptychonn"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
