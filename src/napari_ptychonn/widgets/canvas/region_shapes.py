"""The map to draw on: the training region, the line of the profile, the mark of the point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_ptychonn.viewer.layers import COLOURS, LINE, MARKER

if TYPE_CHECKING:
    from napari.layers import Shapes

REGION, HERE, PROFILE = "region", "here", "profile"


class RegionShapes:
    """Shapes drawn by the user, and one more that marks the current scan point.

    A cell of the grid has room for one overlay, so that on this map the mark
    has to be a shape too.  It stands still while a tool of the layer is in use.
    Of lines there is one, the profile's: a new one takes the place of the old.
    """

    drawn = Signal()
    line_drawn = Signal()

    def __init__(self, layer: Shapes, extent: tuple[float, float]) -> None:
        self.layer = layer
        self.extent = extent
        self._writing = False
        self._here: NDArray[np.float64] | None = None
        self._line: NDArray[np.float64] | None = None
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
        return [_flat(self.layer.data[k]) for k in self._regions()]

    @property
    def line(self) -> NDArray[np.float64] | None:
        """Ends (2, 2) of the profile's line, display units."""
        return self._line

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

    def move_line(self, ends: NDArray[np.float64] | None) -> None:
        """Show the line of the profile elsewhere (display units), or not at all."""
        self._line = None if ends is None else np.asarray(ends, np.float64)
        if str(self.layer.mode) in {"pan_zoom", "transform"}:
            self._rewrite()

    def _rewrite(self) -> None:
        kept = self._regions()
        types = list(self.layer.shape_type)
        self._write([self.layer.data[k] for k in kept], [types[k] for k in kept])

    def _write(self, shapes: list[Any], types: list[str]) -> None:
        width = self.layer.current_edge_width
        parts = [
            (s, t, REGION, COLOURS["train"], width) for s, t in zip(shapes, types, strict=True)
        ]
        if self._line is not None:
            parts.append((self._line, "line", PROFILE, LINE, 0.6 * width))
        if self._here is not None:
            parts.append((self._square(self._here), "rectangle", HERE, MARKER, width))
        self._writing = True
        try:
            self.layer.data = []
            if parts:
                data, kinds, _, colours, widths = (
                    list(column) for column in zip(*parts, strict=True)
                )
                self.layer.add(
                    data,
                    shape_type=kinds,
                    edge_color=colours,
                    face_color="transparent",
                    edge_width=widths,
                )
            names = np.asarray([part for _, _, part, _, _ in parts], np.str_)
            self.layer.features = {"part": names}
            self.layer.feature_defaults = {"part": REGION}
            self.layer.selected_data = set()
        finally:
            self._writing = False

    def _square(self, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        corners = np.asarray([(-1, -1), (-1, 1), (1, 1), (1, -1)], np.float64)
        return np.asarray(centre + corners * np.asarray(self.extent) / 2)

    def _regions(self) -> list[int]:
        """Which shapes are the training region: neither the mark nor a line."""
        parts = list(self.layer.features.get("part", []))
        parts += [REGION] * (len(self.layer.data) - len(parts))
        types = self.layer.shape_type
        return [k for k, part in enumerate(parts) if part != HERE and types[k] != "line"]

    def _new_line(self) -> NDArray[np.float64] | None:
        """The line that was drawn or moved just now."""
        types = self.layer.shape_type
        lines = [_flat(s) for s, t in zip(self.layer.data, types, strict=True) if t == "line"]
        known = self._line
        new = [ends for ends in lines if known is None or not np.allclose(ends, known)]
        return new[-1] if new else None

    def _on_data(self, event: Any) -> None:
        if self._writing or str(event.action) not in {"added", "changed", "removed"}:
            return
        line = self._new_line()
        if line is None:
            self.drawn.emit()
        else:
            self._line = line
            self.line_drawn.emit()

    def _on_mode(self) -> None:
        if str(self.layer.mode) == "pan_zoom" and self._here is not None and not self._writing:
            self._rewrite()


def _flat(shape: Any) -> NDArray[np.float64]:
    return np.asarray(shape, np.float64)[:, -2:]
