"""Reconstruction: an iterator of iterations, each of which carries the object so far."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.data.unusable_frames import find_unusable_frames
from napari_ptychonn.errors import InputError, Stopped
from napari_ptychonn.reconstruction.availability import why_not
from napari_ptychonn.reconstruction.defocus import middle_of, shadow_rate
from napari_ptychonn.reconstruction.initial_probe import (
    estimate_probe,
    footprint,
    off_centre,
    with_modes,
    with_power,
)
from napari_ptychonn.reconstruction.job_folder import (
    Job,
    State,
    read_state,
    write_frames,
    write_state,
)
from napari_ptychonn.reconstruction.object_grid import Grid
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.reconstruction.worker_process import WorkerProcess

MARGIN = 8
"""Object pixels around the frames; twice as many where positions may move."""

CROWD = {"epie": 1.0, "rpie": 0.35, "lsqml": 1.0}
"""Beams of one batch on each spot of the sample, on average, that still converge: pty-chi adds up
the updates of a batch, so that more of them overshoot.  Measured, see docs/reconstruct.md."""

UNKNOWN_CROWD = {"epie": 16, "rpie": 8, "lsqml": 16}
"""Frames in a batch at most where the probe is estimated: the beam may light far more than that."""

POLL = 0.1
"""Seconds between two looks at whether to stop."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Iteration:
    """What is known after one pass over the frames.

    Attributes
    ----------
    number, total : int
        This iteration, from 1, and how many there will be at most; both count
        those of a reconstruction that is gone on with.
    error : float
        Σ(√model − √counts)² / Σ counts over the iteration, as the model was
        just before each update.
    seconds : float
        Computing so far; importing and setting up are not counted.
    reconstruction : Reconstruction
        The latest object, at most half a second or one iteration old: its
        `iterations` says from when; the last Iteration has the last one.
    messages : tuple of str
        What the user should know since the last iteration: plain sentences.
    """

    number: int
    total: int
    error: float
    seconds: float
    reconstruction: Reconstruction
    messages: tuple[str, ...] = ()


