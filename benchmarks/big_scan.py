"""A scan larger than memory, from the file to the mosaic: `python benchmarks/big_scan.py`.

    python benchmarks/big_scan.py --frames 100000     # 3.3 GB of counts, about 1 GB of file
    python benchmarks/big_scan.py --frames 5000       # the same, soon over

Writes the file into a temporary folder (or into --folder, where the next run
finds it), then trains on its first thousand frames, predicts all and saves the
result: through the command line, and through a window under Xvfb.  Prints the
largest memory that all processes of each run held together, and for the
window how long it did not answer.  The network is a small one, so that the
time is that of reading, stitching and keeping; --default takes the default one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.io import read_reconstruction, read_scan, write_reconstruction
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.epochs import train
from napari_ptychonn.simulation.scan import Simulation

TILE = (25, 40)
"""Scan points that are simulated; the big scan repeats them with other noise."""

SMALL = NetworkOptions(width=4, refinements=0)
SIZE = 128
TRAINED = TILE[0] * TILE[1]
STEPS = 50
MEMORY = 2.0
"""GB that a run may take."""


def main() -> None:
    """Write the scan, run both ways, print a table."""
    options = _arguments()
    if options.window_of is not None:
        through_window(options.window_of, options.frames, small=not options.default)
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="big-scan-", dir="/var/tmp"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scan = folder / f"scan-{options.frames}.h5"
        if not scan.exists():
            write(scan, options.frames)
        size = scan.stat().st_size / 1e9
        counts = options.frames * SIZE * SIZE * 2 / 1e9
        print(f"{options.frames} frames of {SIZE}x{SIZE}: {counts:.2f} GB of counts, "
              f"a file of {size:.2f} GB", flush=True)  # fmt: skip
        rows: list[Run] = []
        if "command" in options.ways:
            rows += through_command_line(folder, scan, small=not options.default)
        if "window" in options.ways:
            rows += watched_window(folder, options.frames, small=not options.default)
        show(rows)
        if options.json:
            options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One step of one way.

    Attributes
    ----------
    way, step : str
        'command line' or 'window'; what was done.
    seconds : float
        That it took.
    memory : float
        Most that all its processes held together, GB.
    gaps : dict or None
        `Gaps` of the window.
    """

    way: str
    step: str
    seconds: float
    memory: float
    gaps: dict[str, Any] | None = None


