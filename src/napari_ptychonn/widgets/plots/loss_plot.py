"""Training and validation loss against epochs, on a logarithmic scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg

from napari_ptychonn.viewer.layers import COLOURS
from napari_ptychonn.widgets.plots.log_plot import LogPlot

if TYPE_CHECKING:
    from napari_ptychonn.app.session import LossPoint


class LossPlot(LogPlot):
    """The two curves."""

    def __init__(self, theme: str) -> None:
        super().__init__(theme, "epoch", "loss")
        self.getPlotItem().addLegend(offset=(-4, 4), labelTextSize="8pt", verSpacing=-6)
        self._train = self.plot(pen=pg.mkPen(COLOURS["train"], width=2), name="training")
        self._validation = self.plot(
            pen=pg.mkPen(COLOURS["validation"], width=2), name="validation"
        )
        self.set_theme(theme)

    def show_losses(self, losses: list[LossPoint]) -> None:
        """Draw the whole history; epochs without validation leave a gap."""
        numbers = np.asarray([p.number for p in losses], float)
        train = np.asarray([p.train for p in losses], float)
        validation = np.asarray(
            [np.nan if p.validation is None else p.validation for p in losses], float
        )
        self._train.setData(numbers, train)
        known = np.isfinite(validation)
        self._validation.setData(numbers[known], validation[known])
