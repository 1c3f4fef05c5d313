"""Predict: with which model, which frames; how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
)

from napari_ptychonn.app.session import Session
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.tasks.load import LoadTask
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels._panel import SessionPanel
from napari_ptychonn.widgets.task_controller import TaskController

if TYPE_CHECKING:
    from napari_ptychonn.tasks.events import PredictionProgress

Which = Literal["all frames", "held-out frames", "training region"]
MODELS = "Models (*.safetensors *.ptychonn);;All files (*)"


class PredictPanel(SessionPanel):
    """The model, the frames that it predicts, and the progress."""

    def __init__(self, session: Session, tasks: TaskController) -> None:
        super().__init__(session, tasks)
        layout = self._layout
        self.model = WrappedLabel()
        self.which = QComboBox()
        self.which.addItems(get_args(Which))
        self.which.setToolTip("Which frames are predicted and stitched.")
        self.progress = QProgressBar()
        self.progress.setFormat("frame %v of %m")
        layout.addWidget(self.model)
        layout.addWidget(self.which)
        layout.addLayout(self._buttons())
        layout.addWidget(self.progress)
        self.connections.add(session.model_changed, self.refresh)
        self.connections.add(session.prediction_progressed, self.show_progress)
        self.connections.add(session.task_finished, self._on_task_finished)
        self.connect_refresh()

    def refresh(self) -> None:
        """Show the model, and enable what can be pressed now."""
        session = self._session
        predicting = session.running == "predicting"
        ready = session.model is not None and session.scan is not None
        self.predict.setEnabled(ready and not session.running)
        self.load.setEnabled(not session.running)
        self.stop.setEnabled(predicting)
        self.progress.setVisible(predicting)
        self.progress.setRange(0, 1)  # without end, it would be redrawn all the time
        self.model.setText(self._description())

    def show_progress(self, progress: PredictionProgress) -> None:
        """Show how many frames are predicted."""
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)

    def run(self) -> None:
        """Predict the frames chosen; nothing happens while something runs already."""
        session = self._session
        if session.scan is not None and session.model is not None:
            self._tasks.start(
                PredictTask(
                    scan=session.scan,
                    model=session.model,
                    reconstruction=session.reconstruction,
                    indices=self.indices(),
                    device=session.device,
                )
            )

    def _on_task_finished(self, activity: str, reason: str) -> None:
        """Predict with the model that a training has just ended with."""
        if activity == "training" and not reason and self._session.losses:
            self.run()

    def indices(self) -> NDArray[np.int64] | None:
        """The frames asked for; None for all."""
        region = self._session.region
        which = self.which.currentText()
        if region is None or which == "all frames":
            return None
        if which == "held-out frames":
            return region.held_out
        return np.sort(np.concatenate([region.train, region.validation, region.gap]))

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.predict = QPushButton("Predict")
        self.predict.setToolTip("One frame in, one patch out; then the mosaic of them all.")
        self.stop = QPushButton("Stop")
        self.load = QPushButton("Load…")
        self.predict.clicked.connect(self._on_predict)
        self.stop.clicked.connect(self._on_stop)
        self.load.setToolTip("Use a model that was saved before.")
        self.load.clicked.connect(self._on_load)
        for button in (self.predict, self.stop, self.load):
            row.addWidget(button)
        return row

    def _on_predict(self) -> None:
        self.run()

    def _on_stop(self) -> None:
        self._tasks.stop()

    def _on_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load a model", "", MODELS)
        if path:
            self._tasks.start(LoadTask(path=path))

    def _description(self) -> str:
        model = self._session.model
        if model is None:
            return "No model yet: train one, or load one."
        origin = str(model.provenance.get("scan", "a scan"))
        epochs = f", {format_count(len(model.history), 'epoch')}" if model.history else ""
        py, px = model.patch_shape
        return f"Model trained on {origin}{epochs} · patches of {py}×{px} px"
