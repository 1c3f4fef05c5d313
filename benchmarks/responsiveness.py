"""Whether a window answers while it works: `python benchmarks/responsiveness.py`.

Opens, trains and predicts the simulated scan in a real window, under Xvfb
where there is no screen, and trains the same without a window.  A timer in the
window should ring every 10 ms; the table says how long it did not, how often
the canvas was drawn, and how much longer the training took.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

TRAINED = 700
POINTS = 32, 32
"""Of the simulated scan, 64x64 pixels."""


def main() -> None:
    """Run each way in a process of its own, print a table."""
    options = _arguments()
    if options.alone or options.window:
        found = in_window(options.steps) if options.window else without_window(options.steps)
        print(json.dumps(found), flush=True)
        return
    turns = [  # in turns, so that a busy machine slows both
        (_run("--alone", options.steps), _run("--window", options.steps))
        for _ in range(options.turns)
    ]
    show(turns)
    if options.json:
        options.json.write_text(json.dumps(turns, indent=2))


def without_window(steps: int) -> dict[str, Any]:
    """Train as the command line does."""
    from napari_ptychonn.data.region import TrainingRegion
    from napari_ptychonn.network.options import TrainingOptions
    from napari_ptychonn.network.training.epochs import train
    from napari_ptychonn.tasks.load import simulate_sample

    opened = simulate_sample(POINTS)
    region = TrainingRegion.from_indices(opened.scan, slice(0, TRAINED))
    options = TrainingOptions(steps=steps)
    epochs = [
        (epoch.seconds, time.process_time())
        for epoch in train(opened.scan, opened.reconstruction, region, options, device="cpu")
    ]
    return _from_first_to_last(epochs)


def in_window(steps: int) -> dict[str, Any]:
    """Open, train and predict as a user does."""
    os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))
    import napari
    from heartbeat import Heartbeat
    from qtpy.QtCore import QTimer

    from napari_ptychonn.cli.demonstration import write_scan
    from napari_ptychonn.tasks.load import simulate_sample

    opened = simulate_sample(POINTS)
    file = write_scan(Path(tempfile.mkdtemp()) / "scan.h5", opened.scan, opened.reconstruction)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 950)
    _, dock = viewer.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    heart = Heartbeat(viewer)
    told: dict[str, Any] = {"phases": {}}
    epochs: list[tuple[float, float]] = []
    session = dock.session
    session.epoch_finished.connect(lambda e: epochs.append((e.seconds, time.process_time())))
    state = {"phase": ""}

    def phase(name: str) -> None:
        """End what was watched, and begin anew."""
        if state["phase"]:
            told["phases"][state["phase"]] = asdict(heart.gaps())
        state["phase"] = name
        heart.restart()

    def on_run(run: str) -> None:
        if run in {"training", "predicting"}:
            phase(run)
        elif state["phase"] == "opening" and session.scan is not None:
            QTimer.singleShot(3000, start)
        elif state["phase"] == "predicting":
            phase("")
            QTimer.singleShot(0, viewer.close)

    def start() -> None:
        phase("idle")
        dock.region_panel.set_way("frames")
        dock.region_panel.last_frame.setValue(TRAINED)
        options = dock.train_panel.options.widgets
        options["steps"].value = steps
        dock.train_panel.device.setCurrentText("cpu")
        QTimer.singleShot(2000, dock.train)

    def open_it() -> None:
        phase("opening")
        dock.open(str(file))

    session.running_changed.connect(on_run)
    QTimer.singleShot(3000, open_it)
    napari.run()
    return told | _from_first_to_last(epochs)


def _from_first_to_last(epochs: list[tuple[float, float]]) -> dict[str, float]:
    """Time and processor time of all epochs but the first, which begins with imports."""
    (began, busy), (ended, done) = epochs[0], epochs[-1]
    return {"seconds": ended - began, "processor": done - busy}


def show(turns: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Print gaps and overhead, turn by turn."""
    console = Console(width=120)
    table = Table("turn", "phase", "s", "redraws", "GL paint (ms)", "gap p50/p99/max (ms)",
                  "without paint (ms)", "window's thread (ms)")  # fmt: skip
    for number, (_, window) in enumerate(turns, 1):
        for name, gaps in window["phases"].items():
            table.add_row(
                str(number), name, f"{gaps['seconds']:.1f}", str(gaps["paints"]),
                f"{gaps['paint']:.0f}",
                *("/".join(f"{gap:.0f}" for gap in gaps[w]) for w in ("all", "own", "busy")),
            )  # fmt: skip
    console.print(table)
    table = Table("turn", "training alone (s)", "in the window (s)", "overhead",
                  "processor alone (s)", "in the window (s)", "overhead")  # fmt: skip
    for number, (alone, window) in enumerate(turns, 1):
        row = [str(number)]
        for what in ("seconds", "processor"):
            row += [f"{alone[what]:.1f}", f"{window[what]:.1f}",
                    f"{window[what] / alone[what] - 1:+.0%}"]  # fmt: skip
        table.add_row(*row)
    console.print(table)


def _run(way: str, steps: int) -> dict[str, Any]:
    command = [sys.executable, __file__, way, "--steps", str(steps)]
    if way == "--window" and not os.environ.get("DISPLAY"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100, help="of the training")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--window", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
