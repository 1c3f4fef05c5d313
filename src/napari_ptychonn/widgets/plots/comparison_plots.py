"""Two plots of a comparison: ring correlation, and values along a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt

from napari_ptychonn.comparison.aligned_images import AlignedImages, Channel
from napari_ptychonn.comparison.profile import LineProfile
from napari_ptychonn.data.scan import Unit
from napari_ptychonn.widgets.plots.plot import Plot

PREDICTED = "#ff922b"
LEGEND = 0.9
"""Height of a legend of one line, in heights of the curves below it."""

RINGS_HEIGHT, RINGS_TOP = 190, 1.75
"""Pixels, and the end of the axis: room for three lines of legend above correlations of 1."""

COLOURS: dict[Channel, str] = {"phase": "#4dabf7", "amplitude": "#c77dff"}


class StillPlot(Plot):
    """Nothing to zoom into: the wheel scrolls the dock, and one plain curve follows the theme."""

    _plain: Any = None

    def __init__(self, theme: str, bottom: str, left: str, legend_columns: int = 1) -> None:
        super().__init__(theme, bottom, left)
        item = self.getPlotItem()
        item.setMouseEnabled(x=False, y=False)
        item.hideButtons()
        item.addLegend(offset=(-4, 4), labelTextSize="8pt", verSpacing=-6, colCount=legend_columns)
        for side in ("bottom", "left"):
            item.getAxis(side).enableAutoSIPrefix(False)

    def set_theme(self, theme: str) -> None:
        """Take background, text and the plain curve's colour from a napari theme."""
        super().set_theme(theme)
        if self._plain is not None:
            pen = pg.mkPen(self._plain.opts["pen"])
            pen.setColor(pg.mkColor(get_theme(theme).text.as_hex()))
            self._plain.setPen(pen)

    def _name(self, curve: pg.PlotDataItem, name: str) -> None:
        legend = self.getPlotItem().legend
        legend.getLabel(curve).setText(name)
        legend.updateSize()


class RingPlot(StillPlot):
    """Fourier ring correlation of both channels, and the 1/2-bit threshold.

    The legend is above them: it must not hide where they meet.
    """

    def __init__(self, theme: str) -> None:
        super().__init__(theme, "spatial frequency", "ring correlation")
        self._curves = {
            channel: self.plot(pen=pg.mkPen(colour, width=2), name=channel)
            for channel, colour in COLOURS.items()
        }
        self._plain = self.plot(
            pen=pg.mkPen("w", width=1, style=Qt.PenStyle.DashLine), name="1/2 bit"
        )
        self.setFixedHeight(RINGS_HEIGHT)
        item = self.getPlotItem()
        item.setYRange(-0.1, RINGS_TOP, padding=0)
        item.getAxis("left").setTicks([[(value, f"{value:g}") for value in (0, 0.5, 1)]])
        self.set_theme(theme)

    def show_pair(self, pair: AlignedImages) -> None:
        """Draw the rings of both channels."""
        factor, unit = _length(pair.unit)
        for channel, curve in self._curves.items():
            rings = pair.rings(channel)
            known = np.isfinite(rings.correlation)
            curve.setData(rings.frequency[known] / factor, rings.correlation[known])
            self._name(curve, f"{channel} {rings.resolution}")
        self._plain.setData(rings.frequency / factor, np.minimum(rings.threshold, 1.0))
        self.getPlotItem().setLabel("bottom", f"spatial frequency, 1/{unit}")


class ProfilePlot(StillPlot):
    """Mosaic and reconstruction along one line, with room for the legend above them."""

    def __init__(self, theme: str) -> None:
        super().__init__(theme, "along the line", "phase, rad", legend_columns=2)
        self._plain = self.plot(pen=pg.mkPen("w", width=1), name="reconstruction")
        self._predicted = self.plot(pen=pg.mkPen(PREDICTED, width=2), name="PtychoNN")
        self.set_theme(theme)

    def show_profile(self, profile: LineProfile, channel: Channel, reference: str) -> None:
        """Draw both; where nothing is compared there is a gap."""
        factor, unit = _length(profile.unit)
        distance = profile.distance * factor
        self._plain.setData(distance, profile.reference, connect="finite")
        self._predicted.setData(distance, profile.predicted, connect="finite")
        self._name(self._plain, reference)
        item = self.getPlotItem()
        both = np.concatenate([profile.reference, profile.predicted])
        if np.isfinite(both).any():
            low, high = float(np.nanmin(both)), float(np.nanmax(both))
            item.setYRange(low, high + LEGEND * max(high - low, 1e-6), padding=0.05)
        item.setLabel("bottom", f"along the line, {unit}")
        item.setLabel("left", "phase, rad" if channel == "phase" else channel)


def _length(unit: Unit) -> tuple[float, str]:
    """From the scan's unit to the one on screen."""
    return (1e6, "µm") if unit == "m" else (1.0, "px")