def reconstruct(
    scan: Scan,
    options: EngineOptions | None = None,
    *,
    indices: NDArray[np.int64] | None = None,
    start: Reconstruction | None = None,
    device: str = "auto",
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[Iteration]:
    """Reconstruct object and probe, iteration by iteration, in a child process.

    Parameters
    ----------
    scan : Scan
        Frames, positions, pixel size and bad pixels.
    options : EngineOptions, optional
        The default ones if not given.
    indices : ndarray of int64, optional
        (m,) scan points to use; all if not given.
    start : Reconstruction, optional
        Continue with this object, its probe and its positions.  One that was
        iterated before is continued and its iterations counted; any other,
        such as `Result.starting_point`, is a warm start.
    device : str
        'auto', 'cpu', 'cuda', 'cuda:1' or 'xpu'.
    should_stop : callable, optional
        Asked ten times a second; True ends within a second with one last
        Iteration that carries the object as it is then.

    Yields
    ------
    Iteration
        None at all when stopped before there was any object.

    Raises
    ------
    InputError
        When pty-chi is not installed, the scan cannot be reconstructed, or the
        child process was killed or has no memory.  What was yielded stays good.

    Notes
    -----
    An object and its probe can be shifted together without changing any frame.
    Where the probe is estimated, this is settled by putting its centre of mass
    on the scan positions; a known probe settles it by itself.
    """
    if missing := why_not():
        raise InputError(missing)
    options = options or EngineOptions()
    every = np.arange(len(scan), dtype=np.int64)
    chosen = every if indices is None else np.asarray(indices, np.int64)
    if not len(chosen):
        raise InputError(f"{scan.name}: no frames were chosen to reconstruct.")
    try:
        unusable = find_unusable_frames(scan, chosen, should_stop)
    except Stopped:
        return
    chosen = unusable.drop_from(chosen)
    if not len(chosen):
        raise InputError(f"{scan.name}: {unusable.sentence}; none is left to reconstruct.")
    with tempfile.TemporaryDirectory(
        prefix="napari-ptychonn-", ignore_cleanup_errors=True
    ) as folder:
        course = _Course(scan, options, chosen, start, Path(folder))
        course.messages += [unusable.sentence] if unusable.sentence else []
        yield from course.run(device, should_stop or _never)


class _Course:
    """One run: what goes to the child, and what comes back as a `Reconstruction`."""

    def __init__(
        self,
        scan: Scan,
        options: EngineOptions,
        indices: NDArray[np.int64],
        start: Reconstruction | None,
        folder: Path,
    ) -> None:
        self.scan, self.options, self.indices, self.folder = scan, options, indices, folder
        self.start: Reconstruction | None = None
        positions = scan.positions
        if start is not None:
            self.start, positions = start.align_to(scan)
        self.positions = positions[indices]
        margin = 2 * MARGIN if options.position_correction else MARGIN
        self.grid = Grid.under(scan, self.positions, margin, self.start)
        self.messages: list[str] = []
        self.latest: Reconstruction | None = None
        self.centred = False

    @property
    def before(self) -> int:
        """Iterations that were made before."""
        return 0 if self.start is None else self.start.iterations or 0

    def run(self, device: str, should_stop: Callable[[], bool]) -> Iterator[Iteration]:
        """Start the child and pass on what it says."""
        mean = write_frames(self.folder, self.scan, self.indices, should_stop)
        if mean is None or should_stop():
            return
        state = self._first_state(mean)
        write_state(self.folder, state)
        kind, environment = _only_visible(device)
        Job(
            options=self.options,
            device=kind,
            resumed=self.before > 0,
            crowded=self._crowded(state),
        ).save(self.folder)
        child = WorkerProcess(self.folder, environment)
        try:
            yield from self._watch(child, should_stop)
        finally:
            child.close()

    def _watch(self, child: WorkerProcess, should_stop: Callable[[], bool]) -> Iterator[Iteration]:
        point: dict[str, Any] = {}
        while not point.get("last"):
            message = child.next_message(POLL)
            if should_stop():
                child.stop()
            if message is None:
                if child.is_overdue:
                    yield from self._cut_short(point)
                    return
                continue
            self.messages += message.get("messages", [])
            if "diverged" in message:
                yield from self._diverged(point)
                return
            if "number" not in message:
                continue
            point = message
            if point["state"]:
                self.latest = self._reconstruction(point)
                child.acknowledge()
            if point["number"] > 0:
                yield self._iteration(point)

    def _iteration(self, point: dict[str, Any]) -> Iteration:
        assert self.latest is not None
        messages, self.messages = tuple(self.messages), []
        return Iteration(
            number=self.before + point["number"],
            total=self.before + self.options.iterations,
            error=point["error"],
            seconds=point["seconds"],
            reconstruction=self.latest,
            messages=messages,
        )

    def _cut_short(self, point: dict[str, Any]) -> Iterator[Iteration]:
        """It did not stop in time: what it handed over last is what there is."""
        if point:
            self.messages.append("stopped as asked, in mid-iteration; the last object is kept")
            yield self._iteration(point)

    def _diverged(self, point: dict[str, Any]) -> Iterator[Iteration]:
        if not point:
            raise InputError(
                f"{self.scan.name}: the reconstruction diverged in its first iteration; check the "
                "positions, the pixel size and the probe, or choose a smaller batch size."
            )
        self.messages.append("the error is no longer finite; the last object before that is kept")
        yield self._iteration(point)

    def _first_state(self, mean: NDArray[np.float64]) -> State:
        counts = float(mean.sum())
        if counts <= 0:
            raise InputError(f"{self.scan.name}: there are no counts in the chosen frames.")
        known = self._known_probe()
        probe = self._estimated_probe(mean) if known is None else known
        self.centred = known is None
        return State(
            object=self.grid.flat() if self.start is None else self.grid.sampled(self.start),
            probe=with_power(with_modes(probe, self.options.modes or len(probe)), counts),
            positions=self.grid.index(self.positions),
        )

    def _estimated_probe(self, mean: NDArray[np.float64]) -> NDArray[np.complex64]:
        rows = middle_of(self.positions)
        places = self.grid.index(self.positions)[rows]
        frames = self.scan.read(self.indices[rows])
        if self.scan.valid is not None:
            frames = np.where(self.scan.valid, frames, 0)
        return estimate_probe(mean, shadow_rate(frames, places))

    def _crowded(self, state: State) -> int:
        algorithm = self.options.algorithm
        room = crowded(state, CROWD[algorithm])
        return min(room, UNKNOWN_CROWD[algorithm]) if self.centred else room

    def _known_probe(self) -> NDArray[np.complex64] | None:
        """The start's probe, or the scan's, where it fits the frames."""
        if self.options.first_probe == "estimated":
            return None
        of_start = None if self.start is None else self.start.probe
        probe = self.scan.probe if of_start is None else of_start
        if probe is None:
            self.messages.append("no probe is known: the first one is estimated from the frames")
        elif probe.shape[-2:] != self.scan.frame_shape:
            shape, wanted = (
                "{} x {}".format(*s) for s in (probe.shape[-2:], self.scan.frame_shape)
            )
            self.messages.append(
                f"the known probe has {shape} pixels and the frames {wanted}: the first one is "
                "estimated from the frames"
            )
            return None
        return probe

    def _reconstruction(self, point: dict[str, Any]) -> Reconstruction:
        state = read_state(self.folder)
        origin = self.grid.origin
        if self.centred:
            state, origin = self._recentred(state)
        title = self.options.title
        return Reconstruction(
            object=state.object,
            pixel_size=self.grid.pixel_size,
            origin=origin,
            unit=self.grid.unit,
            probe=state.probe,
            indices=self.indices,
            positions=self._used_positions(state),
            optics=self.scan.optics,
            algorithm=title,
            iterations=self.before + point["number"],
            name=f"{title} of {self.scan.name}",
            seconds=self._seconds(point["seconds"]),
        )

    def _used_positions(self, state: State) -> NDArray[np.float64]:
        if not self.options.position_correction:
            return self.positions
        return self.grid.position(state.positions)

    def _recentred(self, state: State) -> tuple[State, tuple[float, float]]:
        """Shift probe and object together, so that the beam lies on the positions."""
        from napari_ptychonn.optics.probe import shift_ramp

        shift = off_centre(state.probe)
        ramp = shift_ramp(state.probe.shape[-2:], -shift[0], -shift[1])
        probe = np.fft.ifft2(np.fft.fft2(state.probe) * ramp).astype(np.complex64)
        y, x = np.asarray(self.grid.origin) - shift * np.asarray(self.grid.pixel_size)
        return replace(state, probe=probe), (float(y), float(x))

    def _seconds(self, spent: float) -> float | None:
        """Of all iterations together; None when those before are not known."""
        if self.start is None or not self.before:
            return spent
        return None if self.start.seconds is None else self.start.seconds + spent


def crowded(state: State, overlap: float) -> int:
    """How many frames light each spot of the scanned area `overlap` times on average."""
    area = footprint(state.probe)
    height, width = np.ptp(state.positions, axis=0) + np.sqrt(area)
    return max(1, int(overlap * height * width / area))


def _only_visible(device: str) -> tuple[str, dict[str, str]]:
    """Kind of device, and the environment in which the one asked for is the only one.

    pty-chi takes the first GPU that it sees.
    """
    kind, _, number = device.partition(":")
    variable = {"cuda": "CUDA_VISIBLE_DEVICES", "xpu": "ZE_AFFINITY_MASK"}.get(kind)
    if variable is None or not number.isdigit():
        return device, {}
    seen = [name for name in os.environ.get(variable, "").split(",") if name]
    if not seen:
        return kind, {variable: number}
    return (kind, {variable: seen[int(number)]}) if int(number) < len(seen) else (device, {})


def _never() -> bool:
    return False
