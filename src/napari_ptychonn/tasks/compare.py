"""Compare a result with a reconstruction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.aligned_images import CHANNELS
from napari_ptychonn.comparison.report import Report
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.tasks.events import Activity, ReportReady, ShouldStop, never


@dataclass(frozen=True, kw_only=True, eq=False)
class CompareTask:
    """Compare predictions and mosaic with a reconstruction of the same scan.

    Attributes
    ----------
    result : Result
        Predictions and mosaic.
    reconstruction : Reconstruction
        What they are compared with.
    indices : ndarray of int64 or None
        (m,) scan points; None for the held-out ones, or all where none were held out.
    """

    activity: ClassVar[Activity] = "comparing"

    result: Result
    reconstruction: Reconstruction
    indices: NDArray[np.int64] | None = None

    def run(self, should_stop: ShouldStop = never) -> Iterator[ReportReady]:
        """Compare; it takes seconds at most and half a comparison is none, so it never stops."""
        del should_stop
        yield ReportReady(report=make_report(self.result, self.reconstruction, self.indices))


def make_report(
    result: Result, reconstruction: Reconstruction, indices: NDArray[np.int64] | None = None
) -> Report:
    """Compare, with the difference maps that a window shows, which the report caches.

    Raises
    ------
    InputError
        See `napari_ptychonn.comparison.report.compare_result`.
    """
    report = Report.from_result(result, reconstruction, indices)
    for channel in CHANNELS:
        report.full_mosaic.difference(channel)
    return report
