"""The map on which the training region is drawn: its shapes, and the mark of the current point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_ptychonn.layers import COLOURS, MARKER

if TYPE_CHECKING:
    from napari.layers import Shapes

REGION, HERE = "region", "here"


class RegionShapes:
    """Shapes drawn by the user, and one more that marks the current scan point.

    A cell of the grid has room for one overlay, so that on this map the mark
    has to be a shape too.  It stands still while a tool of the layer is in use.
    """

    drawn = Signal()

    def __init__(self, layer: Shapes, extent: tuple[float, float]) -> None:
        self.layer = layer
        self.extent = extent
        self._writing = False
        self._here: NDArray[np.float64] | None = None
        layer.feature_defaults = {"part": REGION}
        layer.events.data.connect(self._on_data)
        layer.events.mode.connect(self._on_mode)

    def disconnect(self) -> None:
        """Listen no more."""
        self.layer.events.data.disconnect(self._on_data)
        self.layer.events.mode.disconnect(self._on_mode)

    @property
    def polygons(self) -> list[NDArray[np.float64]]:
        """What the user drew: corners (k, 2), display units."""
        return [
            np.asarray(shape, np.float64)[:, -2:]
            for shape, part in zip(self.layer.data, self._parts(), strict=True)
            if part != HERE
        ]

    def start(self, tool: str) -> None:
        """Let the user draw a new region: 'add_rectangle' or 'add_polygon_lasso' etc."""
        self.layer.mode = tool

    def clear(self) -> None:
        """Remove what was drawn."""
        self._write([], [])

    def move_to(self, position: NDArray[np.float64]) -> None:
        """Mark another scan point (display units)."""
        self._here = np.asarray(position, np.float64)
        if str(self.layer.mode) in {"pan_zoom", "transform"}:
            self._rewrite()

    def _rewrite(self) -> None:
        kept = [k for k, part in enumerate(self._parts()) if part != HERE]
        types = list(self.layer.shape_type)
        self._write([self.layer.data[k] for k in kept], [types[k] for k in kept])

    def _write(self, shapes: list[Any], types: list[str]) -> None:
        marks = [] if self._here is None else [self._square(self._here)]
        colours = [COLOURS["train"]] * len(shapes) + [MARKER] * len(marks)
        self._writing = True
        try:
            self.layer.data = []
            if colours:
                self.layer.add(
                    [*shapes, *marks],
                    shape_type=[*types, *["rectangle"] * len(marks)],
                    edge_color=colours,
                    face_color="transparent",
                    edge_width=self.layer.current_edge_width,
                )
            self.layer.features = {"part": [REGION] * len(shapes) + [HERE] * len(marks)}
            self.layer.feature_defaults = {"part": REGION}
            self.layer.selected_data = set()
        finally:
            self._writing = False

    def _square(self, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        corners = np.asarray([(-1, -1), (-1, 1), (1, 1), (1, -1)], np.float64)
        return np.asarray(centre + corners * np.asarray(self.extent) / 2)

    def _parts(self) -> list[str]:
        parts = list(self.layer.features.get("part", []))
        return parts + [REGION] * (len(self.layer.data) - len(parts))

    def _on_data(self, event: Any) -> None:
        if self._writing or str(event.action) not in {"added", "changed", "removed"}:
            return
        self.drawn.emit()

    def _on_mode(self) -> None:
        if str(self.layer.mode) == "pan_zoom" and self._here is not None and not self._writing:
            self._rewrite()
