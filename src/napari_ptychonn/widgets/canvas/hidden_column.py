"""A column of the canvas that comes when somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.experimental import link_layers
from napari.layers import Image, Layer, Points
from numpy.typing import NDArray

from napari_ptychonn.viewer.layers import Role

if TYPE_CHECKING:
    import napari.viewer

Place = Mapping[str, Any]
"""Options of a layer that say where it lies."""


class HiddenColumn:
    """Two maps with their overlays, which have no layers before they are asked for.

    The eye of any of the four shows or hides all, because a lone cell would push
    the cells behind it out of their columns.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        That has the layers.
    arrange : callable
        Told when the eye of one of the layers was used.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        arrange: Callable[[], None],
    ) -> None:
        self.viewer = viewer
        self._layers: dict[Role, Layer] = {}
        self._arrange = arrange

    def take(self, layers: Mapping[Role, Layer]) -> None:
        """Use these layers from now on: image, overlay, image, overlay."""
        self._layers = dict(layers)
        link_layers(list(self._layers.values()), ("visible",))
        for layer in self._layers.values():
            layer.events.visible.connect(self._on_visible)

    def disconnect(self) -> None:
        """Stop listening to the layers."""
        for layer in self._layers.values():
            layer.events.visible.disconnect(self._on_visible)

    @property
    def taken(self) -> bool:
        """Whether it has layers that the user did not delete; they may be hidden."""
        return any(layer in self.viewer.layers for layer in self._layers.values())

    @property
    def visible(self) -> bool:
        """Whether it is on the canvas."""
        here = self.viewer.layers
        return any(layer.visible and layer in here for layer in self._layers.values())

    @visible.setter
    def visible(self, shown: bool) -> None:
        for layer in self._layers.values():
            layer.visible = shown

    def show_map(
        self,
        role: Role,
        image: NDArray[np.float32],
        place: Place,
        limits: tuple[float, float],
    ) -> None:
        """Show an image, unless its layer was not made yet or the user deleted it."""
        layer = self._layers.get(role)
        if layer in self.viewer.layers:
            assert isinstance(layer, Image)
            layer.data = image.copy()
            layer.scale, layer.translate = place["scale"], place["translate"]
            layer.contrast_limits_range = layer.contrast_limits = limits

    def note(self, role: Role, *, shown: bool) -> None:
        """Show or hide what a cell says while it is empty."""
        layer = self._layers.get(role)
        if layer in self.viewer.layers:
            assert isinstance(layer, Points)
            layer.text.visible = shown

    def _on_visible(self, _event: Any = None) -> None:
        self._arrange()
