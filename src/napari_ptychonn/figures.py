"""Pictures for a talk: the loss curve, single shots, and mosaics beside the reconstruction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_ptychonn.core.alignment import phase_offset, wrap
from napari_ptychonn.core.patches import cut_patches
from napari_ptychonn.core.reconstruction import Reconstruction
from napari_ptychonn.core.region import TrainingRegion
from napari_ptychonn.core.result import Result
from napari_ptychonn.core.scan import Scan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from napari_ptychonn.core.metrics import Comparison

COLOURMAPS = {"counts": "inferno", "amplitude": "gray", "phase": "viridis", "error": "magma"}
"""Perceptually uniform, and one for each quantity in every picture."""

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
_BLUE, _ORANGE = "#0072B2", "#D55E00"
_BEAM_SHARE = 0.8


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Colour limits shared by every image of one quantity."""

    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> Limits:
        """Leave out the 0.5 % at either end."""
        low, high = np.nanpercentile(values, [0.5, 99.5])
        return cls(low=float(low), high=max(float(high), float(low) + 1e-6))


def loss_curve(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw training and validation loss, and the validation error of each channel.

    Parameters
    ----------
    history : sequence of dict
        `TrainedModel.history`.
    """
    with _figure(7.2, 2.9) as figure:
        loss, error = figure.subplots(1, 2)
        _curve(loss, history, "train_loss", _BLUE, "training")
        _curve(loss, history, "validation_loss", _ORANGE, "validation")
        _mark_best(loss, history)
        loss.set_title("What is minimised", loc="left")
        loss.set_ylabel("mean absolute error, scaled")
        _curve(error, history, "phase_loss", _ORANGE, "phase, rad")
        _curve(error, history, "amplitude_loss", "#555555", "amplitude")
        error.set_title("Validation frames, by channel", loc="left")
        error.set_ylabel("mean absolute error")
        for axes in (loss, error):
            _finish_curves(axes)
        return figure


def single_shots(
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
        Any; it is placed under the scan here.
    points : sequence of int
        Scan points to show.
    reference : str, optional
        What to call the reconstruction.
    """
    placed, positions = reconstruction.under(scan)
    chosen = np.asarray(points, dtype=np.int64)
    rows = [int(np.flatnonzero(result.predictions.indices == point)[0]) for point in chosen]
    predicted = result.predictions[rows]
    labels = cut_patches(placed, positions, chosen, predicted.shape)
    predicted_phase, label_phase = _matched(predicted.phase, labels.phase)
    frames = scan.read(chosen).astype(np.float64)
    counts = _log_counts(frames, scan.valid)
    nanometres = _nanometres(placed.pixel_size[1], scan.unit)
    name = reference or placed.name
    beam = _beam_radius(result.probe if result.probe is not None else placed.probe)
    # The reference is noise where it was not lit; that must not set the limits.
    lit = _within(beam, predicted.shape)
    amplitude, phase = Limits.of(labels.amplitude[:, lit]), Limits.of(label_phase[:, lit])
    columns: tuple[tuple[str, str, NDArray[Any], Limits], ...] = (
        ("counts", "Frame", counts, Limits.of(counts)),
        ("amplitude", name, labels.amplitude, amplitude),
        ("amplitude", "PtychoNN", predicted.amplitude, amplitude),
        ("phase", name, label_phase, phase),
        ("phase", "PtychoNN", predicted_phase, phase),
    )
    with _figure(8.6, 1.0 + 1.58 * len(chosen)) as figure:
        grid = figure.subplots(len(chosen), len(columns), squeeze=False)
        for (kind, title, images, limits), axes in zip(columns, grid.T, strict=True):
            for row, (image, cell) in enumerate(zip(images, axes, strict=True)):
                shown = _show(cell, image, kind, limits)
                if kind != "counts":
                    _circle(cell, beam, image.shape)
                    if row == 0:
                        _scale_bar(cell, image.shape[1], nanometres)
            axes[0].set_title(title)
            _bar_below(shown, axes[-1], _UNITS[kind])
        for cell, point in zip(grid[:, 0], chosen, strict=True):
            cell.set_ylabel(f"point {point}")
        figure.suptitle(
            "Single shots on held-out points: one frame in, one patch out", x=0.01, ha="left"
        )
        if beam is not None:
            figure.supxlabel(
                f"Dashed circle: {_BEAM_SHARE:.0%} of the beam. Both images of a pair "
                "share their colour limits.",
                fontsize=8,
                color="#444444",
            )
        return figure


def mosaics(
    scan: Scan,
    result: Result,
    reconstruction: Reconstruction,
    region: TrainingRegion | None = None,
    *,
    comparison: Comparison | None = None,
    reference: str | None = None,
) -> Figure:
    """Draw amplitude and phase of both beside their difference (Fig. 3 of the paper).

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
    placed, positions = reconstruction.under(scan)
    view = _View.around(result, positions)
    target = _sampled(placed, view)
    trusted = view.trusted
    amplitude, phase = view.cut(result.mosaic.amplitude), view.cut(result.mosaic.phase)
    amplitude, phase = (np.where(trusted, image, np.nan) for image in (amplitude, phase))
    predicted_phase, target_phase = _matched(phase, np.angle(target))
    name = reference or placed.name
    rows: tuple[tuple[str, NDArray[Any], NDArray[Any], NDArray[Any]], ...] = (
        ("amplitude", np.abs(target), amplitude, np.abs(amplitude - np.abs(target))),
        ("phase", target_phase, predicted_phase, np.abs(wrap(predicted_phase - target_phase))),
    )
    trained = None if region is None else _near(view, positions, region, scan.step)
    nanometres = _nanometres(result.mosaic.pixel_size[1], result.unit)
    height, width = trusted.shape
    with _figure(8.6, 1.2 + 4.6 * min(max(height / width, 0.3), 1.6)) as figure:
        grid = figure.subplots(2, 3)
        for cells, (kind, wanted, got, error) in zip(grid, rows, strict=True):
            limits = Limits.of(wanted[trusted])
            # The worst pixels are rim; let the map show where the rest goes wrong.
            worst = Limits(low=0.0, high=float(np.nanpercentile(error, 99)))
            shown = [
                _show(cells[0], wanted, kind, limits),
                _show(cells[1], got, kind, limits),
                _show(cells[2], error, "error", worst),
            ]
            for cell in cells:
                _outline(cell, trained)
            _name_region(cells[1], trained)
            _bar_beside(shown[1], cells[1], _UNITS[kind])
            _bar_beside(shown[2], cells[2], _UNITS[kind].replace(kind, f"|Δ {kind}|"))
        for cell, title in zip(grid[0], (name, "PtychoNN mosaic", "difference"), strict=True):
            cell.set_title(title)
        _scale_bar(grid[0, 0], width, nanometres)
        figure.suptitle("Mosaics of single-shot predictions", x=0.01, ha="left")
        figure.supxlabel(_caption(region, comparison), fontsize=8, color="#444444")
        return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, 200 dots per inch, and return the path."""
    figure.savefig(path, dpi=200, facecolor="white")
    return Path(path)


def choose_points(
    scan: Scan,
    reconstruction: Reconstruction,
    candidates: NDArray[np.int64],
    shape: tuple[int, int],
    count: int = 4,
) -> list[int]:
    """Choose points to show: much structure where the beam was, and well apart.

    A rule instead of a pick by hand: the label that varies most, then the one
    that varies most among those half a patch away from it, and so on.
    """
    placed, positions = reconstruction.under(scan)
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


_UNITS = {"counts": "counts", "amplitude": "amplitude", "phase": "phase, rad"}


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """Make a figure whose style is ours while it is filled, whatever the user's own is."""
    import matplotlib as mpl

    # No pyplot: no global state and no window, whatever backend the user has.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(cast("Any", _STYLE)):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


@dataclass(frozen=True, kw_only=True, eq=False)
class _View:
    """The part of a mosaic that the scan covers."""

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
    """The object on the grid of the view, NaN where there is none."""
    where = np.moveaxis(
        (view.coordinates - np.asarray(placed.origin)) / np.asarray(placed.pixel_size), -1, 0
    )
    where = np.where(np.abs(where - np.rint(where)) < 1e-6, np.rint(where), where)
    sampled = ndimage.map_coordinates(
        placed.object.astype(np.complex128), where, order=1, mode="constant", cval=np.nan
    )
    return np.asarray(sampled, dtype=np.complex128)


def _matched(predicted: NDArray[Any], label: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both phases about one zero, the global offset between them removed."""
    known = np.isfinite(predicted) & np.isfinite(label)
    zero = phase_offset(label[known])
    offset = phase_offset(predicted[known] - label[known])
    return wrap(predicted - zero - offset), wrap(label - zero)


def _near(
    view: _View, positions: NDArray[np.float64], region: TrainingRegion, step: float
) -> NDArray[np.bool_]:
    """Where the nearest scan point is one of the training region."""
    used = np.concatenate([region.train, region.validation, region.gap])
    _, nearest = cKDTree(positions).query(view.coordinates.reshape(-1, 2))
    distance, _ = cKDTree(positions[used]).query(view.coordinates.reshape(-1, 2))
    near = np.isin(nearest, used) & (distance < 2 * max(step, float(view.pixel_size.max())))
    return np.asarray(near.reshape(view.trusted.shape))


def _inner(
    positions: NDArray[np.float64],
    candidates: NDArray[np.int64],
    placed: Reconstruction,
    shape: tuple[int, int],
) -> NDArray[np.int64]:
    """Candidates whose patch is as far inside the scan as there are some."""
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


def _beam_radius(probe: NDArray[np.complex64] | None) -> float | None:
    """Radius that holds most of the beam, pixels."""
    if probe is None:
        return None
    intensity = np.sum(np.abs(probe) ** 2, axis=0)
    rows, columns = np.indices(intensity.shape)
    distance = np.hypot(rows - intensity.shape[0] // 2, columns - intensity.shape[1] // 2)
    order = np.argsort(distance, axis=None)
    enclosed = np.cumsum(intensity.ravel()[order]) / intensity.sum()
    return float(distance.ravel()[order][np.searchsorted(enclosed, _BEAM_SHARE)])


def _within(radius: float | None, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a patch inside the circle; all of them for None."""
    rows, columns = np.indices(shape)
    distance = np.hypot(rows - shape[0] // 2, columns - shape[1] // 2)
    return np.asarray(distance <= (np.inf if radius is None else radius))


def _nanometres(pixel_size: float, unit: str) -> float | None:
    return pixel_size * 1e9 if unit == "m" else None


def _show(axes: Axes, image: NDArray[Any], kind: str, limits: Limits) -> AxesImage:
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


def _bar_below(image: AxesImage, axes: Axes, label: str) -> None:
    bar = axes.inset_axes((0.02, -0.11, 0.96, 0.045))
    axes.figure.colorbar(image, cax=bar, orientation="horizontal", label=label)


def _bar_beside(image: AxesImage, axes: Axes, label: str) -> None:
    bar = axes.inset_axes((1.03, 0.0, 0.045, 1.0))
    axes.figure.colorbar(image, cax=bar, label=label)


def _scale_bar(axes: Axes, width: int, nanometres: float | None) -> None:
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
    outlined = _outlined(2.0)
    bar = Rectangle(
        (left, top), length / unit, thick, color="white", path_effects=_outlined(1.2), zorder=3
    )
    axes.add_patch(bar)
    axes.text(
        left,
        top - 0.02 * height,
        text,
        color="white",
        fontsize=8,
        va="bottom",
        path_effects=outlined,
    )


def _circle(axes: Axes, radius: float | None, shape: tuple[int, ...]) -> None:
    from matplotlib.patches import Circle

    if radius is None or radius > min(shape) / 2:
        return
    centre = (shape[1] // 2, shape[0] // 2)
    axes.add_patch(
        Circle(centre, radius, fill=False, color="white", linewidth=0.9, linestyle=(0, (3, 3)))
    )


def _outline(axes: Axes, mask: NDArray[np.bool_] | None) -> None:
    if mask is None or mask.all() or not mask.any():
        return
    lines = axes.contour(mask.astype(float), levels=[0.5], colors="#ff5db1", linewidths=1.2)
    lines.set_path_effects(_outlined(2.0))


def _name_region(axes: Axes, mask: NDArray[np.bool_] | None) -> None:
    """Say which side of the line was trained on, at the region's upper left."""
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
        path_effects=_outlined(2.0),
    )


def _outlined(width: float) -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="black")]


def _curve(
    axes: Axes, history: Sequence[Mapping[str, Any]], key: str, colour: str, label: str
) -> None:
    points = [(entry["number"], entry[key]) for entry in history if entry[key] is not None]
    points = [(number, value) for number, value in points if np.isfinite(value)]
    if points:
        axes.plot(*zip(*points, strict=True), color=colour, label=label, linewidth=1.5)


def _mark_best(axes: Axes, history: Sequence[Mapping[str, Any]]) -> None:
    checked = [(e["validation_loss"], e["number"]) for e in history if e["validation_loss"]]
    if not checked:
        return
    loss, number = min(checked)
    label = f"kept: {loss:.3f}, epoch {number}"
    axes.plot(number, loss, "o", color=_ORANGE, markersize=5, zorder=3, label=label)


def _finish_curves(axes: Axes) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

    axes.set_xlabel("epoch")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.7)
    if axes.lines:
        axes.legend(frameon=False, loc="upper right", fontsize=8)


def _caption(region: TrainingRegion | None, comparison: Comparison | None) -> str:
    parts = []
    if region is not None:
        parts.append(f"Pink line: training region ({region.description}).")
    if comparison is not None:
        e = comparison.mosaic
        parts.append(
            f"Mosaic of the {comparison.frames} held-out frames: phase MAE {e.phase_mae:.3f} rad "
            f"(a constant: {e.constant_phase_mae:.3f}), correlation {e.phase_correlation:.2f}."
        )
    return " ".join(parts)
