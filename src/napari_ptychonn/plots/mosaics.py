"""Draw mosaic, reconstruction and difference, with the training region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_ptychonn.comparison.registration import wrap
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.plots.style import (
    UNITS,
    Limits,
    bar_beside,
    halo,
    matched_phases,
    nanometres_of,
    outline,
    scale_bar,
    show,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_ptychonn.comparison.metrics import Comparison


def plot_mosaics(
    scan: Scan,
    result: Result,
    reconstruction: Reconstruction,
    region: TrainingRegion | None = None,
    *,
    comparison: Comparison | None = None,
    reference: str | None = None,
) -> Figure:
    """Draw amplitude and phase of both and their difference (Fig. 3 of the paper).

    Parameters
    ----------
    scan : Scan
        Where the beam was.
    result : Result
        With its mosaic.
    reconstruction : Reconstruction
        Any; it is placed under the scan here.
    region : TrainingRegion, optional
        Outlined.
    comparison : Comparison, optional
        Its numbers go under the picture.
    reference : str, optional
        What to call the reconstruction.
    """
    placed, positions = reconstruction.align_to(scan)
    view = _View.around(result, positions)
    target = _sampled(placed, view)
    trusted = view.trusted
    amplitude, phase = view.cut(result.mosaic.amplitude), view.cut(result.mosaic.phase)
    amplitude, phase = (np.where(trusted, image, np.nan) for image in (amplitude, phase))
    predicted_phase, target_phase = matched_phases(phase, np.angle(target))
    name = reference or placed.name
    rows: tuple[tuple[str, NDArray[Any], NDArray[Any], NDArray[Any]], ...] = (
        ("amplitude", np.abs(target), amplitude, np.abs(amplitude - np.abs(target))),
        ("phase", target_phase, predicted_phase, np.abs(wrap(predicted_phase - target_phase))),
    )
    trained = None if region is None else _near(view, positions, region, scan.step)
    nanometres = nanometres_of(result.mosaic.pixel_size[1], result.unit)
    height, width = trusted.shape
    with styled_figure(8.6, 1.2 + 4.6 * min(max(height / width, 0.3), 1.6)) as figure:
        grid = figure.subplots(2, 3)
        for cells, (kind, wanted, got, error) in zip(grid, rows, strict=True):
            limits = Limits.of(wanted[trusted])
            # The worst pixels are at the rim; the limits leave them out to show errors elsewhere.
            worst = Limits(low=0.0, high=float(np.nanpercentile(error, 99)))
            shown = [
                show(cells[0], wanted, kind, limits),
                show(cells[1], got, kind, limits),
                show(cells[2], error, "error", worst),
            ]
            for cell in cells:
                outline(cell, trained)
            _name_region(cells[1], trained)
            bar_beside(shown[1], cells[1], UNITS[kind])
            bar_beside(shown[2], cells[2], UNITS[kind].replace(kind, f"|Δ {kind}|"))
        for cell, title in zip(grid[0], (name, "PtychoNN mosaic", "difference"), strict=True):
            cell.set_title(title)
        scale_bar(grid[0, 0], width, nanometres)
        figure.suptitle("Mosaics of single-shot predictions", x=0.01, ha="left")
        figure.supxlabel(_caption(region, comparison), fontsize=8, color="#444444")
        return figure


@dataclass(frozen=True, kw_only=True, eq=False)
class _View:
    """Part of a mosaic that the scan covers."""

    window: tuple[slice, slice]
    origin: NDArray[np.float64]
    pixel_size: NDArray[np.float64]
    trusted: NDArray[np.bool_]

    @classmethod
    def around(cls, result: Result, positions: NDArray[np.float64]) -> _View:
        mosaic = result.mosaic
        pixel, origin = np.asarray(mosaic.pixel_size), np.asarray(mosaic.origin)
        index = (positions[result.predictions.indices] - origin) / pixel
        first = np.floor(index.min(axis=0)).astype(int)
        last = np.ceil(index.max(axis=0)).astype(int) + 1
        first = np.maximum(first, 0)
        window = (slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1])))
        weight = np.nan_to_num(mosaic.weight[window])
        trusted = weight > 0.02 * np.median(weight[weight > 0])
        return cls(window=window, origin=origin + first * pixel, pixel_size=pixel, trusted=trusted)

    def cut(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return image[self.window]

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """(ny, nx, 2) positions of the pixels."""
        grid = np.moveaxis(np.indices(self.trusted.shape), 0, -1)
        return np.asarray(self.origin + grid * self.pixel_size, dtype=np.float64)


def _sampled(placed: Reconstruction, view: _View) -> NDArray[np.complex128]:
    """Sample the object on the grid of the view; NaN outside it."""
    where = np.moveaxis(
        (view.coordinates - np.asarray(placed.origin)) / np.asarray(placed.pixel_size), -1, 0
    )
    where = np.where(np.abs(where - np.rint(where)) < 1e-6, np.rint(where), where)
    sampled = ndimage.map_coordinates(
        placed.object.astype(np.complex128), where, order=1, mode="constant", cval=np.nan
    )
    return np.asarray(sampled, dtype=np.complex128)


def _near(
    view: _View, positions: NDArray[np.float64], region: TrainingRegion, step: float
) -> NDArray[np.bool_]:
    """Return the pixels whose nearest scan point is in the training region."""
    used = np.concatenate([region.train, region.validation, region.gap])
    _, nearest = cKDTree(positions).query(view.coordinates.reshape(-1, 2))
    distance, _ = cKDTree(positions[used]).query(view.coordinates.reshape(-1, 2))
    near = np.isin(nearest, used) & (distance < 2 * max(step, float(view.pixel_size.max())))
    return np.asarray(near.reshape(view.trusted.shape))


def _name_region(axes: Axes, mask: NDArray[np.bool_] | None) -> None:
    """Label the training region at its upper left."""
    if mask is None or mask.all() or not mask.any():
        return
    row = int(np.flatnonzero(mask.any(axis=1))[0])
    column = int(np.flatnonzero(mask[row])[0])
    offset = 0.025 * mask.shape[1]
    axes.text(
        column + offset,
        row + offset,
        "training region",
        color="#ff8fca",
        fontsize=8,
        va="top",
        path_effects=halo(2.0),
    )


def _caption(region: TrainingRegion | None, comparison: Comparison | None) -> str:
    parts = []
    if region is not None:
        parts.append(f"Pink line: training region ({region.description}).")
    if comparison is not None:
        e = comparison.mosaic
        parts.append(
            f"Mosaic of {format_count(comparison.frames, 'held-out frame')}: "
            f"phase MAE {e.phase_mae:.3f} rad "
            f"(a constant: {e.constant_phase_mae:.3f}), correlation {e.phase_correlation:.2f}."
        )
    return " ".join(parts)
