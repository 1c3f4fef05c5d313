"""What a process that is started beside this one gets, and what its end means."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any


def command_line(*arguments: str) -> list[str]:
    """How this package's command line is started with the Python that runs now."""
    return [sys.executable, "-P", "-m", "napari_ptychonn", *arguments]


def surroundings() -> dict[str, str]:
    """Environment of this process, with the folders that it imports from."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUNBUFFERED": "1",
    }


def apart() -> dict[str, Any]:
    """Keep the terminal's Ctrl-C, and on Windows a console window, away from it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def signal_name(number: int) -> str:
    """'SIGKILL' for 9."""
    from signal import Signals

    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def ended_from_outside(code: int) -> str:
    """What a negative exit code says: 'ended from outside (SIGKILL), as the system does …'."""
    why = f"ended from outside ({signal_name(-code)})"
    return f"{why}, as the system does when memory is short" if code == -9 else why
