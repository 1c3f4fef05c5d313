"""One figure for each study: images above, curves below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.aligned_images import AlignedImages
from napari_ptychonn.data.formatting import format_count, format_length
from napari_ptychonn.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    Limits,
    bar_beside,
    nanometres_of,
    scale_bar,
    show,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_ptychonn.studies.size import SizeStudy
    from napari_ptychonn.studies.sparse import SparseStudy
    from napari_ptychonn.studies.warm_start import WarmStartStudy

MOST = 6
"""Most images in a row; of more points, an even selection is shown."""

WIDTH = 8.6
"""Inches."""

CURVES = 2.6
"""Height of the curves, inches."""

Images = list[NDArray[np.floating[Any]]]


def sparse(study: SparseStudy) -> Figure:
    """Phase of both methods at each step; errors against the step."""
    shown = _some(study.points)
    titles = [f"×{p.every}: {format_length(p.step, study.unit)}, {p.frames}" for p in shown]
    rows = {
        "ePIE": _phases(p.epie.aligned for p in shown),
        "PtychoNN": _phases(p.ptychonn.aligned for p in shown),
    }
    with _page(rows, titles, shown[0].ptychonn.aligned) as (figure, axes):
        every = [p.every for p in study.points]
        for cell, channel, unit in zip(axes, ("phase", "amplitude"), (", rad", ""), strict=True):
            for title, colour, judged in (
                ("ePIE", GREY, [p.epie for p in study.points]),
                ("PtychoNN", ORANGE, [p.ptychonn for p in study.points]),
            ):
                values = [getattr(j.errors, f"{channel}_mae") for j in judged]
                cell.plot(every, values, "o-", color=colour, label=title)
            constant = getattr(study.points[0].epie.errors, f"constant_{channel}_mae")
            cell.axhline(constant, color="black", lw=0.8, ls=":", label="a constant")
            _finish(cell, f"mean absolute error of the {channel}{unit}", "step, × that of the scan")
            cell.set_xticks(every)
            _from_zero(cell)
        axes[0].legend(frameon=False, fontsize=8)
        _caption(figure, study.title, f"{study.sentence} Against {study.reference}.")
        return figure


def size(study: SizeStudy) -> Figure:
    """Held-out mosaics of some trainings; errors and seconds against the number of frames."""
    shown = _some(study.points)
    rows = {"PtychoNN": _phases(p.comparison.aligned for p in shown)}
    titles = [format_count(p.frames, "frame") for p in shown]
    with _page(rows, titles, shown[-1].comparison.aligned, 3) as (figure, axes):
        frames = [p.frames for p in study.points]
        comparisons = [p.comparison for p in study.points]
        for cell, channel, unit in zip(axes, ("phase", "amplitude"), (", rad", ""), strict=False):
            key = f"{channel}_mae"
            for title, colour, errors in (
                ("single shot, illuminated area", BLUE, [c.illuminated for c in comparisons]),
                ("mosaic", ORANGE, [c.mosaic for c in comparisons]),
            ):
                values = [getattr(e, key) for e in errors]
                cell.plot(frames, values, "o-", color=colour, label=title)
            constant = getattr(comparisons[-1].mosaic, f"constant_{key}")
            cell.axhline(constant, color="black", lw=0.8, ls=":", label="a constant")
            _finish(cell, f"held-out error of the {channel}{unit}", "training frames")
            _from_zero(cell)
        axes[0].legend(frameon=False, fontsize=8)
        axes[2].plot(frames, [p.seconds for p in study.points], "o-", color=GREY)
        _finish(axes[2], "seconds of training", "training frames")
        _from_zero(axes[2])
        for cell in axes:
            _counts(cell, frames)
        _caption(figure, study.title, f"{study.sentence} Against {study.reference}.")
        return figure


def warm_start(study: WarmStartStudy) -> Figure:
    """The last objects; error against the reference, and against the frames, by iteration."""
    pairs = [curve.last.aligned for curve in study.curves]
    rows = {"phase": _phases(pairs)}
    titles = [f"from {c.beginning}" for c in study.curves]
    with _page(rows, titles, pairs[0]) as (figure, axes):
        for curve, colour in zip(study.curves, (GREY, BLUE, ORANGE), strict=False):
            points = [p for p in curve.points if p.iteration]
            iterations = [p.iteration for p in points]
            axes[0].plot(
                iterations, [p.phase_rms for p in points], color=colour, label=curve.beginning
            )
            axes[1].plot(iterations, [p.misfit or np.nan for p in points], color=colour)
            reached = curve.find_phase_error(study.target)
            if reached is not None and reached.iteration:
                axes[0].plot(reached.iteration, reached.phase_rms, "o", color=colour, ms=5)
        axes[0].axhline(study.target, color="black", lw=0.8, ls=":", label="target")
        _finish(axes[0], "phase against the reference, RMS, rad", "iteration")
        _finish(axes[1], "misfit of the frames", "iteration")
        for cell in axes:
            _logarithmic(cell)
        axes[0].legend(frameon=False, fontsize=8)
        _caption(figure, study.title, study.sentence)
        return figure


@contextmanager
def _page(
    rows: dict[str, Images], titles: list[str], like: AlignedImages, curves: int = 2
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A styled figure: rows of phases, the reference at their right, and axes below them.

    Parameters
    ----------
    rows : dict
        Title of each row, and its images.
    titles : list of str
        Titles of the columns.
    like : AlignedPair
        Its reference is shown, and gives scale and limits.
    curves : int
        Number of axes below the images.
    """
    wanted = _masked(like, 1)
    height, width = wanted.shape
    each = min((WIDTH - 1.0) / (len(titles) + 1) * height / width, 2.4)
    above = len(rows) * (each + 0.1) + 0.25
    with styled_figure(WIDTH, above + CURVES + 0.7) as figure:
        images, below = figure.subfigures(2, 1, height_ratios=[above, CURVES], squeeze=False)[:, 0]
        grid = images.subplots(len(rows), len(titles) + 1, squeeze=False)
        limits = Limits.of(wanted)
        for cells, (name, row) in zip(grid, rows.items(), strict=True):
            for cell, image in zip(cells, row, strict=False):
                show(cell, image, "phase", limits)
            cells[0].set_ylabel(name)
        for cell in grid[1:, -1]:
            cell.set_axis_off()
        bar_beside(show(grid[0, -1], wanted, "phase", limits), grid[0, -1], "phase, rad")
        for cell, title in zip(grid[0], [*titles, "reference"], strict=True):
            cell.set_title(title, fontsize=8)
        scale_bar(grid[0, 0], width, nanometres_of(like.pixel_size[1], like.unit))
        yield figure, list(below.subplots(1, curves))


