"""Where not to trust the mosaics: spread above, residual below."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Layer, Points

from napari_ptychonn.data.result import Result
from napari_ptychonn.viewer.extent import ViewExtent, limits_of
from napari_ptychonn.viewer.layers import TRUST_IMAGES, TRUST_OVERLAYS, point_features
from napari_ptychonn.viewer.view_model import trust_maps
from napari_ptychonn.widgets.canvas.hidden_column import HiddenColumn

if TYPE_CHECKING:
    import napari.viewer


class UncertaintyColumn(HiddenColumn):
    """The two maps, and the same numbers as features of the `count` scan points."""

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        points: Layer,
        count: int,
        arrange: Callable[[], None],
    ) -> None:
        super().__init__(viewer, arrange)
        self._points, self._count = points, count

    def show(self, result: Result | None, field: ViewExtent) -> None:
        """Show how far to trust a result; nothing for None."""
        maps = {} if result is None else trust_maps(result)
        for image, overlay in zip(TRUST_IMAGES, TRUST_OVERLAYS, strict=True):
            if result is not None:
                mosaic = result.mosaic
                shown = maps.get(image, np.full_like(mosaic.overlap_std, np.nan))
                place = field.map_transform(mosaic.pixel_size, mosaic.origin)
                self.show_map(image, shown, place, limits_of(shown, 0.0))
            self.note(overlay, shown=image not in maps)
        if self._points in self.viewer.layers:
            assert isinstance(self._points, Points)
            trust = None if result is None else result.uncertainty
            self._points.features = point_features(self._count, trust)
