"""What a choice of datasets comes to: the mean frame, and the positions over the object."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import QRectF
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Unit
from napari_ptychonn.io.mapping.preview import MappingPreview
from napari_ptychonn.viewer.layers import MARKER
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel

_MOST_PIXELS = 512
_MOST_POINTS = 4000
_LIMITS = (1.0, 99.0)
_BELOW = 8
"""Pixels left below the lower axis."""


class Picture(pg.PlotWidget):  # type: ignore[misc]
    """An image, y downwards and pixels square, with points on it.

    Parameters
    ----------
    theme : str
        Of napari.
    colours : str
        Name of the colour map.
    """

    def __init__(self, theme: str, colours: str) -> None:
        super().__init__()
        self.setMinimumSize(200, 180)
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.getViewBox().setAspectLocked(True)
        item.getViewBox().invertY(True)
        for side in ("bottom", "left"):
            item.getAxis(side).enableAutoSIPrefix(False)
        # pyqtgraph puts the label some pixels below the axis that it belongs to.
        item.layout.setContentsMargins(1, 1, 1, _BELOW)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.image.setColorMap(pg.colormap.get(colours))
        self.path = pg.PlotDataItem(pen=pg.mkPen(MARKER, width=1))
        self.points = pg.ScatterPlotItem(size=4, pen=None, brush=pg.mkBrush(MARKER))
        self.first = pg.ScatterPlotItem(size=9, symbol="s", pen=pg.mkPen("w"), brush=None)
        for part in (self.image, self.path, self.points, self.first):
            self.addItem(part)
        self.set_theme(theme)

    def set_theme(self, theme: str) -> None:
        """Take background and text colour from a napari theme."""
        colours = get_theme(theme)
        self.setBackground(colours.background.as_hex())
        for side in ("bottom", "left"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(colours.secondary.as_hex())
            axis.setTextPen(colours.text.as_hex())

    def label(self, unit: str) -> None:
        """Name the axes."""
        self.getPlotItem().setLabel("bottom", f"x, {unit}")
        self.getPlotItem().setLabel("left", f"y, {unit}")

    def show_image(
        self, image: NDArray[np.float64] | None, levels: tuple[float, float], where: QRectF
    ) -> None:
        """Draw an image into a rectangle of the plot; None for none."""
        if image is None:
            self.image.clear()
            return
        self.image.setImage(image, autoLevels=False, levels=levels)
        self.image.setRect(where)

    def show_points(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Draw points, the path through them, and a square around the first."""
        self.points.setData(x=x, y=y)
        self.path.setData(x=x, y=y)
        self.path.setOpacity(0.35)
        self.first.setData(x=x[:1], y=y[:1])

    def fit(self) -> None:
        """Show all of it."""
        self.getPlotItem().getViewBox().autoRange(padding=0.05)


class MappingPreviewPanel(QWidget):
    """Two pictures, and a line below each.

    Parameters
    ----------
    theme : str
        Of napari.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.frame, self.map = Picture(theme, "inferno"), Picture(theme, "CET-L1")
        self.frame.label("px")
        self.of_frame, self.of_map = WrappedLabel(), WrappedLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for picture, label in ((self.frame, self.of_frame), (self.map, self.of_map)):
            column = QVBoxLayout()
            column.addWidget(picture, 1)
            column.addWidget(label)
            layout.addLayout(column, 1)

    def show_glimpse(self, seen: MappingPreview) -> None:
        """Draw what is known; the rest is left empty."""
        self._show_frame(seen)
        self._show_map(seen)

    def clear(self) -> None:
        """Show nothing."""
        self.show_glimpse(MappingPreview())

    def _show_frame(self, seen: MappingPreview) -> None:
        if seen.mean is None:
            self.frame.show_image(None, (0.0, 1.0), QRectF())
            self.of_frame.setText("No frames.")
            return
        ky, kx = seen.mean.shape
        image = np.log1p(np.maximum(seen.mean, 0.0))
        self.frame.show_image(image, _levels(image, 0.0, 100.0), QRectF(-0.5, -0.5, kx, ky))
        self.frame.fit()
        self.of_frame.setText(
            f"Mean of {seen.averaged} of {seen.frames} frames of {ky} × {kx}, logarithmic."
        )

    def _show_map(self, seen: MappingPreview) -> None:
        factor, unit = _length(seen.unit)
        self.map.label(unit)
        self._show_object(seen.reconstruction, factor)
        positions = seen.positions
        if positions is None or not len(positions):
            self.map.show_points(np.empty(0), np.empty(0))
            self.of_map.setText("No positions.")
            return
        few = positions[:: -(-len(positions) // _MOST_POINTS)] * factor
        self.map.show_points(few[:, 1], few[:, 0])
        self.map.fit()
        self.of_map.setText(_about(seen))

    def _show_object(self, made: Reconstruction | None, factor: float) -> None:
        if made is None:
            self.map.show_image(None, (0.0, 1.0), QRectF())
            return
        stride = max(1, -(-max(made.object.shape) // _MOST_PIXELS))
        phase = np.angle(made.object[::stride, ::stride]).astype(np.float64)
        (y, x), (dy, dx) = np.asarray(made.origin) * factor, np.asarray(made.pixel_size) * factor
        ny, nx = phase.shape
        where = QRectF(x - dx / 2, y - dy / 2, nx * stride * dx, ny * stride * dy)
        self.map.show_image(phase, _levels(phase, *_LIMITS), where)


def _about(seen: MappingPreview) -> str:
    assert seen.positions is not None
    height, width = np.ptp(seen.positions, axis=0)
    if seen.unit == "m":
        span = f"{height * 1e6:.3g} × {width * 1e6:.3g} µm"
        step = f"{seen.step * 1e9:.3g} nm" if seen.step < 1e-6 else f"{seen.step * 1e6:.3g} µm"
    else:
        span, step = f"{height:.4g} × {width:.4g} px", f"{seen.step:.3g} px"
    parts = [f"{format_count(len(seen.positions), 'position')} over {span}"]
    if seen.step:
        parts.append(f"step {step}")
    if seen.pixel_size is not None:
        parts.append(f"object pixel {seen.pixel_size[0] * 1e9:.3g} nm")
    if seen.energy_kev is not None:
        parts.append(f"{seen.energy_kev:.4g}\N{NO-BREAK SPACE}keV")
    if seen.reconstruction is not None:
        parts.append("over the phase of the object")
    return ", ".join(parts) + "; □ is the first."


def _levels(image: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    bottom, top = np.percentile(image, (low, high))
    return float(bottom), float(top if top > bottom else bottom + 1.0)


def _length(unit: Unit) -> tuple[float, str]:
    return (1e6, "µm") if unit == "m" else (1.0, "px")
