"""Reconstruct a scan iteratively, by pty-chi in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.tasks.events import (
    Activity,
    IterationEnded,
    ObjectPreview,
    ShouldStop,
    never,
)
from napari_ptychonn.tasks.predict import check_indices
from napari_ptychonn.tasks.preview import PREVIEW_PAUSE


@dataclass(frozen=True, kw_only=True, eq=False)
class ReconstructTask:
    """Reconstruct object and probe from the frames.

    Attributes
    ----------
    scan : Scan
        Frames and positions.
    options : EngineOptions
        Algorithm, iterations and so on.
    indices : ndarray of int64 or None
        (m,) scan points; None for all.
    start : Reconstruction or None
        Object and probe to begin with; None for a flat object.
    device : str
        See `napari_ptychonn.compute.device.choose_device`.
    """

    activity: ClassVar[Activity] = "reconstructing"

    scan: Scan
    options: EngineOptions
    indices: NDArray[np.int64] | None = None
    start: Reconstruction | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        check_indices(self.scan, self.indices)

    def run(self, should_stop: ShouldStop = never) -> Iterator[IterationEnded | ObjectPreview]:
        """Iterate.

        Yields
        ------
        IterationEnded
            Every iteration.
        ObjectPreview
            After an iteration with a newer object, at most once a second.
        """
        from napari_ptychonn.reconstruction.iterations import reconstruct

        shown: Reconstruction | None = None
        last = float("-inf")
        for iteration in reconstruct(
            self.scan,
            self.options,
            indices=self.indices,
            start=self.start,
            device=self.device,
            should_stop=should_stop,
        ):
            yield IterationEnded(iteration=iteration)
            newer = iteration.reconstruction is not shown
            if newer and time.monotonic() - last >= PREVIEW_PAUSE:
                shown, last = iteration.reconstruction, time.monotonic()
                yield ObjectPreview()
