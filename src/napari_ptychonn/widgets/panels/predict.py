"""Predict: with which model, which frames; how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ptychonn.app.session import Session
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel

if TYPE_CHECKING:
    from napari_ptychonn.tasks.jobs import Progress

Which = Literal["all frames", "held-out frames", "training region"]
MODELS = "Models (*.safetensors *.ptychonn);;All files (*)"


class PredictPanel(QWidget):
    """Signals say what the user asked for; slots show what the session says."""

    predict_requested = Signal()
    stop_requested = Signal()
    model_requested = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
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
        self.refresh()

    def refresh(self) -> None:
        """Say which model there is and enable what can be pressed now."""
        session = self._session
        predicting = session.running == "predicting"
        ready = session.model is not None and session.scan is not None
        self.predict.setEnabled(ready and not session.running)
        self.load.setEnabled(not session.running)
        self.stop.setEnabled(predicting)
        self.progress.setVisible(predicting)
        self.progress.setRange(0, 1)  # without end, it would be redrawn all the time
        self.model.setText(self._description())

    def show_progress(self, progress: Progress) -> None:
        """Show how far it is."""
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)

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
        self.predict_requested.emit()

    def _on_stop(self) -> None:
        self.stop_requested.emit()

    def _on_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load a model", "", MODELS)
        if path:
            self.model_requested.emit(path)

    def _description(self) -> str:
        model = self._session.model
        if model is None:
            return "No model yet: train one, or load one."
        origin = model.provenance.get("scan", "a scan")
        epochs = f", {len(model.history)} epochs" if model.history else ""
        py, px = model.patch_shape
        return f"Model trained on {origin}{epochs} · patches of {py}×{px} px"
