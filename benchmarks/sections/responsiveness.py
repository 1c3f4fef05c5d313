"""How long the window does not answer while it works: `benchmarks/responsiveness.py`, if there."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

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
    lines = [line for line in run.stdout.splitlines() if line.strip()]
    return Table(title=TITLE, columns=[""], rows=[[line] for line in lines], values=values)
