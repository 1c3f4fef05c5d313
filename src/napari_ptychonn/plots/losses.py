"""Draw the loss curve of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ptychonn.plots.style import BLUE, ORANGE, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_losses(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw training and validation loss, and the validation error of each channel.

    Parameters
    ----------
    history : sequence of dict
        `TrainedModel.history`.
    """
    with styled_figure(7.2, 2.9) as figure:
        loss, error = figure.subplots(1, 2)
        _curve(loss, history, "train_loss", BLUE, "training")
        _curve(loss, history, "validation_loss", ORANGE, "validation")
        _mark_best(loss, history)
        loss.set_title("What is minimised", loc="left")
        loss.set_ylabel("mean absolute error, scaled")
        _curve(error, history, "phase_loss", ORANGE, "phase, rad")
        _curve(error, history, "amplitude_loss", "#555555", "amplitude")
        error.set_title("Validation frames, by channel", loc="left")
        error.set_ylabel("mean absolute error")
        for axes in (loss, error):
            _finish_curves(axes)
        return figure


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
    axes.plot(number, loss, "o", color=ORANGE, markersize=5, zorder=3, label=label)


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
