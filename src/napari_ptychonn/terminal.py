"""The terminal: what a person is told, and asks for, while a command works."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_ptychonn.core.reconstruction import Reconstruction


class Track(Protocol):
    """Shows how far something has got."""

    def __call__(self, what: str, done: int, total: int, status: str = "") -> None:
        """Show `done` of `total` for `what`."""


def notice(text: str) -> None:
    """Tell a person something that a script does not read."""
    print(text, file=sys.stderr, flush=True)


def read_aloud(path: str) -> Reconstruction:
    """Read a reconstruction, and say what it is."""
    from napari_ptychonn.io import read_reconstruction

    reconstruction = read_reconstruction(path)
    made = reconstruction.algorithm
    if reconstruction.iterations:
        made += f", {reconstruction.iterations} iterations"
    notice(f"reconstruction: {reconstruction.name} ({made}) of {path}")
    return reconstruction


@contextmanager
def stop_requests(kept: str = "the best model so far") -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or a queue's SIGTERM) into a wish to stop; the second one is final."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: Any) -> None:
        del frame
        asked.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)
        notice(f"stopping after this step; {kept} is kept")

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Progress bars on stderr where that is a terminal; nothing otherwise."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
    )
    shown = sys.stderr.isatty()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not shown, transient=True) as progress:
        yield progress


def tracker(progress: Progress) -> Track:
    """Make a callable (what, done, total, status) that keeps one bar for each `what`."""
    bars: dict[str, Any] = {}

    def track(what: str, done: int, total: int, status: str = "") -> None:
        if what not in bars:
            bars[what] = progress.add_task(what, total=total, status=status)
        progress.update(bars[what], completed=done, total=total, status=status)

    return track


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(value, indent=2, allow_nan=False, default=str))
