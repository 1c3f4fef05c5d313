"""Draw a comparison on one page: mosaics, differences, ring correlation, profiles, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.aligned_images import CHANNELS, AlignedImages, Channel
from napari_ptychonn.comparison.profile import Line
from napari_ptychonn.comparison.report import Report
from napari_ptychonn.data.scan import Unit
from napari_ptychonn.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    UNITS,
    Limits,
    bar_beside,
    halo,
    nanometres_of,
    outline,
    scale_bar,
    show,
    styled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS: dict[Channel, str] = {"phase": BLUE, "amplitude": GREY}
_WINDOW = tuple[slice, slice]


def plot_comparison(report: Report, line: Line | None = None) -> Figure:
    """Draw both mosaics, their differences, ring correlation, profiles and numbers.

    Parameters
    ----------
    report : Report
        What to draw.
    line : tuple, optional
        ((y, x), (y, x)) in the scan's unit; `Report.line` by default.
    """
    line = line or report.line
    window = _window(report.full_mosaic)
    height, width = report.full_mosaic.mask[window].shape
    maps = 4.1 * min(max(height / width, 0.3), 1.6)
    with styled_figure(8.6, 4.6 + maps) as figure:
        grid = figure.add_gridspec(4, 3, height_ratios=[maps / 2, maps / 2, 2.1, 1.6])
        for row, channel in enumerate(CHANNELS):
            cells = [figure.add_subplot(grid[row, column]) for column in range(3)]
            _maps(cells, report, channel, window, line)
        _rings(figure.add_subplot(grid[2, 0]), report)
        _profile(figure.add_subplot(grid[2, 1]), report, line, "phase")
        _profile(figure.add_subplot(grid[2, 2]), report, line, "amplitude")
        _numbers(figure.add_subplot(grid[3, :]), report)
        figure.suptitle(f"{report.name}: PtychoNN and {report.reference}", x=0.01, ha="left")
        figure.supxlabel(_caption(report), fontsize=8, color="#444444")
        return figure


def _maps(cells: list[Axes], report: Report, channel: Channel, window: _WINDOW, line: Line) -> None:
    """Draw reconstruction, mosaic and difference of one channel."""
    pair = report.full_mosaic
    mask = pair.mask[window]
    predicted, wanted = (np.where(mask, a[window], np.nan) for a in pair.images(channel))
    difference = pair.difference(channel)[window]
    limits = Limits.of(wanted)
    most = float(np.nanpercentile(np.abs(difference), 99))
    show(cells[0], wanted, channel, limits)
    shown = show(cells[1], predicted, channel, limits)
    differing = show(cells[2], difference, "difference", Limits(low=-most, high=most))
    bar_beside(shown, cells[1], UNITS[channel])
    bar_beside(differing, cells[2], UNITS[channel].replace(channel, f"Δ {channel}"))
    compared = _compared(report)[window]
    for cell in cells:
        outline(cell, compared)
        _draw_line(cell, pair, line, window)
    if channel == CHANNELS[0]:
        for cell, title in zip(
            cells, (report.reference, "PtychoNN mosaic", "difference"), strict=True
        ):
            cell.set_title(title)
        scale_bar(cells[0], mask.shape[1], nanometres_of(pair.pixel_size[1], pair.unit))


def _rings(axes: Axes, report: Report) -> None:
    pair = report.comparison.aligned
    factor, unit = _per_length(pair.unit)
    for channel, colour in _COLOURS.items():
        rings = pair.rings(channel)
        label = f"{channel}: {rings.resolution}"
        axes.plot(rings.frequency * factor, rings.correlation, color=colour, label=label, lw=1.3)
        reached = rings.resolution.half_period
        if reached is not None and rings.resolution.reached == "crossing":
            axes.vlines(0.5 / reached * factor, -0.1, 1.0, color=colour, lw=0.8, ls=":")
    rings = pair.rings("phase")
    axes.plot(rings.frequency * factor, rings.threshold, "k--", lw=0.9, label="1/2 bit")
    axes.set_ylim(-0.1, 1.5)  # room for the legend above all curves
    axes.set_yticks([0, 0.5, 1])
    axes.set_xlim(0, None)
    axes.set_xlabel(f"spatial frequency, 1/{unit}")
    axes.set_title("Fourier ring correlation", loc="left")
    axes.legend(frameon=False, fontsize=7, loc="upper right")


def _profile(axes: Axes, report: Report, line: Line, channel: Channel) -> None:
    profile = report.full_mosaic.profile(line, channel)
    factor, unit = (1e6, "µm") if profile.unit == "m" else (1.0, "px")
    axes.plot(
        profile.distance * factor, profile.reference, color=GREY, lw=1.3, label=report.reference
    )
    axes.plot(profile.distance * factor, profile.predicted, color=ORANGE, lw=1.3, label="PtychoNN")
    axes.set_xlabel(f"along the line, {unit}")
    axes.set_title(f"Profile: {UNITS[channel]}", loc="left")
    axes.margins(x=0)
    if channel == "phase":
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.25 * (high - low))
        axes.legend(frameon=False, fontsize=7, loc="upper right")


def _numbers(axes: Axes, report: Report) -> None:
    """Draw the numbers as a table without lines."""
    numbers = report.comparison
    shot, lit, mosaic = numbers.single_shot, numbers.illuminated, numbers.mosaic
    head = ("", "phase MAE, rad", "corr.", "ampl. MAE", "corr.", "PSNR, dB", "SSIM", "resolution")
    pairs = (
        f"{mosaic.phase_psnr:.1f} / {mosaic.amplitude_psnr:.1f}",
        f"{mosaic.phase_ssim:.3f} / {mosaic.amplitude_ssim:.3f}",
        f"{mosaic.phase_resolution} / {mosaic.amplitude_resolution}",
    )
    rows = [
        (name, *(f"{value:.3f}" for value in values), *rest)
        for name, values, rest in (
            ("single shot", _four(shot), ("", "", "")),
            ("in the beam", _four(lit), ("", "", "")),
            ("mosaic", _four(mosaic), pairs),
        )
    ]
    constants = (
        "a constant",
        f"{shot.constant_phase_mae:.3f}",
        "0",
        f"{shot.constant_amplitude_mae:.3f}",
        *("0", "", "", ""),
    )
    axes.set_axis_off()
    widths = (0.13, 0.13, 0.09, 0.11, 0.09, 0.13, 0.15, 0.19)
    made = axes.table([head, *rows, constants], loc="center", edges="open", colWidths=widths)
    made.auto_set_font_size(False)
    made.set_fontsize(8)
    for (row, _), cell in made.get_celld().items():
        cell.set_text_props(color="#444444" if row == 0 else "black")


def _four(errors: Any) -> tuple[float, float, float, float]:
    return (
        errors.phase_mae,
        errors.phase_correlation,
        errors.amplitude_mae,
        errors.amplitude_correlation,
    )


def _caption(report: Report) -> str:
    which = {"held out": "the held-out frames", "frames": "the chosen frames", "all": "all frames"}
    caption = f"Numbers and rings: {which[report.selection]} ({report.comparison.frames})"
    caption += ", outlined in pink. " if report.selection != "all" else ". "
    caption += "PSNR, SSIM and resolution: phase / amplitude."
    return caption if report.speed is None else f"{caption}\n{report.speed.sentence}"


def _window(pair: AlignedImages) -> _WINDOW:
    """Return the part of the grid that is compared."""
    rows, columns = (np.flatnonzero(pair.mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _compared(report: Report) -> NDArray[np.bool_]:
    """Return the mask of the compared pixels on the grid of the full mosaic."""
    whole, part = report.full_mosaic, report.comparison.aligned
    offset = (np.asarray(part.origin) - np.asarray(whole.origin)) / np.asarray(whole.pixel_size)
    y, x = np.round(offset).astype(int)
    found = np.zeros_like(whole.mask)
    ny, nx = part.mask.shape
    found[y : y + ny, x : x + nx] = part.mask
    return found


def _draw_line(axes: Axes, pair: AlignedImages, line: Line, window: _WINDOW) -> None:
    ends = (np.asarray(line) - np.asarray(pair.origin)) / np.asarray(pair.pixel_size)
    rows, columns = (ends - [window[0].start, window[1].start]).T
    height, width = pair.mask[window].shape
    axes.plot(columns, rows, color="white", lw=1.0, path_effects=halo(2.0))
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _per_length(unit: Unit) -> tuple[float, str]:
    return (1e-6, "µm") if unit == "m" else (1.0, "px")
