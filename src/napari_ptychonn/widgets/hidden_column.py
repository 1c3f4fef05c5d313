"""A column of the canvas that is hidden until somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.experimental import link_layers
from napari.layers import Image, Layer, Points
from numpy.typing import NDArray

from napari_ptychonn.layers import Role

if TYPE_CHECKING:
    import napari.viewer

Place = Mapping[str, Any]
"""Options of a layer that say where it lies."""


class HiddenColumn:
    """Two maps with their overlays; the eye of any of the four shows or hides all.

    All or none, because a lone cell would push the cells behind it out of
    their columns.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        That has the layers.
    layers : mapping
        All layers by role.
    roles : tuple of str
        Image, overlay, image, overlay.
    arrange : callable
        Told when the column comes or goes.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        layers: Mapping[Role, Layer],
        roles: tuple[Role, ...],
        arrange: Callable[[], None],
    ) -> None:
        self.viewer = viewer
        self._layers: dict[Role, Layer] = {role: layers[role] for role in roles}
        self._arrange = arrange
        link_layers(list(self._layers.values()), ("visible",))
        for layer in self._layers.values():
            layer.events.visible.connect(self._on_visible)

    def disconnect(self) -> None:
        """Stop listening to the layers."""
        for layer in self._layers.values():
            layer.events.visible.disconnect(self._on_visible)

    @property
    def visible(self) -> bool:
        """Whether somebody asked for it."""
        return any(layer.visible for layer in self._layers.values())

    def show_map(
        self,
        role: Role,
        image: NDArray[np.float32],
        place: Place,
        limits: tuple[float, float],
    ) -> None:
        """Show an image, unless the user deleted its layer."""
        layer = self._layers[role]
        if layer in self.viewer.layers:
            assert isinstance(layer, Image)
            layer.data = image.copy()
            layer.scale, layer.translate = place["scale"], place["translate"]
            layer.contrast_limits_range = layer.contrast_limits = limits

    def note(self, role: Role, *, shown: bool) -> None:
        """Show or hide what a cell says while it is empty."""
        layer = self._layers[role]
        if layer in self.viewer.layers:
            assert isinstance(layer, Points)
            layer.text.visible = shown

    def _on_visible(self, _event: Any = None) -> None:
        self._arrange()
