"""Pictures for a talk: loss curve, single shots, mosaics and comparison."""

from napari_ptychonn.figures.drawing import COLOURMAPS, Limits, save_figure
from napari_ptychonn.figures.losses import loss_curve
from napari_ptychonn.figures.maps import mosaics
from napari_ptychonn.figures.report import comparison
from napari_ptychonn.figures.shots import choose_points, single_shots

__all__ = [
    "COLOURMAPS",
    "Limits",
    "choose_points",
    "comparison",
    "loss_curve",
    "mosaics",
    "save_figure",
    "single_shots",
]
