"""Old names that still work for one version, with a `DeprecationWarning`."""

from __future__ import annotations

import warnings
from typing import Any


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that `old` is now called `new`."""
    warnings.warn(f"{old} is now {new}.", DeprecationWarning, stacklevel=stacklevel)


class RenamedAttribute:
    """Class attribute that warns and returns the attribute or method of the new name.

    Parameters
    ----------
    new : str
        The new name.
    """

    def __init__(self, new: str) -> None:
        self._new = new

    def __set_name__(self, owner: type, name: str) -> None:
        self._old = f"{owner.__name__}.{name}"

    def __get__(self, instance: Any, owner: type) -> Any:
        warn_renamed(self._old, self._new)
        return getattr(owner if instance is None else instance, self._new)
