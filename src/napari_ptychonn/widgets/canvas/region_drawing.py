"""Drawing on the map: the training region and the line of the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Layer, Shapes
from psygnal import Signal

from napari_ptychonn.viewer.layers import region_layer
from napari_ptychonn.widgets.canvas.region_shapes import RegionShapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ptychonn.viewer.view_model import ViewModel
    from napari_ptychonn.widgets.canvas.viewer_controller import ViewerController


class RegionDrawing:
    """What the user draws into the layer "training region" of one canvas.

    The layer comes back, in its cell, when something is to be drawn and the user
    has deleted it.

    Parameters
    ----------
    canvas : ViewerController
        Has the layers.
    """

    region_drawn = Signal()

    def __init__(self, canvas: ViewerController) -> None:
        self._canvas = canvas
        self._shapes: RegionShapes | None = None
        self._model: ViewModel | None = None

    def connect(self, shapes: Layer, model: ViewModel) -> None:
        """Follow what is drawn into a new layer."""
        assert isinstance(shapes, Shapes)
        self._model = model
        self._shapes = RegionShapes(shapes, model.patch_extent)
        self._shapes.drawn.connect(self._on_drawn)
        self._shapes.line_drawn.connect(self._on_line_drawn)

    def disconnect(self) -> None:
        """Stop following the layer."""
        if self._shapes is not None:
            self._shapes.drawn.disconnect(self._on_drawn)
            self._shapes.line_drawn.disconnect(self._on_line_drawn)
            self._shapes.disconnect()
        self._shapes = self._model = None

    def set_model(self, model: ViewModel) -> None:
        """Take the extent of a patch of another view model."""
        if self._shapes is not None:
            self._model = model
            self._shapes.extent = model.patch_extent

    @property
    def polygons(self) -> list[NDArray[np.float64]]:
        """Corners (k, 2) of the regions drawn, (y, x), in the scan's unit."""
        if self._shapes is None or self._model is None or self._layer is None:
            return []
        return [polygon / self._model.field.factor for polygon in self._shapes.polygons]

    def draw_line(self) -> None:
        """Let the user draw the line of the profile."""
        self.draw("add_line")

    def draw(self, tool: str) -> None:
        """Let the user draw with one of the tools of the Shapes layer."""
        if self._model is None:
            return
        if self._layer is None:
            self._restore(self._model)
        if self._shapes is not None:
            self._canvas.viewer.layers.selection.active = self._shapes.layer
            self._shapes.start(tool)

    def clear(self) -> None:
        """Remove the regions drawn."""
        if self._shapes is not None and self._layer is not None:
            self._shapes.clear()

    def show_line(self) -> None:
        """Show the session's line, or the default line of its report."""
        session = self._canvas.session
        if self._model is None or self._shapes is None or self._layer is None:
            return
        line = session.line
        if line is None and session.report is not None:
            line = session.report.line
        ends = None if line is None else self._model.field.shown(np.asarray(line))
        self._shapes.move_line(ends)

    def move_to(self, here: NDArray[np.float64]) -> None:
        """Move the mark of the scan point, (y, x) on the canvas."""
        if self._shapes is not None and self._layer is not None:
            self._shapes.move_to(here)

    @property
    def _layer(self) -> Layer | None:
        return self._canvas.layer("training region")

    def _restore(self, model: ViewModel) -> None:
        """Make the layer again, above the map of the reconstruction's phase."""
        self.disconnect()
        layers, image = self._canvas.viewer.layers, self._canvas.layer("ePIE phase")
        layer = Layer.create(*region_layer(model.field))
        self._canvas.set_layer("training region", layer)
        self._canvas.viewer.add_layer(layer)
        if image is not None:
            layers.move(len(layers) - 1, layers.index(image) + 1)
        self.connect(layer, model)
        self.show_line()
        self._canvas.move_to(self._canvas.session.point)

    def _on_drawn(self) -> None:
        self._put_tool_away()
        self.region_drawn.emit()

    def _on_line_drawn(self) -> None:
        self._put_tool_away()
        if self._shapes is None or self._shapes.line is None or self._model is None:
            return
        (y0, x0), (y1, x1) = (self._shapes.line / self._model.field.factor).tolist()
        self._canvas.session.choose_line(((y0, x0), (y1, x1)))

    def _put_tool_away(self) -> None:
        """Give the mouse back to the maps: one thing is drawn at a time."""
        layer = self._layer
        if isinstance(layer, Shapes) and str(layer.mode).startswith("add"):
            layer.mode = "pan_zoom"
