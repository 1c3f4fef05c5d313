"""A small plot on a logarithmic scale: of something positive that falls while work goes on."""

from __future__ import annotations

from napari_ptychonn.widgets.plots.plot import Plot


class LogPlot(Plot):
    """Curves against a linear axis below; see `Plot`."""

    def __init__(self, theme: str, bottom: str, left: str) -> None:
        super().__init__(theme, bottom, left)
        self.getPlotItem().setLogMode(x=False, y=True)
        # A factor of a thousand in the label would not be read together with powers of ten.
        self.getPlotItem().getAxis("left").enableAutoSIPrefix(False)
