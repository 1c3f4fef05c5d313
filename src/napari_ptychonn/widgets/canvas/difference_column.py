"""What the mosaic and the reconstruction differ in: amplitude above, phase below."""

from __future__ import annotations

import numpy as np

from napari_ptychonn.comparison.aligned_images import CHANNELS, AlignedImages
from napari_ptychonn.viewer.extent import ViewExtent
from napari_ptychonn.viewer.layers import DIFFERENCE_IMAGES, DIFFERENCE_OVERLAYS, empty_map
from napari_ptychonn.widgets.canvas.hidden_column import HiddenColumn


class DifferenceColumn(HiddenColumn):
    """Mosaic minus reconstruction after alignment, contrast symmetric about 0."""

    def show(self, pair: AlignedImages | None, field: ViewExtent) -> None:
        """Show the differences of a pair; nothing for None."""
        rows = zip(DIFFERENCE_IMAGES, DIFFERENCE_OVERLAYS, CHANNELS, strict=True)
        for image, overlay, channel in rows:
            self.note(overlay, shown=pair is None)
            if pair is None:
                nothing, place = empty_map(field)
                self.show_map(image, nothing, place, (-1.0, 1.0))
                continue
            difference = pair.difference(channel)
            most = max(float(np.nanpercentile(np.abs(difference), 99)), 1e-6)
            place = field.map_transform(pair.pixel_size, pair.origin)
            self.show_map(image, difference, place, (-most, most))
