"""A click on a map looks at the nearest scan point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


class Picker:
    """A mouse callback for the viewer; drags, other cells and drawing tools are left alone.

    Parameters
    ----------
    positions : ndarray of float64
        (n, 2), display units.
    is_map : callable
        Whether a cell (row, column) of the grid shows a map.
    picked : callable
        Told the nearest scan point.
    """

    def __init__(
        self,
        positions: NDArray[np.float64],
        is_map: Callable[[tuple[int, int] | None], bool],
        picked: Callable[[int], None],
    ) -> None:
        self._tree = cKDTree(positions)
        self._is_map, self._picked = is_map, picked

    def __call__(self, viewer: Any, event: Any) -> Iterator[None]:
        """Wait for the release; napari runs this generator along with the mouse."""
        active = viewer.layers.selection.active
        tool = str(getattr(active, "mode", "pan_zoom"))
        yield
        dragged = False
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged and tool == "pan_zoom" and self._is_map(event.viewbox):
            _, nearest = self._tree.query(np.asarray(event.position)[-2:])
            self._picked(int(nearest))
