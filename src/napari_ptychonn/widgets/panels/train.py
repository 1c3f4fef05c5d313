"""Train: preset, options, device; how it goes; stop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_ptychonn.app.session import Session
from napari_ptychonn.network.options import PRESETS, NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.pretraining import Pretraining
from napari_ptychonn.tasks.train import PretrainTask, TrainTask
from napari_ptychonn.widgets.common.options_form import OptionsForm
from napari_ptychonn.widgets.common.section import Section
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels._panel import SessionPanel
from napari_ptychonn.widgets.task_controller import TaskController

if TYPE_CHECKING:
    from napari_ptychonn.network.training.epochs import Epoch
    from napari_ptychonn.widgets.plots.loss_plot import LossPlot

MAIN_FIELDS = ("steps", "epochs", "batch_size", "learning_rate")
DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
Labels = Literal["reconstruction", "simulated samples"]
"""Where the labels come from."""

PRETRAINING_FIELDS = ("phase", "amplitude", "points")

Place = Literal["in napari", "in its own process", "in several processes"]
"""Where the training runs."""

SEVERAL = 2
"""Processes proposed when there are to be several."""

REDRAW_MS = 150
"""The loss curve is drawn at most so often, however short the epochs are."""


class TrainPanel(SessionPanel):
    """Options, progress and loss curve of a training."""

    def __init__(self, session: Session, tasks: TaskController, theme: str) -> None:
        super().__init__(session, tasks)
        self._theme = theme
        self.options = OptionsForm(TrainingOptions)
        self.network = OptionsForm(NetworkOptions)
        self.pretraining = OptionsForm(Pretraining)
        self.plot: LossPlot | None = None
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(REDRAW_MS)
        self._redraw.timeout.connect(self._draw)
        self._latest: Epoch | None = None
        self._messages: list[str] = []
        self._failure = ""
        self._build()
        for signal, slot in (
            (session.scan_loaded, self.forget),
            (session.region_chosen, self.refresh),
            (session.epoch_finished, self.show_epoch),
            (session.model_changed, self._on_model),
            (session.task_finished, self._on_task_finished),
        ):
            self.connections.add(signal, slot)
        self.connect_refresh()

    def refresh(self) -> None:
        """Enable what can be pressed now."""
        session = self._session
        training = session.running == "training"
        ready = not self._missing()
        self.train.setEnabled(ready and not session.running)
        self.resume.setEnabled(ready and not session.running and session.model is not None)
        self.stop.setEnabled(training)
        self.progress.setVisible(training)
        self.train.setToolTip(self._what_is_missing())
        if training:
            self.progress.setRange(0, 1)  # without end, it would be redrawn all the time
            self._messages, self._latest, self._failure = [], None, ""
            self.state.setText(self._beginning())
            self._show_plot()
        else:
            self._draw()

    def prefer(self, preset: str, device: str) -> None:
        """Start from what the Preferences say."""
        self.preset.setCurrentText(preset)
        self.device.setCurrentText(device)

    @property
    def pretrains(self) -> bool:
        """True if the labels are simulated samples."""
        return self.labels.currentText() == "simulated samples"

    def processes(self) -> int:
        """Processes of their own that are to train; 0 for none."""
        place = self.place.currentText()
        if place == "in napari":
            return 0
        return self.several.value() if place == "in several processes" else 1

    def show_epoch(self, epoch: Epoch) -> None:
        """Take an epoch; it is drawn a moment later."""
        self._latest = epoch
        self._messages = [*self._messages, *epoch.messages][-4:]
        if not self._redraw.isActive():
            self._redraw.start()

    def show_failure(self, sentence: str) -> None:
        """Say why the training ended, and what is left of it."""
        self._failure = f"{sentence[:1].upper()}{sentence[1:]}"
        self.state.setText(self._failure)

    def forget(self) -> None:
        """Another scan is loaded: the last training is no longer what is on screen."""
        self._messages, self._latest, self._failure = [], None, ""
        self.state.setText("")
        if self.plot is not None:
            self.plot.show_losses([])

    def set_theme(self, theme: str) -> None:
        """Take the colours of another napari theme."""
        self._theme = theme
        if self.plot is not None:
            self.plot.set_theme(theme)

    # -- inside ----------------------------------------------------------------------------

    def _build(self) -> None:
        self.preset = QComboBox()
        self.preset.addItems(PRESETS)
        self.preset.setToolTip(
            "default: trains from a few hundred frames. paper, paper-keras: as published in 2020."
        )
        self.preset.currentTextChanged.connect(self._on_preset)
        self.device = QComboBox()
        self.device.addItems(DEVICES)
        self.device.currentTextChanged.connect(self._on_device)
        self.device.setToolTip("auto takes a GPU where there is one; the reason is shown below.")
        self.labels = QComboBox()
        self.labels.addItems(get_args(Labels))
        self.labels.setToolTip(
            "Simulated samples need only the probe: a network is ready before this sample is "
            "reconstructed. Continue then trains it with the reconstruction."
        )
        self.made_up = self.pretraining.rows(PRETRAINING_FIELDS)
        self.made_up.setVisible(False)
        self.labels.currentTextChanged.connect(self._on_labels)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(3)
        form.addRow("Labels", self.labels)
        form.addRow("Preset", self.preset)
        form.addRow("Device", self.device)
        form.addRow("Run", self._places())
        self._layout.addLayout(form)
        self._layout.addWidget(self.made_up)
        self._layout.addWidget(self.options.rows(MAIN_FIELDS))
        self._layout.addWidget(self._advanced())
        self._layout.addLayout(self._buttons())
        self.progress = QProgressBar()
        self.progress.setFormat("epoch %v of %m")
        self.state = WrappedLabel()
        self._layout.addWidget(self.progress)
        self._layout.addWidget(self.state)

    def _places(self) -> QWidget:
        self.place, self.several = QComboBox(), QSpinBox()
        self.place.addItems(get_args(Place))
        self.place.setToolTip(
            "A process of its own leaves the window free, and a crash there does no harm here. "
            "Several share every batch: one GPU each, or the cores of the processor."
        )
        self.several.setRange(2, 64)
        self.several.setValue(SEVERAL)
        self.several.setToolTip("How many processes train together.")
        self.several.setVisible(False)
        self.place.currentTextChanged.connect(self._on_place)
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.place, 1)
        layout.addWidget(self.several)
        return row

    def _advanced(self) -> QWidget:
        return Section(
            "More options",
            self.options.rows(leave_out=MAIN_FIELDS),
            self.network.rows(),
            expanded=False,
        )

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.train = QPushButton("Train")
        self.resume = QPushButton("Continue")
        self.resume.setToolTip("Train the present model further.")
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop after this batch and keep the best model so far.")
        self.train.clicked.connect(self._on_train)
        self.resume.clicked.connect(self._on_continue)
        self.stop.clicked.connect(self._on_stop)
        for button in (self.train, self.resume, self.stop):
            row.addWidget(button)
        return row

    def run(self, *, resume: bool = False) -> None:
        """Start or continue a training; nothing happens while something runs already."""
        if self._missing():
            show_error(self.train.toolTip())
            return
        self._tasks.try_start(lambda: self.task(resume=resume))

    def task(self, *, resume: bool = False) -> TrainTask | PretrainTask:
        """Make the task that the form describes.

        Raises
        ------
        InputError
            When the options do not go together.
        """
        session = self._session
        assert session.scan is not None
        common: dict[str, Any] = {
            "scan": session.scan,
            "reconstruction": session.reconstruction,
            "training": self.options.value,
            "network": None if resume else self.network.value,
            "device": session.device,
            "resume": session.model if resume else None,
            "processes": self.processes(),
            "shown_point": lambda: session.point,
        }
        if self.pretrains:
            pretraining = replace(self.pretraining.value, seed=self.options.value.seed)
            return PretrainTask(pretraining=pretraining, **common)
        assert session.region is not None
        return TrainTask(region=session.region, **common)

    def _on_task_finished(self, activity: str, reason: str) -> None:
        if activity == "training" and reason:
            self.show_failure(reason)

    def _on_model(self) -> None:
        if not self._session.running:
            self.refresh()

    def _on_device(self, device: str) -> None:
        self._session.device = device

    def _on_train(self) -> None:
        self.run()

    def _on_continue(self) -> None:
        self.run(resume=True)

    def _on_stop(self) -> None:
        self._tasks.stop()

    def _on_labels(self, _labels: str) -> None:
        self.made_up.setVisible(self.pretrains)
        if not self._session.running:
            self.refresh()

    def _on_place(self, place: str) -> None:
        self.several.setVisible(place == "in several processes")

    def _on_preset(self, name: str) -> None:
        if name in PRESETS:
            self.options.value = TrainingOptions.preset(name)
            self.network.value = NetworkOptions.preset(name)

    def _beginning(self) -> str:
        """The state until the first epoch has ended."""
        first = "Simulating samples" if self.pretrains else "Reading frames and cutting labels"
        return f"{first}, for a process of its own…" if self.processes() else f"{first}…"

    def _missing(self) -> str:
        """What must be done before Train can be pressed; '' when nothing is missing."""
        session = self._session
        if session.scan is None:
            return "Open a scan first."
        if self.pretrains:
            probes = [session.scan.probe]
            if session.reconstruction is not None:
                probes.append(session.reconstruction.probe)
            if all(probe is None for probe in probes):
                return "Open a file with a probe, or reconstruct a few frames: the probe is needed."
            return ""
        if session.reconstruction is None:
            return "Choose a reconstruction, or make one above: it gives the labels."
        if session.region is None:
            return "Choose a training region first."
        return ""

    def _what_is_missing(self) -> str:
        if missing := self._missing():
            return missing
        if self.pretrains:
            return "Train on simulated samples with this probe, in the background."
        return "Train on the training region, in the background."

    def _show_plot(self) -> None:
        if self.plot is None:
            # Only now: importing pyqtgraph takes longer than opening the dock may.
            from napari_ptychonn.widgets.plots.loss_plot import LossPlot

            self.plot = LossPlot(self._theme)
            self._layout.insertWidget(self._layout.indexOf(self.state), self.plot)
        self.plot.show_losses([])

    def _draw(self) -> None:
        epoch = self._latest
        if epoch is None:
            return
        if self.plot is not None:
            self.plot.show_losses(self._session.losses)
        if self._session.running == "training":
            self.progress.setRange(0, epoch.total)
            self.progress.setValue(epoch.number)
        self.state.setText("\n".join([self._failure or self._summary(epoch), *self._messages]))

    def _summary(self, epoch: Epoch) -> str:
        parts = [f"Epoch {epoch.number} of {epoch.total}"]
        if self._session.running == "training":
            parts.append(f"{duration(epoch.remaining)} left")
        else:
            parts.append(f"{duration(epoch.seconds)}")
        if epoch.phase_loss is not None:
            parts.append(f"validation error of phase {epoch.phase_loss:.3f} rad")
        return " · ".join(parts)


def duration(seconds: float) -> str:
    """Seconds for a person: '42 s', '3 min 20 s', '2 h 5 min'."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
