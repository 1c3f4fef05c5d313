"""Whether there is an engine to reconstruct with."""

from __future__ import annotations

from importlib.util import find_spec

ENGINE = "ptychi"
INSTALL = 'pip install "napari-ptychonn[epie]"'


def why_not() -> str:
    """The sentence that says how to get the engine; '' where it is installed.

    Looks for it without importing it, which would take seconds.
    """
    if find_spec(ENGINE) is not None:
        return ""
    return f"Reconstructing needs pty-chi, which is not installed: run {INSTALL} and start again."
