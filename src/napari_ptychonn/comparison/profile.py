"""Profile of two images along one line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Unit
from napari_ptychonn.deprecation import RenamedAttribute

Point = tuple[float, float]
Line = tuple[Point, Point]
"""Two ends, each (y, x) in the scan's unit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LineProfile:
    """Values of a mosaic and a reconstruction along one line.

    Attributes
    ----------
    line : tuple
        Ends ((y, x), (y, x)), in `unit`.
    distance : ndarray of float64
        (m,) from the first end, in `unit`.
    predicted, reference : ndarray of float64
        (m,) of the mosaic and of the reconstruction; NaN outside the compared pixels.
    unit : {'m', 'pixel'}
        Of lengths.
    """

    line: Line
    distance: NDArray[np.float64]
    predicted: NDArray[np.float64]
    reference: NDArray[np.float64]
    unit: Unit

    wanted = RenamedAttribute("reference")

    @property
    def is_empty(self) -> bool:
        """Whether the line touches no compared pixel."""
        return not np.isfinite(self.reference).any()
