"""Save: the model, and the result in a file that other ptychography programs open."""

from __future__ import annotations

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton

from napari_ptychonn.app import autosave
from napari_ptychonn.app.session import Session
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels._panel import SessionPanel
from napari_ptychonn.widgets.task_controller import TaskController

OTHER_FORMS = (
    "CXI (*.cxi);;NeXus (*.nxs);;ptypy (*.ptyr);;NumPy, for ptychodus (*.npz);;"
    "Amplitude and phase images (*.tiff)"
)


class SavePanel(SessionPanel):
    """Buttons that save reconstruction, model and result in the background."""

    def __init__(self, session: Session, tasks: TaskController) -> None:
        super().__init__(session, tasks)
        layout = self._layout
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
        self.connections.add(session.result_changed, self.refresh)
        self.connections.add(session.model_changed, self._on_model_changed)
        self.connect_refresh()

    def refresh(self) -> None:
        """Enable what there is to save."""
        self.reconstruction.setEnabled(self._session.reconstruction is not None)
        self.model.setEnabled(self._session.model is not None)
        self.result.setEnabled(self._session.result is not None)

    def say(self, text: str) -> None:
        """Show which file was written."""
        self.said.setText(text)

    def save_reconstruction(self, path: str) -> None:
        """Write the object, its probe and its positions."""
        # Imported here: h5py would slow down the opening of the dock.
        from napari_ptychonn.io import write_reconstruction

        reconstruction = self._session.reconstruction
        if reconstruction is not None:
            self._tasks.save(
                "reconstruction",
                path,
                lambda file: write_reconstruction(file, reconstruction),
                self.say,
            )

    def save_model(self, path: str) -> None:
        """Write the model; an autosaved copy of it is then of no use."""
        model, autosaved = self._session.model, self._session.autosaved
        if model is None:
            return

        def write(file: str) -> None:
            model.save(file)
            if autosaved is not None and autosaved.model is model:
                autosave.drop(autosaved.path)

        self._tasks.save("model", path, write, self.say, lambda: self._session.mark_saved(model))

    def save_result(self, path: str) -> None:
        """Write predictions and mosaic, which may be gigabytes."""
        from napari_ptychonn.io import write_result

        result = self._session.result
        if result is not None:
            self._tasks.save("result", path, lambda file: write_result(file, result), self.say)

    def _on_model_changed(self) -> None:
        if not self._session.running:
            self.refresh()

    def _on_reconstruction(self) -> None:
        kinds = f"Reconstruction (*.h5);;{OTHER_FORMS}"
        if path := self._ask("Save the reconstruction", "reconstruction.h5", kinds):
            self.save_reconstruction(path)

    def _on_model(self) -> None:
        if path := self._ask("Save the model", "model.safetensors", "Model (*.safetensors)"):
            self.save_model(path)

    def _on_result(self) -> None:
        if path := self._ask("Save the result", "result.h5", f"Result (*.h5);;{OTHER_FORMS}"):
            self.save_result(path)

    def _ask(self, title: str, name: str, kinds: str) -> str:
        path, _ = QFileDialog.getSaveFileName(self, title, name, f"{kinds};;All files (*)")
        return path
