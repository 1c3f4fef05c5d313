"""A small plot in the colours of napari's theme."""

from __future__ import annotations

import pyqtgraph as pg
from napari.utils.theme import get_theme


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """Curves that fit into the dock.

    Parameters
    ----------
    theme : str
        Of napari.
    bottom, left : str
        What the axes are.
    """

    def __init__(self, theme: str, bottom: str, left: str) -> None:
        super().__init__()
        self.setFixedHeight(150)
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.setLabel("bottom", bottom)
        item.setLabel("left", left)
        # pyqtgraph lets the axis label hang 5 pixels out of its axis.
        item.layout.setContentsMargins(1, 1, 1, 6)
        item.showGrid(x=False, y=True, alpha=0.2)
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
        legend = self.getPlotItem().legend
        if legend is not None:
            legend.setLabelTextColor(text)
            for _, label in legend.items:
                label.setText(label.text)
