"""Takes what files hold into the session, and maps their datasets by hand where need be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_ptychonn.app import autosave
from napari_ptychonn.app.session import AutosavedModel, Session
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.location import Location
from napari_ptychonn.tasks.load import LoadTask
from napari_ptychonn.viewer.layers import OPENED
from napari_ptychonn.widgets.canvas.viewer_controller import ViewerController
from napari_ptychonn.widgets.common.connections import Connections
from napari_ptychonn.widgets.task_controller import TaskController

if TYPE_CHECKING:
    from napari_ptychonn.data.reconstruction import Reconstruction
    from napari_ptychonn.data.scan import Scan
    from napari_ptychonn.io.layouts.layout import Layout
    from napari_ptychonn.tasks.events import Loaded, NotRecognised
    from napari_ptychonn.widgets.import_dialog.dialog import ImportDialog


class FileController:
    """Opens files, dropped ones too, and shows the import dialog.

    Parameters
    ----------
    session : Session
        Takes scans, reconstructions, results and models.
    tasks : TaskController
        Opens files in the background.
    canvas : ViewerController
        Shows a result without its scan.
    parent : QWidget
        The dock, whose window the dialog belongs to.
    """

    def __init__(
        self, session: Session, tasks: TaskController, canvas: ViewerController, parent: QWidget
    ) -> None:
        self._session, self._tasks, self._canvas = session, tasks, canvas
        self._parent = parent
        self.dialog: ImportDialog | None = None
        self._pending = QTimer(parent)
        self._pending.setSingleShot(True)
        self._pending.timeout.connect(self.take_dropped)
        self.connections = Connections()
        self.connections.add(canvas.viewer.layers.events.inserted, self._on_inserted)
        self.connections.add(session.file_loaded, self.take)
        self.connections.add(session.file_not_recognised, self.complete)
        self._pending.start(0)

    def open(self, path: str) -> None:
        """Open a file of any kind that this plugin reads, in the background."""
        self._tasks.start(LoadTask(path=path))

    # -- contents of files -----------------------------------------------------------------

    def take_dropped(self) -> None:
        """Take what this plugin's reader put into the viewer, before or after the dock."""
        layers = self._canvas.viewer.layers
        found = [layer for layer in layers if OPENED in layer.metadata]
        loaded = {id(layer.metadata[OPENED]): layer.metadata[OPENED] for layer in found}
        if not found:
            return
        with layers.batched_update():
            for layer in found:
                layers.remove(layer)
        for each in loaded.values():
            self.take(each)

    def take(self, loaded: Loaded) -> None:
        """Take what a file holds into the session."""
        session = self._session
        if loaded.scan is not None:
            self._take_scan(loaded, loaded.scan)
        elif loaded.reconstruction is not None:
            self._take_reconstruction(loaded.reconstruction)
        if loaded.model is not None:
            session.set_model(loaded.model)
            if loaded.path.parent == autosave.folder():
                session.autosaved = AutosavedModel(path=loaded.path, model=loaded.model)
        if loaded.result is not None:
            self._take_result(loaded)

    def _take_scan(self, loaded: Loaded, scan: Scan) -> None:
        self._tasks.stop()
        try:
            self._session.load_scan(
                scan,
                loaded.reconstruction_names,
                loaded.layout,
                loaded.path,
                loaded.positions_source,
                loaded.reconstruction,
            )
        except InputError as error:
            show_error(str(error))

    def _take_reconstruction(self, reconstruction: Reconstruction) -> None:
        if self._session.scan is None:
            show_info(f"{reconstruction.name} is opened; now open the scan that it belongs to.")
            return
        try:
            self._session.choose_reconstruction(reconstruction)
        except InputError as error:
            show_error(str(error))

    def _take_result(self, loaded: Loaded) -> None:
        result, scan = loaded.result, self._session.scan
        assert result is not None
        if scan is None:
            show_info("The result is opened; open its scan to see it frame by frame.")
            self._canvas.show_alone(result)
            return
        if len(result.predictions) and result.predictions.indices.max() >= len(scan):
            show_error(f"{loaded.path.name} has predictions for more frames than {scan.name}.")
            return
        self._session.load_result(result)

    # -- the import dialog -----------------------------------------------------------------

    def complete(self, found: NotRecognised) -> None:
        """Map the datasets of a file by hand, unless all that is needed is there already."""
        if not found.has_reconstruction or self._session.scan is None:
            self.map_datasets(found.path, found.reason)

    def map_datasets(self, path: str | Path | None = None, reason: str = "") -> None:
        """Show the import dialog.

        Parameters
        ----------
        path : str or Path, optional
            The file; that of the scan by default.
        reason : str
            Why it could not be opened without the dialog.
        """
        from napari_ptychonn.widgets.import_dialog.dialog import ImportDialog

        scan = self._session.scan
        file = scan.source if scan is not None else None
        if path is not None:
            file = Location.parse(path).file
        if self._tasks.is_closed or file is None:
            return
        self._close_dialog()
        is_scan = scan is not None and scan.source == file
        dialog = ImportDialog(
            file,
            reason,
            self._session.layout if is_scan else None,
            self._session.positions_source if is_scan else None,
            str(self._canvas.viewer.theme),
            self._parent.window(),
        )
        dialog.chosen.connect(self._open_mapped)
        dialog.finished.connect(self._forget_dialog)
        self.dialog = dialog
        dialog.show()

    def _open_mapped(self, layout: Layout, remember: bool, positions: str | None) -> None:
        dialog = self.dialog
        if dialog is None:
            return
        task = LoadTask(
            path=str(dialog.file), layout=layout, positions=positions, save_layout=remember
        )
        if self._tasks.start(task):
            self._close_dialog()
        else:
            dialog.say(f"PtychoNN is {self._session.running}; stop it first.")

    def _close_dialog(self) -> None:
        if self.dialog is not None:
            self.dialog.reject()

    def _forget_dialog(self) -> None:
        self.dialog = None

    def _on_inserted(self, event: Any) -> None:
        if OPENED in event.value.metadata:
            self._pending.start(0)

    def close(self) -> None:
        """Close the dialog and take no more files."""
        self._close_dialog()
        self.connections.release()