def write(path: Path, count: int) -> None:
    """Write `count` frames: tiles of one simulated scan, each with noise of its own."""
    tile = Simulation(points=TILE, frame_size=SIZE, photons=1e5).run()
    expected = np.asarray(tile.scan.frames, np.float64)
    tiles = -(-count // TRAINED)
    columns = round(np.sqrt(tiles * TILE[0] / TILE[1])) or 1
    extent = np.ptp(tile.scan.positions, axis=0) + tile.scan.step
    rng = np.random.default_rng(1)
    with h5py.File(path.with_suffix(".tmp"), "w") as file:
        frames = file.create_dataset(
            "diffraction", (count, SIZE, SIZE), np.uint16, chunks=(1, SIZE, SIZE),
            **hdf5plugin.Bitshuffle(),
        )  # fmt: skip
        positions = np.empty((count, 2))
        for k in range(tiles):
            rows = slice(k * TRAINED, min((k + 1) * TRAINED, count))
            some = rows.stop - rows.start
            positions[rows] = tile.scan.positions[:some] + extent * divmod(k, columns)
            for start in range(0, some, 100):
                drawn = rng.poisson(expected[start : min(start + 100, some)])
                frames[rows.start + start : rows.start + start + len(drawn)] = drawn
        stored = file.create_dataset("positions_m", data=positions)
        stored.attrs["unit"], stored.attrs["axes"] = "m", "y, x"
        optics = tile.scan.optics
        file["photon_energy_eV"] = optics.energy_kev * 1e3
        file["detector_distance_m"] = optics.detector_distance
        file["detector_pixel_height_m"], file["detector_pixel_width_m"] = optics.detector_pitch
    made = replace(tile.reconstruction, indices=np.arange(TRAINED), positions=tile.scan.positions)
    write_reconstruction(path.parent / "object.h5", made)
    os.replace(path.with_suffix(".tmp"), path)


# -- the command line -----------------------------------------------------------------------


def through_command_line(folder: Path, scan: Path, *, small: bool) -> list[Run]:
    """Look, train for a moment, predict everything."""
    network = ["--resume", begun(folder, scan)] if small else []
    model, result = folder / "model.safetensors", folder / "RESULT.h5"
    commands: dict[str, list[Any]] = {
        "open": ["info", scan],
        "train": ["train", scan, "--frames", f"0:{TRAINED}", "-o", model, "--steps", STEPS,
                  "--reconstruction", folder / "object.h5", *network],
        "predict, stitch, save": ["predict", scan, "--model", model, "-o", result],
    }  # fmt: skip
    runs = []
    for step, arguments in commands.items():
        began = time.perf_counter()
        command = [sys.executable, "-m", "napari_ptychonn", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        memory = Memory(process.pid)
        code = process.wait()
        peak = memory.peak()
        if code:
            raise SystemExit(f"{step} ended with {code}")
        seconds = time.perf_counter() - began
        runs.append(Run(way="command line", step=step, seconds=seconds, memory=peak))
        print(runs[-1], file=sys.stderr, flush=True)
    result.unlink()
    return runs


def begun(folder: Path, scan: Path) -> Path:
    """Make a model of the small network, trained for one step."""
    measured = read_scan(scan)
    region = TrainingRegion.from_indices(measured, slice(0, 100))
    labels = read_reconstruction(folder / "object.h5")
    *_, last = train(measured, labels, region, TrainingOptions(steps=1), SMALL, device="cpu")
    last.best.save(folder / "small.safetensors")
    return folder / "small.safetensors"


class Memory:
    """Watches what a process and its children hold in memory, all together."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._peak = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def peak(self) -> float:
        """End watching: the most there was since the last call of `restart`, GB."""
        self._done.set()
        self._thread.join()
        return self._peak

    def restart(self) -> float:
        """Begin anew: the most there was until now, GB."""
        peak, self._peak = self._peak, 0.0
        return peak

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            held = 0
            for one in family:
                try:
                    held += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self._peak = max(self._peak, held / 1e9)


# -- the window -----------------------------------------------------------------------------


def watched_window(folder: Path, frames: int, *, small: bool) -> list[Run]:
    """Run the window in a process of its own, under Xvfb where there is no screen."""
    command = [sys.executable, __file__, "--window-of", str(folder), "--frames", str(frames)]
    command += [] if small else ["--default"]
    if not os.environ.get("DISPLAY"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [Run(**row) for row in json.loads(ended.stdout.splitlines()[-1])]


def through_window(folder: Path, frames: int, *, small: bool) -> None:
    """Do what a user does, and print the runs as JSON."""
    os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))
    import napari
    from heartbeat import Heartbeat
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 950)
    _, dock = viewer.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    heart, memory = Heartbeat(viewer), Memory(os.getpid())
    rows: list[Run] = []

    def live(seconds: float = 0.0, until: Any = None) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end or (until is not None and not until()):
            QApplication.processEvents()
            time.sleep(0.001)

    def step(name: str, start: Any, until: Any) -> None:
        heart.restart()
        memory.restart()
        began = time.perf_counter()
        start()
        live(until=until)
        seconds = time.perf_counter() - began
        live(1.0)
        gaps = asdict(heart.gaps())
        rows.append(
            Run(way="window", step=name, seconds=seconds, memory=memory.restart(), gaps=gaps)
        )
        print(rows[-1], file=sys.stderr, flush=True)

    def idle() -> bool:
        return not dock.session.running

    def train() -> None:
        dock.region_panel.set_way("frames")
        dock.region_panel.last_frame.setValue(TRAINED)
        dock.train_panel.options.value = replace(dock.train_panel.options.value, steps=STEPS)
        if small:
            dock.train_panel.network.value = SMALL
        dock.predict_panel.which.setCurrentText("held-out frames")
        dock.train_panel.train.click()

    def browse() -> None:
        for point in np.linspace(0, frames - 1, 30).astype(int):
            viewer.dims.set_current_step(0, int(point))
            live(0.2)

    live(2.0)
    scan, labels = folder / f"scan-{frames}.h5", folder / "object.h5"
    step("open", lambda: dock.open(str(scan)), lambda: idle() and dock.session.scan is not None)
    step(
        "labels",
        lambda: dock.scan_panel.choose_reconstruction(str(labels)),
        lambda: idle() and dock.session.reconstruction is not None,
    )
    step("browse", browse, idle)
    step("train, predict, stitch", train, lambda: idle() and dock.session.result is not None)
    step("browse the result", browse, idle)
    result = folder / "RESULT.h5"
    step(
        "save", lambda: dock.save_panel.save_result(str(result)), lambda: idle() and result.exists()
    )
    result.unlink()
    memory.peak()
    viewer.screenshot(folder / "window.png", canvas_only=False, flash=False)
    print(json.dumps([asdict(row) for row in rows]), flush=True)
    viewer.close()


def show(rows: list[Run]) -> None:
    """Print everything."""
    table = Table("way", "step", "s", f"memory (GB, < {MEMORY:g})", "gap p50/p99/max (ms)",
                  "without GL paint (ms)", "window's thread (ms)")  # fmt: skip
    for row in rows:
        gaps = [(row.gaps or {}).get(which, ()) for which in ("all", "own", "busy")]
        table.add_row(
            row.way, row.step, f"{row.seconds:.1f}", f"{row.memory:.2f}",
            *("/".join(f"{gap:.0f}" for gap in three) for three in gaps),
        )  # fmt: skip
    Console(width=110).print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="keep the file here")
    parser.add_argument("--ways", nargs="+", default=("command", "window"))
    parser.add_argument("--default", action="store_true", help="the default network")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--window-of", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
