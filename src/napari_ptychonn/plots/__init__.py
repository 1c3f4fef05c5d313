"""Figures of losses, single-shot predictions, mosaics and comparisons, drawn with matplotlib."""

from napari_ptychonn.plots.comparison import plot_comparison
from napari_ptychonn.plots.losses import plot_losses
from napari_ptychonn.plots.mosaics import plot_mosaics
from napari_ptychonn.plots.single_shots import choose_points, plot_single_shots
from napari_ptychonn.plots.style import COLOURMAPS, Limits, save_figure

__all__ = [
    "COLOURMAPS",
    "Limits",
    "choose_points",
    "plot_comparison",
    "plot_losses",
    "plot_mosaics",
    "plot_single_shots",
    "save_figure",
]
