"""The terminal: what a person is told, and asks for, while a command works."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from napari_ptychonn.data.bad_pixels import CONTRAST

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_ptychonn.data.reconstruction import Reconstruction
    from napari_ptychonn.data.scan import Scan

logger = logging.getLogger(__name__)


class Track(Protocol):
    """Shows how far something has got."""

    def __call__(self, what: str, done: int, total: int, status: str = "") -> None:
        """Show `done` of `total` for `what`."""


def print_status(text: str) -> None:
    """Tell a person something that a script does not read."""
    print(text, file=sys.stderr, flush=True)


def discard_status(text: str) -> None:
    """Tell nobody: of several processes, only the first one speaks."""
    del text


def load_scan(
    path: str,
    contrast: float | None = CONTRAST,
    say: Callable[[str], None] | None = None,
    *,
    positions: str | None = None,
    crop: int | None = None,
    bin: int = 1,
) -> Scan:
    """Read a scan, and say what is doubtful about it.

    Parameters
    ----------
    path : str
        See `read_scan`.
    contrast : float or None
        Faulty pixels beyond this are masked (see `BadPixels`); None masks none.
    say : callable, optional
        Instead of a warning in the log.
    positions : str, optional
        See `read_scan`.
    crop, bin : int
        See `crop_and_bin`.
    """
    from napari_ptychonn.data.crop_bin import crop_and_bin
    from napari_ptychonn.io import read_scan

    # Pixels are summed after the faulty ones are left out.
    scan = read_scan(path, positions=positions).masked_above(contrast)
    for sentence in scan.warnings:
        (say or logger.warning)(f"{scan.name}: {sentence}")
    return crop_and_bin(scan, crop, bin)


def load_reconstruction(
    path: str,
    say: Callable[[str], None] = print_status,
    *,
    scan: str | None = None,
    positions: str | None = None,
) -> Reconstruction:
    """Read a reconstruction, and say what it is.

    Parameters
    ----------
    path : str
        See `read_reconstruction`.
    say : callable
        Tells a person.
    scan, positions : str, optional
        What the scan was read from; other positions than its own may number its frames anew.
    """
    from napari_ptychonn.io.readers.reconstructions import read_reconstruction_for

    reconstruction = read_reconstruction_for(scan or path, path, positions=positions)
    made = reconstruction.algorithm
    if reconstruction.iterations:
        made += f", {reconstruction.iterations} iterations"
    say(f"reconstruction: {reconstruction.name} ({made}) of {path}")
    return reconstruction


@contextmanager
def stop_requests(
    kept: str = "the best model so far",
    *,
    attended: bool = False,
    say: Callable[[str], None] = print_status,
) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or a queue's SIGTERM) into a wish to stop; the second one is final.

    Parameters
    ----------
    kept : str
        What is left of the work then.
    attended : bool
        Whether another program is at the standard input: 'stop' asks as well,
        and so does its end, because that program has gone.
    say : callable
        Tells a person.
    """
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: Any) -> None:
        del frame
        asked.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)
        say(f"stopping after this step; {kept} is kept")

    def listen() -> None:
        # Not through sys.stdin, whose lock a thread must not hold when the program ends.
        while (heard := os.read(0, 4096)) and b"stop" not in heard:
            pass
        asked.append(0)

    for number in before:
        signal.signal(number, on_signal)
    if attended:
        threading.Thread(target=listen, daemon=True).start()
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
