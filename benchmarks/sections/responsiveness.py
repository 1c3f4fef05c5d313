"""How long the window does not answer while it works: `benchmarks/responsiveness.py`, if there."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sections.measuring import Setting, Table

PROGRAM = Path(__file__).parents[1] / "responsiveness.py"
TITLE = "Responsiveness of the window"


def measure(setting: Setting) -> Table:
    if not PROGRAM.exists():
        return Table(title=TITLE, columns=[""], rows=[["not measured: no responsiveness.py"]])
    if setting.quick:
        return Table(title=TITLE, columns=[""], rows=[["not measured: --quick opens no window"]])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "numbers.json"
        command = [sys.executable, str(PROGRAM), "--json", str(file)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode or not file.exists():
            why = (run.stderr.strip().splitlines() or ["it ended without numbers"])[-1]
            return Table(title=TITLE, columns=[""], rows=[[f"not measured: {why}"]])
        values = json.loads(file.read_text(encoding="utf-8"))
    return Table(
        title=TITLE,
        columns=["phase", "s", "redraws", "paint, ms", "gap p50/p99/max, ms", "without paint, ms",
                 "window's thread, ms", "training over the command line's"],
        rows=[row for turn in values for row in _rows(*turn)],
        values=values,
    )  # fmt: skip


def _rows(alone: dict[str, Any], window: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, gaps in window["phases"].items():
        longer = ""
        if name == "training":
            clock, processor = (
                f"{window[what] / alone[what] - 1:+.0%}" for what in ("seconds", "processor")
            )
            longer = f"{clock} of time, {processor} of CPU"
        rows.append(
            [name, f"{gaps['seconds']:.1f}", str(gaps["paints"]), f"{gaps['paint']:.0f}",
             *("/".join(f"{gap:.0f}" for gap in gaps[w]) for w in ("all", "own", "busy")), longer]
        )  # fmt: skip
    return rows
