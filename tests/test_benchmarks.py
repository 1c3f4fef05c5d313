"""That `benchmarks/run.py` works; what it measures is not looked at."""

import json
import os
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SECTIONS = ("latency", "stitching", "reading", "whole")


def test_one_command_measures_prints_and_writes(tmp_path):
    numbers, page = tmp_path / "numbers.json", tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- begin: stitching -->\nold\n<!-- end: stitching -->\n\nAfter.\n")
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--quick", "--device", "cpu"]
    command += ["--sections", *SECTIONS, "--json", str(numbers), "--markdown", str(page)]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"},
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(numbers.read_text())
    assert set(told["sections"]) == set(SECTIONS)
    assert told["machine"]["torch_threads"] == 1
    assert told["sections"]["whole"]["frames"] == 144
    assert "Latency of a single frame" in run.stdout
    text = page.read_text()
    assert "old" not in text and "patches/s" in text.split("After.")[0]
    assert "<!-- begin: whole -->" in text.split("After.")[1]
