import os
import subprocess
import sys

import pytest

CODE = """
import os, sys
import napari_ptychonn.data.scan
print(os.environ.get("OMP_WAIT_POLICY"))
{start}
print(os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules)
"""
COMMAND_LINE = """
from napari_ptychonn.cli.app import main
try:
    main(["info", "nothing.h5"])
except SystemExit:
    pass
"""


def printed(start, given):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if given:
        environment["OMP_WAIT_POLICY"] = given
    code = CODE.format(start=start)
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return ended.stdout.split()


@pytest.mark.parametrize(
    ("start", "given", "policy"),
    [
        (COMMAND_LINE, None, "PASSIVE"),
        (COMMAND_LINE, "ACTIVE", "ACTIVE"),
        ("import napari_ptychonn.widgets", None, "PASSIVE"),
    ],
)
def test_programs_let_idle_threads_sleep_and_the_library_decides_nothing(start, given, policy):
    before, after, torch_is_loaded = printed(start, given)
    assert before == str(given)
    assert after == policy
    assert torch_is_loaded == "False", "OpenMP reads the setting when torch is loaded"