def _some(points: Sequence[Any]) -> list[Any]:
    """Choose at most `MOST` points evenly, with the first and the last."""
    chosen = np.unique(np.linspace(0, len(points) - 1, min(MOST, len(points))).round().astype(int))
    return [points[k] for k in chosen]


def _phases(pairs: Iterable[AlignedImages]) -> Images:
    return [_masked(pair, 0) for pair in pairs]


def _masked(pair: AlignedImages, which: int) -> NDArray[np.floating[Any]]:
    """Phase of the object (0) or of the reference (1), NaN where they are not compared."""
    rows, columns = (np.flatnonzero(pair.mask.any(axis=axis)) for axis in (1, 0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(pair.mask, pair.images("phase")[which], np.nan)[window]


def _finish(axes: Axes, what: str, against: str) -> None:
    axes.set_title(what[:1].upper() + what[1:], loc="left")
    axes.set_xlabel(against)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.7)


def _from_zero(cell: Axes) -> None:
    """Let errors begin at zero, with room for the marker of the largest."""
    cell.set_ylim(0, 1.06 * cell.dataLim.y1)


def _counts(axes: Axes, frames: list[int]) -> None:
    """A logarithmic axis with the numbers themselves on it."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(frames, [str(n) for n in frames], rotation=45)


def _logarithmic(axes: Axes) -> None:
    """Logarithmic axes with plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _caption(figure: Figure, title: str, text: str) -> None:
    figure.suptitle(title, x=0.01, ha="left")
    figure.supxlabel(text, fontsize=8, color="#444444", wrap=True)
