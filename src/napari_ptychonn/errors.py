"""The one kind of error that a user is meant to read."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one plain sentence.

    The sentence names what was wrong (file, dataset), what was expected and
    what was found.  The command line prints it and exits with 1; the window
    shows it as a notification.  Anything else that is raised is a defect.
    """


class LostProcessError(InputError):
    """Another process of the same job is gone; that one, or the system, knows why."""


class Stopped(Exception):  # noqa: N818 (it is no error)
    """Somebody asked to stop before there was anything to keep."""
