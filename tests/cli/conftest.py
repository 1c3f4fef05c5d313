"""The command line in this process and in one of its own, and the files that commands need."""

import contextlib
import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from napari_ptychonn.cli import app as cli
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.simulation.scan import simulate_scan


def run_command(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(a) for a in arguments])
        except SystemExit as end:
            code = end.code or 0
    return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue())


@pytest.fixture(scope="session")
def run():
    """Run the command line in this process; returns `code`, `out` and `err`."""
    return run_command


@pytest.fixture(scope="session")
def python():
    """Run a Python process."""

    def run_process(*arguments):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run_process


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A scan of 90 points, a model trained for two steps on 50 of them, and its result."""
    folder = tmp_path_factory.mktemp("cli")
    write_scan(folder / "scan.h5", *simulate_scan((10, 9), photons=1e5))
    scan, model, result = (folder / name for name in ("scan.h5", "model", "RESULT.h5"))
    assert run_command("train", scan, "--frames", "0:50", "-o", model, "--steps", "2").code == 0
    assert run_command("predict", scan, "--model", model, "-o", result).code == 0
    return folder
