"""The dock "PtychoNN": sections that follow the work from top to bottom.

The dock builds the session, its controllers and its panels, which connect
themselves.  Hiding it changes nothing.  Closing it, or the window, ends what
runs within one batch; a model that was not saved is autosaved, and the layers
stay as pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptychonn.app import autosave
from napari_ptychonn.app.session import Session
from napari_ptychonn.compute.openmp import wait_passively
from napari_ptychonn.widgets.canvas.viewer_controller import ViewerController
from napari_ptychonn.widgets.common.activity_spinner import pause_spinner
from napari_ptychonn.widgets.common.connections import Connections
from napari_ptychonn.widgets.common.scroll_column import ScrollColumn
from napari_ptychonn.widgets.common.section import Section
from napari_ptychonn.widgets.file_controller import FileController
from napari_ptychonn.widgets.panels.autosave_banner import AutosaveBanner
from napari_ptychonn.widgets.panels.compare import ComparePanel
from napari_ptychonn.widgets.panels.predict import PredictPanel
from napari_ptychonn.widgets.panels.reconstruct import ReconstructPanel
from napari_ptychonn.widgets.panels.region import RegionPanel
from napari_ptychonn.widgets.panels.save import SavePanel
from napari_ptychonn.widgets.panels.scan import ScanPanel
from napari_ptychonn.widgets.panels.studies import StudiesPanel
from napari_ptychonn.widgets.panels.train import TrainPanel
from napari_ptychonn.widgets.task_controller import TaskController

if TYPE_CHECKING:
    import napari.viewer

    from napari_ptychonn.app.autosave import Autosave
    from napari_ptychonn.tasks.events import Loaded, NotRecognised


class PtychoNNDock(QWidget):
    """Scan, Training region, Reconstruct, Train, Predict, Compare, Studies, Save.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers show the session.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        wait_passively()  # before anything imports torch
        theme = str(viewer.theme)
        self.viewer = viewer
        self.session = session = Session()
        self.tasks = tasks = TaskController(session)
        self.views = ViewerController(viewer, session)
        self.files = FileController(session, tasks, self.views, self)
        self.autosave_banner = AutosaveBanner()
        self.scan_panel = ScanPanel(session, tasks)
        self.region_panel = RegionPanel(session, tasks, self.views)
        self.reconstruct_panel = ReconstructPanel(session, tasks, theme)
        self.train_panel = TrainPanel(session, tasks, theme)
        self.predict_panel = PredictPanel(session, tasks)
        self.compare_panel = ComparePanel(session, tasks, self.views, theme)
        self.studies_panel = StudiesPanel(session, tasks, self.reconstruct_panel, self.train_panel)
        self.save_panel = SavePanel(session, tasks)
        self._panels = (
            self.scan_panel,
            self.region_panel,
            self.reconstruct_panel,
            self.train_panel,
            self.predict_panel,
            self.compare_panel,
            self.studies_panel,
            self.save_panel,
        )
        self._lay_out()
        self._read_preferences()
        self._connections = Connections()
        for signal, slot in (
            (viewer.events.theme, self._on_theme),
            (self.autosave_banner.use_requested, self._use_autosave),
            (self.scan_panel.mapping_requested, self.files.map_datasets),
            (session.scan_loaded, self._on_scan),
            (session.reconstruction_chosen, self._on_scan),
            (session.running_changed, self._pause_spinner),
            (session.epoch_finished, self._on_epoch),
            (session.iteration_finished, self._on_iteration),
        ):
            self._connections.add(signal, slot)
        # Not the bound method itself: Qt drops the slots of an object that it destroys.
        self.destroyed.connect(lambda: self.disconnect_all())  # noqa: PLW0108

    def open(self, path: str) -> None:
        """Open a file of any kind that this plugin reads, in the background."""
        self.files.open(path)

    def take(self, loaded: Loaded) -> None:
        """Take what a file holds into the session."""
        self.files.take(loaded)

    def complete(self, found: NotRecognised) -> None:
        """Map the datasets of a file that is not recognised by hand."""
        self.files.complete(found)

    def disconnect_all(self) -> None:
        """End what runs and disconnect everything; the dock is closing."""
        if self.tasks.is_closed:
            return
        self.tasks.close()
        self.files.close()
        if self.session.unsaved and self.session.model is not None:
            autosave.keep(self.session.model)
            self.session.mark_saved(self.session.model)
        for part in self._panels:
            part.connections.release()
        self._connections.release()
        self.views.close()

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes the widget out of its dock: the user closed it for good."""
        moved = event is not None and event.type() == QEvent.Type.ParentChange
        if moved and self.parent() is None and not self.tasks.is_closed:
            self.disconnect_all()
            self.deleteLater()
        return bool(super().event(event))

    # -- inside ----------------------------------------------------------------------------

    def _use_autosave(self, autosaved: Autosave) -> None:
        self.open(str(autosaved.path))

    def _on_theme(self, event: Any) -> None:
        for panel in self._panels:
            panel.set_theme(str(event.value))

    def _on_scan(self) -> None:
        # What a scan that comes with a reconstruction does not need is folded away.
        if not self.session.running:
            self.reconstruct_section.heading.setChecked(self.session.reconstruction is None)

    def _on_epoch(self, _epoch: Any) -> None:
        self._pause_spinner()
        if len(self.session.losses) == 1:  # a curve begins
            self._column.reveal(self.train_panel.state)

    def _on_iteration(self, _iteration: Any) -> None:
        self._pause_spinner()
        if len(self.session.errors) == 1:
            self._column.reveal(self.reconstruct_panel.state)

    def _pause_spinner(self, _activity: str = "") -> None:
        window = self.window()
        if window is not None:
            pause_spinner(window)

    def _read_preferences(self) -> None:
        from napari.settings import get_plugin_settings

        try:
            training: Any = get_plugin_settings("napari-ptychonn").training
        except KeyError:  # the class is used from a script, without the plugin being installed
            return
        self.train_panel.prefer(training.preset, training.device)

    def _lay_out(self) -> None:
        self.reconstruct_section = Section("Reconstruct", self.reconstruct_panel, expanded=False)
        self.studies_section = Section("Studies", self.studies_panel, expanded=False)
        self._column = ScrollColumn(
            self.autosave_banner,
            Section("Scan", self.scan_panel),
            Section("Training region", self.region_panel),
            self.reconstruct_section,
            Section("Train", self.train_panel),
            Section("Predict", self.predict_panel),
            Section("Compare", self.compare_panel),
            self.studies_section,
            Section("Save", self.save_panel),
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._column)
