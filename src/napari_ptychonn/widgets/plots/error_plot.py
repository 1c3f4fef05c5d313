"""The error of a reconstruction against its iterations, on a logarithmic scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg

from napari_ptychonn.viewer.layers import COLOURS
from napari_ptychonn.widgets.plots.log_plot import LogPlot

if TYPE_CHECKING:
    from napari_ptychonn.app.session import ErrorPoint


class ErrorPlot(LogPlot):
    """One curve."""

    def __init__(self, theme: str) -> None:
        super().__init__(theme, "iteration", "error")
        self._curve = self.plot(pen=pg.mkPen(COLOURS["train"], width=2))

    def show_errors(self, errors: list[ErrorPoint]) -> None:
        """Draw the whole history."""
        numbers = np.asarray([p.number for p in errors], float)
        self._curve.setData(numbers, np.asarray([p.error for p in errors], float))
