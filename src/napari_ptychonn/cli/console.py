"""Terminal output and stop requests of a running command."""

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
from napari_ptychonn.data.formatting import format_count

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_ptychonn.data.reconstruction import Reconstruction
    from napari_ptychonn.data.scan import Scan

logger = logging.getLogger(__name__)


class Track(Protocol):
    """Show progress."""

    def __call__(self, title: str, done: int, total: int, status: str = "") -> None:
        """Show that `done` of `total` units of `title` are finished."""


def print_status(text: str) -> None:
    """Print a line on stderr: for people, not for scripts."""
    print(text, file=sys.stderr, flush=True)


def discard_status(text: str) -> None:
    """Print nothing: of several processes, only the first one prints."""
    del text


def load_scan(
    path: str,
    contrast: float | None = CONTRAST,
    report: Callable[[str], None] | None = None,
    *,
    positions: str | None = None,
    correct: str | None = None,
    crop: int | None = None,
    bin: int = 1,
) -> Scan:
    """Read a scan and report its warnings.

    Parameters
    ----------
    path : str
        See `read_scan`.
    contrast : float or None
        Bad pixels beyond this contrast are masked (see `BadPixels`); None masks none.
    report : callable, optional
        Called with each warning; by default warnings are logged.
    positions : str, optional
        See `read_scan`.
    correct : str, optional
        See `ScanCorrection.parse`.
    crop, bin : int
        See `crop_and_bin`.
    """
    from napari_ptychonn.consistency.correction import ScanCorrection
    from napari_ptychonn.data.crop_bin import crop_and_bin
    from napari_ptychonn.io import read_scan

    correction = ScanCorrection.parse(correct or "")
    # Bad pixels are masked first, so that binning leaves them out.
    scan = correction.apply(read_scan(path, positions=positions).masked_above(contrast))
    for sentence in scan.warnings:
        (report or logger.warning)(f"{scan.name}: {sentence}")
    return crop_and_bin(scan, crop, bin)


def report_consistency(
    scan: Scan, reconstruction: Reconstruction, report: Callable[[str], None] | None = None
) -> None:
    """Check a scan with a reconstruction of it, and report contradictions as warnings."""
    from napari_ptychonn.consistency.consistency import check_consistency

    for sentence in check_consistency(scan, reconstruction).warnings:
        (report or logger.warning)(f"{scan.name}: {sentence}")


def load_reconstruction(
    path: str,
    report: Callable[[str], None] = print_status,
    *,
    scan: str | None = None,
    positions: str | None = None,
) -> Reconstruction:
    """Read a reconstruction and report which one it is.

    Parameters
    ----------
    path : str
        See `read_reconstruction`.
    report : callable
        Called with one sentence.
    scan, positions : str, optional
        Files that the scan and its positions were read from: positions of another file
        may renumber its frames.
    """
    from napari_ptychonn.io.opened_file import read_reconstruction_for

    reconstruction = read_reconstruction_for(scan or path, path, positions=positions)
    made = reconstruction.algorithm
    if reconstruction.iterations:
        made += f", {format_count(reconstruction.iterations, 'iteration')}"
    report(f"reconstruction: {reconstruction.name} ({made}) of {path}")
    return reconstruction


@contextmanager
def stop_requests(
    kept: str = "the best model so far",
    *,
    attended: bool = False,
    report: Callable[[str], None] = print_status,
) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or SIGTERM of a batch system) into a stop request; the second kills.

    Parameters
    ----------
    kept : str
        What is kept then, for the message.
    attended : bool
        Whether another program holds the standard input: 'stop' there is a stop
        request, and so is its end, because that program is gone.
    report : callable
        Called with one sentence.

    Yields
    ------
    callable
        Returns True once a stop is requested.
    """
    requests: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: Any) -> None:
        del frame
        requests.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)
        report(f"stopping after this step; {kept} is kept")

    def read_stdin() -> None:
        # Not through sys.stdin, whose lock a thread must not hold when the program ends.
        while (received := os.read(0, 4096)) and b"stop" not in received:
            pass
        requests.append(0)

    for number in before:
        signal.signal(number, on_signal)
    if attended:
        threading.Thread(target=read_stdin, daemon=True).start()
    try:
        yield lambda: bool(requests)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Show progress bars on stderr if it is a terminal."""
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


def progress_tracker(progress: Progress) -> Track:
    """Return a `Track` that keeps one bar for each title."""
    bars: dict[str, Any] = {}

    def track(title: str, done: int, total: int, status: str = "") -> None:
        if title not in bars:
            bars[title] = progress.add_task(title, total=total, status=status)
        progress.update(bars[title], completed=done, total=total, status=status)

    return track


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(value, indent=2, allow_nan=False, default=str))
