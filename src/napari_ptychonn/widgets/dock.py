"""The dock "PtychoNN": eight sections that read top to bottom like the work.

The dock wires the session to panels, views and background jobs.  It holds no
state of its own but the job that runs.  Hiding the dock changes nothing.
Closing it, or the window, ends what runs within one batch and lets go of the
session; a model that was not saved is kept as a draft, and the layers stay as
pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptychonn.app import autosave as drafts
from napari_ptychonn.app.session import Session
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.sidecars import offers_job
from napari_ptychonn.plots import report_export as exports
from napari_ptychonn.reconstruction.iterations import Iteration
from napari_ptychonn.studies.writing import write_study
from napari_ptychonn.tasks import jobs
from napari_ptychonn.tasks import mapping as choosing
from napari_ptychonn.tasks.jobs import (
    ObjectPreview,
    Opened,
    Predicted,
    Preview,
    Progress,
    Unrecognised,
)
from napari_ptychonn.viewer.layers import OPENED
from napari_ptychonn.widgets.canvas.viewer_controller import ViewerController
from napari_ptychonn.widgets.common.activity_spinner import pause_spinner
from napari_ptychonn.widgets.common.scroll_column import ScrollColumn
from napari_ptychonn.widgets.common.section import Section
from napari_ptychonn.widgets.common.worker import Failure, Worker
from napari_ptychonn.widgets.panels.autosave_banner import AutosaveBanner
from napari_ptychonn.widgets.panels.compare import ComparePanel
from napari_ptychonn.widgets.panels.predict import PredictPanel
from napari_ptychonn.widgets.panels.reconstruct import ReconstructPanel
from napari_ptychonn.widgets.panels.region import RegionPanel
from napari_ptychonn.widgets.panels.save import SavePanel
from napari_ptychonn.widgets.panels.scan import ScanPanel
from napari_ptychonn.widgets.panels.studies import StudiesPanel
from napari_ptychonn.widgets.panels.train import TrainPanel

if TYPE_CHECKING:
    import napari.viewer

    from napari_ptychonn.app.autosave import Autosave
    from napari_ptychonn.io.layouts.layout import Layout
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.widgets.import_dialog.dialog import ImportDialog

log = logging.getLogger(__name__)


class PtychoNNDock(QWidget):
    """Scan, Training region, Reconstruct, Train, Predict, Compare, Studies, Save.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers show what the session holds.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.session = Session()
        self.views = ViewerController(viewer, self.session)
        self._worker: Worker | None = None
        self._comparison: Worker | None = None
        self._export: Worker | None = None
        self._search: Worker | None = None
        self._failed = ""
        self._closed = False
        self._draft: tuple[Path, TrainedModel] | None = None
        self.draft_offer = AutosaveBanner()
        self.dialog: ImportDialog | None = None
        self.scan_panel = ScanPanel(self.session)
        self.region_panel = RegionPanel(self.session, lambda: self.views.region_polygons)
        self.reconstruct_panel = ReconstructPanel(self.session, str(viewer.theme))
        self.train_panel = TrainPanel(self.session, str(viewer.theme))
        self.predict_panel = PredictPanel(self.session)
        self.compare_panel = ComparePanel(self.session, str(viewer.theme))
        self.studies_panel = StudiesPanel(self.session)
        self.save_panel = SavePanel(self.session)
        self._lay_out()
        self._take_preferences()
        self._adoption = QTimer(self)
        self._adoption.setSingleShot(True)
        self._adoption.timeout.connect(self.adopt_layers)
        self._connections = self._wiring()
        for signal, slot in self._connections:
            signal.connect(slot)
        # Not the bound method itself: Qt drops the slots of an object that it destroys.
        self.destroyed.connect(lambda: self.disconnect_all())  # noqa: PLW0108
        self._adoption.start(0)

    # -- what the user asks for ------------------------------------------------------------

    def open(self, path: str) -> None:
        """Open a file of any kind that this plugin understands, in the background."""
        self._run("opening", lambda should_stop: jobs.load_job(path, should_stop))

    def choose_datasets(self, path: str | Path | None = None, why: str = "") -> None:
        """Let the user say which dataset of a file is what.

        Parameters
        ----------
        path : str or Path, optional
            The file; that of the scan by default.
        why : str
            Why it could not be opened by itself.
        """
        from napari_ptychonn.io.location import Location
        from napari_ptychonn.widgets.import_dialog.dialog import ImportDialog

        scan = self.session.scan
        file = scan.source if scan is not None else None
        if path is not None:
            file = Location.parse(path).file
        if self._closed or file is None:
            return
        self._close_dialog()
        dialog = ImportDialog(
            file,
            why,
            self._layout_of(file),
            self._place_of(file),
            str(self.viewer.theme),
            self.window(),
        )
        dialog.chosen.connect(partial(self._open_chosen, file))
        dialog.finished.connect(self._forget_dialog)
        self.dialog = dialog
        dialog.show()

    def complete(self, found: Unrecognised) -> None:
        """Let the user say what is missing, unless all that was wanted is there."""
        if not found.partly or self.session.scan is None:
            self.choose_datasets(found.path, found.sentence)

    def _open_chosen(self, file: Path, layout: Layout, remember: bool, place: str | None) -> None:
        if self._run("opening", partial(choosing.open_job, file, layout, remember, place)):
            self._close_dialog()
        elif self.dialog is not None:
            self.dialog.say(f"Something is {self.session.running}; stop it first.")

    def _close_dialog(self) -> None:
        if self.dialog is not None:
            self.dialog.reject()

    def _forget_dialog(self) -> None:
        self.dialog = None

    def _layout_of(self, file: Path) -> Layout | None:
        """How a file was read, where that was chosen by hand."""
        return self.session.layout if self._is_scan(file) else None

    def _place_of(self, file: Path) -> str | None:
        """Where its positions are from, where that was chosen by hand."""
        return self.session.places if self._is_scan(file) else None

    def _is_scan(self, file: Path) -> bool:
        scan = self.session.scan
        return scan is not None and scan.source is not None and scan.source == file

    def read(self, crop: int | None, bin: int) -> None:
        """Start over with more or less of each frame."""
        self._try(lambda: self.session.read(crop, bin))

    def use_positions(self, path: str) -> None:
        """Open the scan once more with the positions of another file, in the background."""
        session = self.session
        if session.path is not None:
            self._run("opening", partial(jobs.positions_job, session.path, session.layout, path))

    def simulate(self) -> None:
        """Make the simulated scan, in the background."""
        self._run("opening", jobs.simulate_job)

    def reconstruct(self, resume: bool = False) -> None:
        """Start a reconstruction; nothing happens while something runs already."""
        session, panel = self.session, self.reconstruct_panel
        if session.scan is None or panel.missing:
            show_error(panel.reconstruct.toolTip())
            return
        try:
            options = panel.options.value
        except InputError as error:
            show_error(str(error))
            return
        self._run(
            "reconstructing",
            partial(
                jobs.reconstruct_job,
                session.scan,
                options,
                panel.indices(),
                session.reconstruction if resume else panel.start(),
                self.train_panel.device.currentText(),
            ),
        )

    def train(self, resume: bool = False) -> None:
        """Start a training; nothing happens while something runs already."""
        session, panel = self.session, self.train_panel
        try:
            learn = self._practice() if panel.practises else self._training()
            if learn is None:
                show_error(panel.train.toolTip())
                return
            options, network = panel.options.value, panel.network.value
        except InputError as error:
            show_error(str(error))
            return
        self._run(
            "training",
            partial(
                learn,
                options=options,
                network=None if resume else network,
                device=panel.device.currentText(),
                resume=session.model if resume else None,
                looked_at=lambda: session.point,
                processes=panel.processes(),
            ),
        )

    def _training(self) -> Callable[..., Any] | None:
        """The job that learns from the training region; None while something is missing."""
        session = self.session
        if session.scan is None or session.reconstruction is None or session.region is None:
            return None
        return partial(jobs.training_job, session.scan, session.reconstruction, session.region)

    def _practice(self) -> Callable[..., Any] | None:
        """The job that learns from made-up samples; None while something is missing."""
        session, panel = self.session, self.train_panel
        if session.scan is None:
            return None
        practice = replace(panel.practice.value, seed=panel.options.value.seed)
        return partial(jobs.practice_job, session.scan, session.reconstruction, practice)

    def predict(self) -> None:
        """Predict the frames that the panel names."""
        session = self.session
        if session.scan is None or session.model is None:
            return
        self._run(
            "predicting",
            partial(
                jobs.predict_job,
                session.scan,
                session.model,
                session.reconstruction,
                self.predict_panel.indices(),
                self.train_panel.device.currentText(),
            ),
        )

    def study(self) -> None:
        """Run the study that the panel names, with the options of the other sections."""
        train = self.train_panel
        try:
            job = self.studies_panel.job(
                self.reconstruct_panel.options.value,
                train.options.value,
                train.network.value,
                train.device.currentText(),
            )
        except InputError as error:
            show_error(str(error))
            return
        self._run("studying", job)

    def use_draft(self, draft: Autosave) -> None:
        """Go on with a model that was not saved last time, in the background."""
        self.open(str(draft.path))

    def stop(self) -> None:
        """End what runs; its best results so far are kept."""
        if self._worker is not None:
            self._worker.stop()

    def choose_reconstruction(self, path: str) -> None:
        """Read a reconstruction and put it under the scan."""
        from napari_ptychonn.io import read_reconstruction
        from napari_ptychonn.io.location import Location

        session, file = self.session, Location.parse(path).file
        layout = self._layout_of(file)
        place = self._place_of(file)
        self._try(
            lambda: session.choose_reconstruction(
                read_reconstruction(path, layout, positions=place)
            )
        )

    def save_reconstruction(self, path: str) -> None:
        """Write the object, its probe and its positions, in the background."""
        from napari_ptychonn.io import write_reconstruction

        made = self.session.reconstruction
        if made is not None:
            self._write(
                path, lambda: write_reconstruction(path, made), self.save_panel, "reconstruction"
            )

    def save_model(self, path: str) -> None:
        """Write the model."""
        model = self.session.model
        if model is not None and self._try(lambda: model.save(path)):
            self.session.model_saved()
            self.save_panel.say(f"Saved the model as {Path(path).name}.")
            if self._draft is not None and model is self._draft[1]:
                drafts.drop(self._draft[0])
                self._draft = None

    def save_result(self, path: str) -> None:
        """Write predictions and mosaic, in the background: they may be gigabytes."""
        from napari_ptychonn.io import write_result

        result = self.session.result
        if result is not None:
            self._write(path, lambda: write_result(path, result), self.save_panel, "result")

    def export(self, path: str) -> None:
        """Write the comparison as a figure or a table, by extension, in the background."""
        report, line = self.session.report, self.session.line
        if report is not None:
            write = partial(exports.write_report, path, report, line)
            self._write(path, write, self.compare_panel, "comparison")

    def save_study(self, path: str) -> None:
        """Write the study as a figure or a table, by extension, in the background."""
        study = self.studies_panel.study
        if study is not None:
            self._write(path, partial(write_study, path, study), self.studies_panel, "study")

    def always_open_here(self) -> None:
        """Let napari open .h5 and .hdf5 files with this plugin from now on."""
        from napari.settings import get_settings

        plugins = get_settings().plugins
        plugins.extension2reader = {
            **plugins.extension2reader,
            "*.h5": "napari-ptychonn",
            "*.hdf5": "napari-ptychonn",
        }
        show_info("From now on napari opens .h5 and .hdf5 files with PtychoNN.")

    # -- what was dropped ------------------------------------------------------------------

    def adopt_layers(self) -> None:
        """Take over what this plugin's reader put into the viewer, before or after the dock."""
        found = [layer for layer in self.viewer.layers if OPENED in layer.metadata]
        values = {id(layer.metadata[OPENED]): layer.metadata[OPENED] for layer in found}
        if not found:
            return
        with self.viewer.layers.batched_update():
            for layer in found:
                self.viewer.layers.remove(layer)
        for opened in values.values():
            self.adopt(opened)

    def adopt(self, opened: Opened) -> None:
        """Take over what a file held."""
        session = self.session
        if opened.scan is not None:
            self.stop()
            session.load_scan(opened.scan, opened.names, opened.layout, opened.path, opened.places)
        if opened.reconstruction is not None:
            self._adopt_reconstruction(opened)
        if opened.scan is not None:
            # What a scan that comes with a reconstruction does not need is folded away.
            self.reconstruct_section.heading.setChecked(session.reconstruction is None)
        if opened.model is not None:
            session.set_model(opened.model)
            if opened.path.parent == drafts.folder():
                self._draft = opened.path, opened.model
        if opened.result is not None:
            self._adopt_result(opened)

    def _adopt_reconstruction(self, opened: Opened) -> None:
        reconstruction = opened.reconstruction
        assert reconstruction is not None
        if self.session.scan is None:
            show_info(f"{reconstruction.name} is opened; now open the scan that it belongs to.")
            return
        self._try(lambda: self.session.choose_reconstruction(reconstruction))

    def _adopt_result(self, opened: Opened) -> None:
        result, session = opened.result, self.session
        assert result is not None
        if session.scan is None:
            show_info("The result is opened; open its scan to see it frame by frame.")
            self.views.show_alone(result)
            return
        if len(result.predictions) and result.predictions.indices.max() >= len(session.scan):
            show_error(
                f"{opened.path.name} has predictions for more frames than {session.scan.name}."
            )
            return
        session.set_result(result)
        self._compare()

    # -- background ------------------------------------------------------------------------

    def _run(self, name: str, job: Callable[..., Any]) -> bool:
        """Start a job; False while another one runs."""
        if self._closed or not self.session.begin(name):
            return False
        scan = self.session.scan
        self._worker = Worker(
            lambda should_stop: job(should_stop=should_stop),
            received=lambda value: self._receive(value, scan),
            ended=lambda: self._ended(name, scan),
        )
        self._worker.start()
        return True

    def _receive(self, value: Any, scan: Any) -> None:
        """Take one value of the running job; main thread."""
        if isinstance(value, Failure):
            self._fail(value.sentence)
        elif isinstance(value, Opened):
            self.adopt(value)
        elif isinstance(value, Unrecognised):
            self.complete(value)
        elif not self._is_current(scan):
            self._keep_model(value)
        elif self.session.running == "studying":
            self.studies_panel.show_value(value)
        elif isinstance(value, Iteration):
            self.session.record_iteration(value)
        elif isinstance(value, ObjectPreview):
            self.session.show_object()
        elif isinstance(value, Preview):
            self.session.show(value.predictions, value.mosaic)
        elif isinstance(value, Progress):
            self.predict_panel.show_progress(value)
            if value.predictions is not None:
                self.session.show(value.predictions, None)
        elif isinstance(value, Predicted):
            self.session.set_result(value.result, value.report)
        else:
            self.session.record(value)

    def _keep_model(self, value: Any) -> None:
        """Another scan was loaded meanwhile: its views are not for this job's pictures."""
        if hasattr(value, "best"):
            self.session.set_model(value.best, unsaved=True)

    def _is_current(self, scan: Any) -> bool:
        return self.session.scan is scan

    def _ended(self, name: str, scan: Any) -> None:
        self._worker = None
        failed = self._failed
        self._failed = ""
        self.session.end()
        if name == "reconstructing" and self._is_current(scan):
            self._keep_object()
            if failed:
                self.reconstruct_panel.show_failure(failed)
        elif failed and name == "studying":
            self.studies_panel.show_failure(failed)
        elif failed and name == "training":
            self.train_panel.show_failure(failed)
        elif name == "training" and self._is_current(scan) and self.session.losses:
            self.predict()

    def _keep_object(self) -> None:
        """Use what a reconstruction came to, however it ended."""
        made = self.session.object_so_far
        if made is not None:
            self._try(lambda: self.session.choose_reconstruction(made))

    def _fail(self, sentence: str) -> None:
        self._failed = sentence
        log.error(sentence)
        show_error(sentence)

    def _try(self, act: Callable[[], Any]) -> bool:
        """Do something that the user's input may not allow; True when it worked."""
        try:
            act()
        except InputError as error:
            show_error(str(error))
            return False
        return True

    def _compare(self) -> None:
        """Compare in the background, beside what else runs; only the latest wish counts."""
        result, reconstruction = self.session.result, self.session.reconstruction
        if self._comparison is not None:
            self._comparison.abandon()
            self._comparison = None
        if result is None or reconstruction is None:
            return
        self._comparison = Worker(
            lambda should_stop: jobs.compare_job(result, reconstruction, should_stop),
            received=self._receive_report,
            ended=self._end_comparison,
        )
        self._comparison.start()

    def _receive_report(self, value: Any) -> None:
        if isinstance(value, Failure):
            show_error(value.sentence)
        else:
            self.session.set_report(value)

    def _end_comparison(self) -> None:
        self._comparison = None

    def _look_beside(self) -> None:
        """Look for what goes with the scan in its folder, to offer it; the latest scan counts."""
        # The pixel of cropped frames is not that of what was made of whole ones.
        scan = self.session.whole
        if self._search is not None:
            self._search.abandon()
            self._search = None
        self.scan_panel.offers.show_offers(())
        if scan is None or scan.source is None:
            return
        self._search = Worker(
            lambda _should_stop: offers_job(scan),
            received=self._receive_offers,
            ended=self._end_search,
        )
        self._search.start()

    def _receive_offers(self, value: Any) -> None:
        if isinstance(value, Failure):
            log.warning("nothing is offered beside the scan: %s", value.sentence)
        else:
            self.scan_panel.offers.show_offers(value)

    def _end_search(self) -> None:
        self._search = None

    def _write(
        self,
        path: str,
        write: Callable[[], object],
        panel: SavePanel | ComparePanel | StudiesPanel,
        what: str,
    ) -> None:
        """Write a file beside what else runs, one at a time; the panel says when it is there."""
        if self._export is not None:
            show_error(
                f"The {what} is not saved: another file is being written. Save it after that."
            )
            return
        name = Path(path).name

        def job(_should_stop: Callable[[], bool]) -> Iterator[str]:
            write()
            yield f"Saved the {what} as {name}."

        def received(value: Any) -> None:
            if isinstance(value, Failure):
                panel.say("")
                show_error(value.sentence)
            else:
                panel.say(value)

        panel.say(f"Saving the {what} as {name}…")
        self._export = Worker(job, received=received, ended=self._end_export)
        self._export.start()

    def _end_export(self) -> None:
        self._export = None

    # -- wiring ----------------------------------------------------------------------------

    def _wiring(self) -> list[tuple[Any, Callable[..., Any]]]:
        """Every (signal, slot) pair: connected in one loop, disconnected in one loop."""
        session, region = self.session, self.region_panel
        return [
            (self.viewer.layers.events.inserted, self._on_inserted),
            (self.viewer.events.theme, self._on_theme),
            (self.draft_offer.use_requested, self.use_draft),
            (self.scan_panel.open_requested, self.open),
            (self.scan_panel.simulation_requested, self.simulate),
            (self.scan_panel.reconstruction_requested, self.choose_reconstruction),
            (self.scan_panel.always_open_requested, self.always_open_here),
            (self.scan_panel.mask_requested, session.mask_above),
            (self.scan_panel.reading_requested, self.read),
            (self.scan_panel.positions_requested, self.use_positions),
            (self.scan_panel.choose_requested, self.choose_datasets),
            (region.draw_requested, self.views.draw_region),
            (region.clear_requested, self._on_clear_drawing),
            (self.views.region_drawn, region.use_drawing),
            (self.reconstruct_panel.reconstruct_requested, self.reconstruct),
            (self.reconstruct_panel.stop_requested, self.stop),
            (self.train_panel.train_requested, self.train),
            (self.train_panel.stop_requested, self.stop),
            (self.predict_panel.predict_requested, self.predict),
            (self.predict_panel.stop_requested, self.stop),
            (self.predict_panel.model_requested, self.open),
            (self.studies_panel.study_requested, self.study),
            (self.studies_panel.stop_requested, self.stop),
            (self.studies_panel.save_requested, self.save_study),
            (self.save_panel.reconstruction_save_requested, self.save_reconstruction),
            (self.save_panel.model_save_requested, self.save_model),
            (self.save_panel.result_save_requested, self.save_result),
            (session.scan_loaded, self._on_scan),
            (session.mask_changed, self._on_mask),
            (session.reconstruction_chosen, self._on_reconstruction),
            (session.iteration_finished, self.reconstruct_panel.show_iteration),
            (session.iteration_finished, self._on_iteration),
            (session.iteration_finished, self._pause_spinner),
            (session.object_changed, self.views.show_object),
            (session.region_chosen, self._on_region),
            (session.point_moved, self.views.move_to),
            (session.run_changed, self._on_run),
            (session.epoch_finished, self.train_panel.show_epoch),
            (session.epoch_finished, self._on_epoch),
            (session.epoch_finished, self._pause_spinner),
            (session.predictions_changed, self.views.show_predictions),
            (session.model_changed, self._on_model),
            (session.result_changed, self.save_panel.refresh),
            (session.result_changed, self.reconstruct_panel.refresh),
            (session.result_changed, self.views.show_result),
            (session.report_changed, self.compare_panel.refresh),
            (session.report_changed, self.views.show_report),
            (session.line_chosen, self.compare_panel.show_line),
            (session.line_chosen, self.views.show_line),
            (self.views.line_drawn, session.choose_line),
            (self.compare_panel.line_requested, self.views.draw_line),
            (self.compare_panel.export_requested, self.export),
            (self.compare_panel.trust_requested, self.views.show_trust),
            (self.compare_panel.difference_requested, self.views.show_difference),
            (self.views.columns_changed, self.compare_panel.tick_columns),
        ]

    def disconnect_all(self) -> None:
        """End what runs and listen to nothing any more; the dock is going away."""
        if self._closed:
            return
        self._closed = True
        self._close_dialog()
        if self._worker is not None:
            self._worker.abandon()
            self._worker = None
        for worker in (self._comparison, self._export, self._search):
            if worker is not None:
                worker.abandon()
        self._comparison = self._export = self._search = None
        if self.session.unsaved and self.session.model is not None:
            drafts.keep(self.session.model)
            self.session.model_saved()
        for signal, slot in self._connections:
            signal.disconnect(slot)
        self._connections = []
        self.views.close()

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes the widget out of its dock: the user closed it for good."""
        moved = event is not None and event.type() == QEvent.Type.ParentChange
        if moved and self.parent() is None and not self._closed:
            self.disconnect_all()
            self.deleteLater()
        return bool(super().event(event))

    def _on_inserted(self, event: Any) -> None:
        if OPENED in event.value.metadata:
            self._adoption.start(0)

    def _on_theme(self, event: Any) -> None:
        self.reconstruct_panel.set_theme(str(event.value))
        self.train_panel.set_theme(str(event.value))
        self.compare_panel.set_theme(str(event.value))

    def _on_clear_drawing(self) -> None:
        self.views.clear_region()
        self.region_panel.choose()

    def _on_scan(self) -> None:
        self.views.build()
        self._refresh()
        self.region_panel.propose()
        self.reconstruct_panel.forget()
        self.train_panel.forget()
        self.studies_panel.forget()
        self._look_beside()

    def _on_mask(self) -> None:
        self.views.show_mask()
        self.scan_panel.refresh()

    def _on_reconstruction(self) -> None:
        self.views.show_reconstruction()
        self._compare()
        self._refresh()

    def _on_region(self) -> None:
        self.views.show_region()
        self.train_panel.refresh()
        self.studies_panel.refresh()

    def _on_run(self, _name: str) -> None:
        self._pause_spinner()
        self._refresh()

    def _pause_spinner(self, _epoch: Any = None) -> None:
        window = self.window()
        if window is not None:
            pause_spinner(window)

    def _on_epoch(self, _epoch: Any) -> None:
        if len(self.session.losses) == 1:  # a curve begins
            self._column.reveal(self.train_panel.state)

    def _on_iteration(self, _iteration: Any) -> None:
        if len(self.session.errors) == 1:
            self._column.reveal(self.reconstruct_panel.state)

    def _on_model(self) -> None:
        self.predict_panel.refresh()
        if not self.session.running:
            self._refresh()

    def _refresh(self) -> None:
        self.scan_panel.refresh()
        self.reconstruct_panel.refresh()
        self.train_panel.refresh()
        self.predict_panel.refresh()
        self.compare_panel.refresh()
        self.studies_panel.refresh()
        self.save_panel.refresh()

    def _take_preferences(self) -> None:
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
            self.draft_offer,
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
