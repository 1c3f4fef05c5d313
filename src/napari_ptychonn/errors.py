"""Errors that a user is meant to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one plain sentence.

    The sentence names what was wrong (file, dataset), what was expected and
    what was found.  The command line prints it and exits with 1; the window
    shows it as a notification.  Anything else that is raised is a defect.

    Parameters
    ----------
    message : str
        The sentence.
    file : Path, optional
        The file at fault.
    dataset : str, optional
        The dataset, attribute or key in it.
    expected, got : object, optional
        What was expected and what was found.
    """

    def __init__(
        self,
        message: str = "",
        *,
        file: str | Path | None = None,
        dataset: str | None = None,
        expected: Any = None,
        got: Any = None,
    ) -> None:
        super().__init__(message)
        self.file = None if file is None else Path(file)
        self.dataset, self.expected, self.got = dataset, expected, got


class LostProcessError(InputError):
    """Another process of the same task has ended; its own message has the reason."""


class Stopped(Exception):  # noqa: N818 (it is no error)
    """Stopped before there was anything to keep."""
