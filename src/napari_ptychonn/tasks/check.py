"""Check whether a scan and a reconstruction belong together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from napari_ptychonn.consistency.consistency import check_consistency
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.tasks.events import Activity, ConsistencyChecked, ShouldStop, never


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckTask:
    """Compare a few dozen frames with the far field of probe · object at their positions.

    Attributes
    ----------
    scan : Scan
        As it is used.
    reconstruction : Reconstruction
        Of the same scan.
    """

    activity: ClassVar[Activity] = "checking"

    scan: Scan
    reconstruction: Reconstruction

    def run(self, should_stop: ShouldStop = never) -> Iterator[ConsistencyChecked]:
        """Check; it takes seconds at most."""
        del should_stop
        yield ConsistencyChecked(consistency=check_consistency(self.scan, self.reconstruction))
