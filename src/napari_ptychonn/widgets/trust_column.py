"""The fifth column of the canvas: where not to trust the mosaics, when somebody wants to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.experimental import link_layers
from napari.layers import Image, Layer, Points

from napari_ptychonn.canvas import Field, limits_of
from napari_ptychonn.core.result import Result
from napari_ptychonn.layers import (
    GRID_SHAPE,
    GRID_SHAPE_WITH_TRUST,
    TRUST,
    TRUST_IMAGES,
    TRUST_OVERLAYS,
    Role,
    point_features,
)
from napari_ptychonn.scene import trust_maps

if TYPE_CHECKING:
    import napari.viewer


class TrustColumn:
    """Spread above, residual below; the eye of either shows or hides both.

    Both or none, because a lone cell would push the cells behind it out of
    their columns.
    """

    def __init__(self, viewer: napari.viewer.Viewer, layers: Mapping[Role, Layer]) -> None:
        self.viewer = viewer
        self._layers: dict[Role, Layer] = {role: layers[role] for role in TRUST}
        self._points = layers["scan points"]
        link_layers(list(self._layers.values()), ("visible",))
        for layer in self._layers.values():
            layer.events.visible.connect(self._on_visible)

    def disconnect(self) -> None:
        """Stop listening to the layers."""
        for layer in self._layers.values():
            layer.events.visible.disconnect(self._on_visible)

    def show(self, result: Result | None, field: Field) -> None:
        """Show how far to trust a result; nothing for None."""
        maps = {} if result is None else trust_maps(result)
        for image, overlay in zip(TRUST_IMAGES, TRUST_OVERLAYS, strict=True):
            layer, note = self._layers[image], self._layers[overlay]
            if result is not None and layer in self.viewer.layers:
                assert isinstance(layer, Image)
                mosaic = result.mosaic
                nothing = np.full_like(mosaic.spread, np.nan)
                layer.data = maps.get(image, nothing).copy()
                transform = field.map_transform(mosaic.pixel_size, mosaic.origin)
                layer.scale, layer.translate = transform["scale"], transform["translate"]
                limits = limits_of(layer.data, 0.0)
                layer.contrast_limits_range = layer.contrast_limits = limits
            if note in self.viewer.layers:
                assert isinstance(note, Points)
                note.text.visible = image not in maps
        if self._points in self.viewer.layers:
            assert isinstance(self._points, Points)
            trust = None if result is None else result.trust
            self._points.features = point_features(len(self._points.data) - 1, trust)

    def _on_visible(self, _event: Any = None) -> None:
        shown = any(layer.visible for layer in self._layers.values())
        shape = GRID_SHAPE_WITH_TRUST if shown else GRID_SHAPE
        if self.viewer.canvas.grid.shape != shape:
            self.viewer.canvas.grid.shape = shape
            self.viewer.fit_to_view()
