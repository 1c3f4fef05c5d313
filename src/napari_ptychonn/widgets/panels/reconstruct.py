"""Reconstruct: object and probe from the frames alone; how it goes; stop, go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from napari.utils.notifications import show_error
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ptychonn.app.session import Session
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.availability import why_not
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.tasks.reconstruct import ReconstructTask
from napari_ptychonn.widgets.common.options_form import OptionsForm
from napari_ptychonn.widgets.common.section import Section
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels._panel import SessionPanel
from napari_ptychonn.widgets.panels.train import REDRAW_MS, duration
from napari_ptychonn.widgets.task_controller import TaskController

if TYPE_CHECKING:
    from napari_ptychonn.data.reconstruction import Reconstruction
    from napari_ptychonn.reconstruction.iterations import Iteration
    from napari_ptychonn.widgets.plots.error_plot import ErrorPlot

Which = Literal["training region", "all frames"]
Beginning = Literal["a flat object", "the PtychoNN mosaic"]

MAIN_FIELDS = ("algorithm", "iterations", "modes", "position_correction")
ADVANCED_FIELDS = ("first_probe", "fixed_probe", "batch_size", "threads", "seed")


class ReconstructPanel(SessionPanel):
    """Options, progress and error curve of an iterative reconstruction."""

    def __init__(self, session: Session, tasks: TaskController, theme: str) -> None:
        super().__init__(session, tasks)
        self._theme = theme
        self.missing = why_not()
        self.options = OptionsForm(EngineOptions)
        self.plot: ErrorPlot | None = None
        self._latest: Iteration | None = None
        self._messages: list[str] = []
        self._failure = ""
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(REDRAW_MS)
        self._redraw.timeout.connect(self._draw)
        self._build()
        for signal, slot in (
            (session.scan_loaded, self.forget),
            (session.iteration_finished, self.show_iteration),
            (session.result_changed, self.refresh),
            (session.task_finished, self._on_task_finished),
        ):
            self.connections.add(signal, slot)
        self.connect_refresh()

    def refresh(self) -> None:
        """Enable what can be pressed now."""
        session = self._session
        running = session.running == "reconstructing"
        ready = session.scan is not None and not session.running and not self.missing
        self.form.setEnabled(not self.missing)
        self.reconstruct.setEnabled(ready)
        self.resume.setEnabled(ready and session.reconstruction is not None)
        self.stop.setEnabled(running)
        self.progress.setVisible(running)
        self.reconstruct.setToolTip(self._what_is_missing())
        self._offer_mosaic()
        if running:
            self.progress.setRange(0, 1)  # without end, it would be redrawn all the time
            self._messages, self._latest, self._failure = [], None, ""
            self.state.setText("Writing frames and starting pty-chi…")
            self._show_plot()
        else:
            self._draw()

    def show_iteration(self, iteration: Iteration) -> None:
        """Take an iteration; it is drawn a moment later."""
        self._latest = iteration
        self._messages = [*self._messages, *iteration.messages][-4:]
        if not self._redraw.isActive():
            self._redraw.start()

    def show_failure(self, sentence: str) -> None:
        """Say why the reconstruction ended, and what is left of it."""
        kept = self._latest
        left = (
            ""
            if kept is None
            else f" The object after {format_count(kept.number, 'iteration')} is kept."
        )
        self._failure = f"{sentence[:1].upper()}{sentence[1:]}{left}"
        self.state.setText(self._failure)

    def forget(self) -> None:
        """Another scan is loaded: the last reconstruction is no longer what is on screen."""
        self._messages, self._latest, self._failure = [], None, ""
        self.state.setText(self.missing)
        if self.plot is not None:
            self.plot.show_errors([])

    def set_theme(self, theme: str) -> None:
        """Take the colours of another napari theme."""
        self._theme = theme
        if self.plot is not None:
            self.plot.set_theme(theme)

    def run(self, *, resume: bool = False) -> None:
        """Start or continue a reconstruction; nothing happens while something runs already."""
        if self._session.scan is None or self.missing:
            show_error(self.reconstruct.toolTip())
            return
        self._tasks.try_start(lambda: self.task(resume=resume))

    def task(self, *, resume: bool = False) -> ReconstructTask:
        """Make the task that the form describes.

        Raises
        ------
        InputError
            When the options do not go together.
        """
        session = self._session
        assert session.scan is not None
        return ReconstructTask(
            scan=session.scan,
            options=self.options.value,
            indices=self.indices(),
            start=session.reconstruction if resume else self.start(),
            device=session.device,
        )

    def _on_task_finished(self, activity: str, reason: str) -> None:
        if activity != "reconstructing":
            return
        made = self._session.object_so_far
        if made is not None:
            try:
                self._session.choose_reconstruction(made)
            except InputError as error:
                show_error(str(error))
        if reason:
            self.show_failure(reason)

    def indices(self) -> NDArray[np.int64] | None:
        """The frames asked for; None for all."""
        region = self._session.region
        if region is None or self.which.currentText() == "all frames":
            return None
        return np.sort(np.concatenate([region.train, region.validation, region.gap]))

    def start(self) -> Reconstruction | None:
        """What a new reconstruction begins with; None for a flat object."""
        result = self._session.result
        if result is None or self.beginning.currentText() == "a flat object":
            return None
        return result.starting_point()

    # -- inside ----------------------------------------------------------------------------

    def _build(self) -> None:
        self.which, self.beginning = QComboBox(), QComboBox()
        self.which.addItems(get_args(Which))
        self.which.setToolTip(
            "Which frames are reconstructed: those of the training region, or all."
        )
        self.beginning.addItems(get_args(Beginning))
        self.beginning.setToolTip("The PtychoNN mosaic saves iterations, once there is a result.")
        self.form = QWidget()
        rows = QVBoxLayout(self.form)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(3)
        choices = QFormLayout()
        choices.setContentsMargins(0, 0, 0, 0)
        choices.setVerticalSpacing(3)
        choices.addRow("Frames", self.which)
        choices.addRow("Begin with", self.beginning)
        rows.addLayout(choices)
        rows.addWidget(self.options.rows(MAIN_FIELDS))
        rows.addWidget(Section("More options", self.options.rows(ADVANCED_FIELDS), expanded=False))
        self.progress = QProgressBar()
        self.progress.setFormat("iteration %v of %m")
        self.state = WrappedLabel(self.missing)
        self._layout.addWidget(self.form)
        self._layout.addLayout(self._buttons())
        self._layout.addWidget(self.progress)
        self._layout.addWidget(self.state)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.reconstruct = QPushButton("Reconstruct")
        self.resume = QPushButton("Continue")
        self.resume.setToolTip("Continue from the present reconstruction.")
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop within a second and keep the object as it is.")
        self.reconstruct.clicked.connect(self._on_reconstruct)
        self.resume.clicked.connect(self._on_continue)
        self.stop.clicked.connect(self._on_stop)
        for button in (self.reconstruct, self.resume, self.stop):
            row.addWidget(button)
        return row

    def _on_reconstruct(self) -> None:
        self.run()

    def _on_continue(self) -> None:
        self.run(resume=True)

    def _on_stop(self) -> None:
        self._tasks.stop()

    def _offer_mosaic(self) -> None:
        there = self._session.result is not None
        if not there:
            self.beginning.setCurrentText("a flat object")
        self.beginning.setEnabled(there)

    def _what_is_missing(self) -> str:
        if self.missing:
            return self.missing
        if self._session.scan is None:
            return "Open a scan first."
        return "Object and probe from the frames alone, by pty-chi, in the background."

    def _show_plot(self) -> None:
        if self.plot is None:
            # Only now: importing pyqtgraph takes longer than opening the dock may.
            from napari_ptychonn.widgets.plots.error_plot import ErrorPlot

            self.plot = ErrorPlot(self._theme)
            self._layout.insertWidget(self._layout.indexOf(self.state), self.plot)
        self.plot.show_errors([])

    def _draw(self) -> None:
        latest = self._latest
        if latest is None:
            return
        if self.plot is not None:
            self.plot.show_errors(self._session.errors)
        if self._session.running == "reconstructing":
            self.progress.setRange(0, latest.total)
            self.progress.setValue(latest.number)
        lines = [self._failure or self._summary(latest), *self._messages]
        self.state.setText("\n".join(lines))

    def _summary(self, latest: Iteration) -> str:
        parts = [f"Iteration {latest.number} of {latest.total}"]
        errors = self._session.errors
        if self._session.running == "reconstructing" and errors:
            each = latest.seconds / len(errors)
            parts.append(f"{duration(each * (latest.total - latest.number))} left")
        else:
            parts.append(duration(latest.seconds))
        if errors:
            parts.append(f"error {errors[-1].error:.3g}")
        return " · ".join(parts)
