"""Write models, results, reconstructions, comparisons and studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from napari_ptychonn.tasks.events import Activity, Saved, ShouldStop, never


@dataclass(frozen=True, kw_only=True, eq=False)
class SaveTask:
    """Write one file.

    Attributes
    ----------
    path : str
        File to write; the extension chooses the format.
    write : callable
        Writes it, given the path.
    """

    activity: ClassVar[Activity] = "saving"

    path: str
    write: Callable[[str], Any]

    def run(self, should_stop: ShouldStop = never) -> Iterator[Saved]:
        """Write; a file is replaced once it is complete, so it is not interrupted."""
        del should_stop
        self.write(self.path)
        yield Saved(path=Path(self.path))
