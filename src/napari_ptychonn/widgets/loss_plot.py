"""Training and validation loss against epochs, on a logarithmic scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme

from napari_ptychonn.layers import COLOURS

if TYPE_CHECKING:
    from napari_ptychonn.session import LossPoint


class LossPlot(pg.PlotWidget):  # type: ignore[misc]
    """The two curves; colours follow napari's theme."""

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.setFixedHeight(150)
        item = self.getPlotItem()
        item.setLogMode(x=False, y=True)
        item.setMenuEnabled(False)
        item.setLabel("bottom", "epoch")
        item.setLabel("left", "loss")
        item.showGrid(x=False, y=True, alpha=0.2)
        self._legend = item.addLegend(offset=(-4, 4), labelTextSize="8pt", verSpacing=-6)
        self._train = self.plot(pen=pg.mkPen(COLOURS["train"], width=2), name="training")
        self._validation = self.plot(
            pen=pg.mkPen(COLOURS["validation"], width=2), name="validation"
        )
        self.set_theme(theme)

    def set_theme(self, theme: str) -> None:
        """Take background and text colour from a napari theme."""
        colours = get_theme(theme)
        self.setBackground(colours.background.as_hex())
        text = colours.text.as_hex()
        for side in ("bottom", "left"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(colours.secondary.as_hex())
            axis.setTextPen(text)
        self._legend.setLabelTextColor(text)
        for _, label in self._legend.items:
            label.setText(label.text)

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
