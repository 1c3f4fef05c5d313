"""Style, colours, scale bars and colour bars that all figures share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.registration import phase_offset, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLOURMAPS = {
    "counts": "inferno",
    "amplitude": "gray",
    "phase": "viridis",
    "error": "magma",
    "difference": "coolwarm",
}
"""Perceptually uniform colormaps, one for each quantity in all figures."""

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"

UNITS = {"counts": "counts", "amplitude": "amplitude", "phase": "phase, rad"}
"""Labels of the colour bars, by quantity."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Colour limits shared by every image of one quantity."""

    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> Limits:
        """Return the limits of the values without the 0.5 % at either end."""
        low, high = np.nanpercentile(values, [0.5, 99.5])
        return cls(low=float(low), high=max(float(high), float(low) + 1e-6))


@contextmanager
def styled_figure(width: float, height: float) -> Iterator[Figure]:
    """Make a figure with the package's style, whatever style the user has set."""
    import matplotlib as mpl

    # No pyplot: no global state and no window, whatever backend the user has.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(cast("Any", _STYLE)):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def save_figure(figure: Figure, path: str | Path, kind: str = "png") -> Path:
    """Write a figure, 200 dots per inch, and return the path.

    Parameters
    ----------
    figure : Figure
        Figure to write.
    path : str or Path
        File name, with any extension.
    kind : {'png', 'pdf', 'svg'}
        Format.
    """
    figure.savefig(path, dpi=200, facecolor="white", format=kind)
    return Path(path)


def show(axes: Axes, image: NDArray[Any], kind: str, limits: Limits) -> AxesImage:
    """Draw an image without axes; NaN and infinity are grey."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    colours = colormaps[COLOURMAPS[kind]].with_extremes(bad="#d9d9d9")
    scale = LogNorm if kind == "counts" else Normalize
    norm = scale(vmin=limits.low, vmax=limits.high)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes.imshow(image, cmap=colours, norm=norm, interpolation="nearest")


def bar_below(image: AxesImage, axes: Axes, label: str) -> None:
    """Draw a colour bar below an image."""
    bar = axes.inset_axes((0.02, -0.11, 0.96, 0.045))
    axes.figure.colorbar(image, cax=bar, orientation="horizontal", label=label)


def bar_beside(image: AxesImage, axes: Axes, label: str) -> None:
    """Draw a colour bar to the right of an image."""
    bar = axes.inset_axes((1.03, 0.0, 0.045, 1.0))
    axes.figure.colorbar(image, cax=bar, label=label)


def scale_bar(axes: Axes, width: int, nanometres: float | None) -> None:
    """Draw a bar of a round length, about a quarter of the image wide."""
    from matplotlib.patches import Rectangle

    unit = 1.0 if nanometres is None else nanometres
    exponent = 10 ** np.floor(np.log10(0.3 * width * unit))
    length = max(m * exponent for m in (1, 2, 5) if m * exponent <= 0.3 * width * unit)
    text = f"{length:g} px" if nanometres is None else f"{length:g} nm"
    if nanometres is not None and length >= 1000:
        text = f"{length / 1000:g} µm"
    height = axes.get_ylim()[0] + 0.5
    left, top, thick = 0.06 * width, 0.9 * height, 0.025 * height
    around = halo(2.0)
    bar = Rectangle(
        (left, top), length / unit, thick, color="white", path_effects=halo(1.2), zorder=3
    )
    axes.add_patch(bar)
    axes.text(
        left,
        top - 0.02 * height,
        text,
        color="white",
        fontsize=8,
        va="bottom",
        path_effects=around,
    )


def outline(axes: Axes, mask: NDArray[np.bool_] | None) -> None:
    """Draw the outline of a mask, unless it is None, full or empty."""
    if mask is None or mask.all() or not mask.any():
        return
    lines = axes.contour(mask.astype(float), levels=[0.5], colors="#ff5db1", linewidths=1.2)
    lines.set_path_effects(halo(2.0))


def halo(width: float) -> list[Any]:
    """Return path effects that keep white lines and letters readable on any image."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="black")]


def nanometres_of(pixel_size: float, unit: str) -> float | None:
    """Return nanometres per pixel; None for a scan in pixels."""
    return pixel_size * 1e9 if unit == "m" else None


def matched_phases(
    predicted: NDArray[Any], label: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both phases without their global offset, relative to the mean phase of the label."""
    known = np.isfinite(predicted) & np.isfinite(label)
    zero = phase_offset(label[known])
    offset = phase_offset(predicted[known] - label[known])
    return wrap(predicted - zero - offset), wrap(label - zero)
