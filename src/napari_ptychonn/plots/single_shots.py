"""Draw single-shot predictions and the reconstruction at the same scan points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.plots.style import (
    UNITS,
    Limits,
    bar_below,
    matched_phases,
    nanometres_of,
    scale_bar,
    show,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PROBE_SHARE = 0.8


def plot_single_shots(
    scan: Scan,
    result: Result,
    reconstruction: Reconstruction,
    points: Sequence[int],
    *,
    reference: str | None = None,
) -> Figure:
    """Draw a row for each scan point: frame, amplitude pair, phase pair (Fig. 2 of the paper).

    Parameters
    ----------
    scan : Scan
        Frames.
    result : Result
        With predictions of these points.
    reconstruction : Reconstruction
        Any reconstruction; it is aligned to the scan here.
    points : sequence of int
        Scan points to show.
    reference : str, optional
        Name of the reconstruction in the figure.
    """
    placed, positions = reconstruction.align_to(scan)
    chosen = np.asarray(points, dtype=np.int64)
    rows = [int(np.flatnonzero(result.predictions.indices == point)[0]) for point in chosen]
    predicted = result.predictions[rows]
    labels = cut_patches(placed, positions, chosen, predicted.shape)
    predicted_phase, label_phase = matched_phases(predicted.phase, labels.phase)
    frames = scan.read(chosen).astype(np.float64)
    counts = _log_counts(frames, scan.valid)
    nanometres = nanometres_of(placed.pixel_size[1], scan.unit)
    name = reference or placed.name
    radius = _probe_radius(result.probe if result.probe is not None else placed.probe)
    # The reference is noise where it was not illuminated; that must not set the limits.
    illuminated = _within(radius, predicted.shape)
    amplitude, phase = (
        Limits.of(labels.amplitude[:, illuminated]),
        Limits.of(label_phase[:, illuminated]),
    )
    columns: tuple[tuple[str, str, NDArray[Any], Limits], ...] = (
        ("counts", "Frame", counts, Limits.of(counts)),
        ("amplitude", name, labels.amplitude, amplitude),
        ("amplitude", "PtychoNN", predicted.amplitude, amplitude),
        ("phase", name, label_phase, phase),
        ("phase", "PtychoNN", predicted_phase, phase),
    )
    with styled_figure(8.6, 1.0 + 1.58 * len(chosen)) as figure:
        grid = figure.subplots(len(chosen), len(columns), squeeze=False)
        for (kind, title, images, limits), axes in zip(columns, grid.T, strict=True):
            for row, (image, cell) in enumerate(zip(images, axes, strict=True)):
                shown = show(cell, image, kind, limits)
                if kind != "counts":
                    _circle(cell, radius, image.shape)
                    if row == 0:
                        scale_bar(cell, image.shape[1], nanometres)
            axes[0].set_title(title)
            bar_below(shown, axes[-1], UNITS[kind])
        for cell, point in zip(grid[:, 0], chosen, strict=True):
            cell.set_ylabel(f"point {point}")
        figure.suptitle(
            "Single shots on held-out points: one frame in, one patch out", x=0.01, ha="left"
        )
        if radius is not None:
            figure.supxlabel(
                f"Dashed circle: {_PROBE_SHARE:.0%} of the probe intensity. Both images of a pair "
                "share their colour limits.",
                fontsize=8,
                color="#444444",
            )
        return figure


def choose_points(
    scan: Scan,
    reconstruction: Reconstruction,
    candidates: NDArray[np.int64],
    shape: tuple[int, int],
    count: int = 4,
) -> list[int]:
    """Choose scan points to show: much structure in the illuminated area, and well apart.

    A rule instead of a choice by hand: the label that varies most, then the one
    that varies most among those half a patch away from it, and so on.
    """
    placed, positions = reconstruction.align_to(scan)
    inner = _inner(positions, candidates, placed, shape)
    phase = cut_patches(placed, positions, inner, shape).phase
    middle = phase[:, shape[0] // 3 : -shape[0] // 3, shape[1] // 3 : -shape[1] // 3]
    evenness = np.abs(np.exp(1j * middle).mean(axis=(1, 2)))
    apart = 0.5 * min(shape) * min(placed.pixel_size)
    chosen: list[int] = []
    while len(chosen) < min(count, len(inner)):
        free = np.ones(len(inner), bool)
        for point in chosen:
            free &= np.hypot(*(positions[inner] - positions[point]).T) > apart
        if free.any():
            chosen.append(int(inner[np.where(free, evenness, np.inf).argmin()]))
        else:
            apart /= 2
    return sorted(chosen)


def _inner(
    positions: NDArray[np.float64],
    candidates: NDArray[np.int64],
    placed: Reconstruction,
    shape: tuple[int, int],
) -> NDArray[np.int64]:
    """Return the candidates farthest inside the scan, at least 20 if possible."""
    patch = np.asarray(shape) * np.asarray(placed.pixel_size)
    for share in (0.3, 0.2, 0.1):
        low, high = positions.min(axis=0) + share * patch, positions.max(axis=0) - share * patch
        inside = ((positions[candidates] > low) & (positions[candidates] < high)).all(axis=1)
        if inside.sum() >= 20:
            return np.asarray(candidates[inside])
    return candidates


def _log_counts(frames: NDArray[np.float64], valid: NDArray[np.bool_] | None) -> NDArray[Any]:
    frames = np.where(frames > 0, frames, 0.5)
    return frames if valid is None else np.where(valid, frames, np.nan)


def _probe_radius(probe: NDArray[np.complex64] | None) -> float | None:
    """Return the radius, pixels, that encloses `_PROBE_SHARE` of the probe intensity."""
    if probe is None:
        return None
    intensity = np.sum(np.abs(probe) ** 2, axis=0)
    rows, columns = np.indices(intensity.shape)
    distance = np.hypot(rows - intensity.shape[0] // 2, columns - intensity.shape[1] // 2)
    order = np.argsort(distance, axis=None)
    enclosed = np.cumsum(intensity.ravel()[order]) / intensity.sum()
    return float(distance.ravel()[order][np.searchsorted(enclosed, _PROBE_SHARE)])


def _within(radius: float | None, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a patch inside the circle; all of them for None."""
    rows, columns = np.indices(shape)
    distance = np.hypot(rows - shape[0] // 2, columns - shape[1] // 2)
    return np.asarray(distance <= (np.inf if radius is None else radius))


def _circle(axes: Axes, radius: float | None, shape: tuple[int, ...]) -> None:
    from matplotlib.patches import Circle

    if radius is None or radius > min(shape) / 2:
        return
    centre = (shape[1] // 2, shape[0] // 2)
    axes.add_patch(
        Circle(centre, radius, fill=False, color="white", linewidth=0.9, linestyle=(0, (3, 3)))
    )
