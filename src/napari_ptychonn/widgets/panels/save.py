"""Save: the model, and the result in a file that other ptychography programs open."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ptychonn.app.session import Session
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel

OTHER_FORMS = (
    "CXI (*.cxi);;NeXus (*.nxs);;ptypy (*.ptyr);;NumPy, for ptychodus (*.npz);;"
    "Amplitude and phase images (*.tiff)"
)


class SavePanel(QWidget):
    """Asks for a path and says what was written."""

    reconstruction_save_requested = Signal(str)
    model_save_requested = Signal(str)
    result_save_requested = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        row = QHBoxLayout()
        self.reconstruction = QPushButton("Save reconstruction…")
        self.reconstruction.setToolTip(
            "Object, probe and positions in one HDF5 file that ptychodus opens too."
        )
        self.model = QPushButton("Save model…")
        self.model.setToolTip("The network and all it needs, in one safetensors file.")
        self.result = QPushButton("Save result…")
        self.result.setToolTip(
            "Predictions and mosaic in one HDF5 file that ptychodus opens too; or the mosaic alone "
            "for other programs."
        )
        self.reconstruction.clicked.connect(self._on_reconstruction)
        self.model.clicked.connect(self._on_model)
        self.result.clicked.connect(self._on_result)
        row.addWidget(self.model)
        row.addWidget(self.result)
        self.said = WrappedLabel()
        layout.addWidget(self.reconstruction)
        layout.addLayout(row)
        layout.addWidget(self.said)
        self.refresh()

    def refresh(self) -> None:
        """Enable what there is to save."""
        self.reconstruction.setEnabled(self._session.reconstruction is not None)
        self.model.setEnabled(self._session.model is not None)
        self.result.setEnabled(self._session.result is not None)

    def say(self, text: str) -> None:
        """Tell what was written."""
        self.said.setText(text)

    def _on_reconstruction(self) -> None:
        kinds = f"Reconstruction (*.h5);;{OTHER_FORMS}"
        if path := self._ask("Save the reconstruction", "reconstruction.h5", kinds):
            self.reconstruction_save_requested.emit(path)

    def _on_model(self) -> None:
        if path := self._ask("Save the model", "model.safetensors", "Model (*.safetensors)"):
            self.model_save_requested.emit(path)

    def _on_result(self) -> None:
        if path := self._ask("Save the result", "result.h5", f"Result (*.h5);;{OTHER_FORMS}"):
            self.result_save_requested.emit(path)

    def _ask(self, title: str, name: str, kinds: str) -> str:
        path, _ = QFileDialog.getSaveFileName(self, title, name, f"{kinds};;All files (*)")
        return path
