"""Everything that docs/performance.md tells, measured again: `python benchmarks/run.py`.

Prints one table a section; medians, and ratios of what was measured in the same run.

    python benchmarks/run.py --quick                                  # shows that it works
    python benchmarks/run.py --sections prediction stitching --json numbers.json
    python benchmarks/run.py --markdown docs/performance.md           # fills the tables in
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

# A thread that spins while it waits takes the core from whoever it waits for.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from rich.console import Console
from rich.table import Table as Printed
from sections.measuring import Setting, Table, machine

from napari_ptychonn.compute.device import choose_device

SECTIONS = (
    "prediction",
    "latency",
    "training",
    "accuracy",
    "refinements",
    "stitching",
    "reading",
    "whole",
    "epie",
    "responsiveness",
)
BEGIN, END = "<!-- begin: {} -->", "<!-- end: {} -->"


def main() -> None:
    """Measure each section that was asked for; print it, and keep it."""
    options = _arguments()
    console = Console()
    if options.threads:
        torch.set_num_threads(options.threads)
    setting = Setting(
        quick=options.quick,
        device=choose_device(options.device).name,
        data=options.data,
        repeats=options.repeats,
        points=tuple(options.points),
    )
    about = machine(setting.device) | {"quick": setting.quick, "command": " ".join(sys.argv)}
    console.print(", ".join(f"{key} {value}" for key, value in about.items() if value is not None))
    tables: dict[str, Table] = {}
    for name in options.sections:
        began = time.perf_counter()
        tables[name] = importlib.import_module(f"sections.{name}").measure(setting)
        _print(console, tables[name])
        console.print(f"[dim]{time.perf_counter() - began:.0f} s[/dim]")
        if options.json:
            told = {"machine": about, "sections": {n: t.values for n, t in tables.items()}}
            options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
        if options.markdown:
            _fill(options.markdown, "machine", _machine(about))
            _fill(options.markdown, name, _markdown(tables[name]))


def _print(console: Console, table: Table) -> None:
    printed = Printed(*table.columns, title=table.title)
    for row in table.rows:
        printed.add_row(*row)
    console.print(printed)
    for note in table.notes:
        console.print(f"  {note}", highlight=False)


def _markdown(table: Table) -> str:
    lines = [
        f"| {' | '.join(table.columns)} |",
        "|---|" + "---:|" * (len(table.columns) - 1),
        *(f"| {' | '.join(row)} |" for row in table.rows),
        "",
        *(f"- {note}" for note in table.notes),
    ]
    return "\n".join(lines).rstrip()


def _machine(about: dict[str, Any]) -> str:
    gpu = f", {about['gpu']}" if about["gpu"] else ", no GPU"
    return (
        f"{about['processor']} ({about['instructions']}), {about['cores']} cores{gpu}; Python "
        f"{about['python']}, torch {about['torch']} with {about['torch_threads']} threads; load "
        f"when it began: {about['load_at_start']}."
    )


def _fill(page: Path, name: str, text: str) -> None:
    """Replace what stands between a section's two comments; at the end where there are none."""
    begin, end = BEGIN.format(name), END.format(name)
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    block = f"{begin}\n{text}\n{end}"
    if begin in old and end in old:
        before, rest = old.split(begin, 1)
        new = before + block + rest.split(end, 1)[1]
    else:
        new = f"{old.rstrip()}\n\n{block}\n".lstrip()
    page.write_text(new, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers mean nothing")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads; as many as there are cores")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--points", type=int, nargs=2, default=(60, 60), metavar=("NY", "NX"))
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("NAPARI_PTYCHONN_DATA"),
        help="folder of real scans; else named by NAPARI_PTYCHONN_DATA",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="page to fill tables into")
    options = parser.parse_args()
    options.data = options.data and Path(options.data)
    return options


if __name__ == "__main__":
    main()
