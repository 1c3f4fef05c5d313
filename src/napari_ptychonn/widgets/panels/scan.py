"""Scan: open one, see what was recognised, choose the reconstruction it is compared with."""

from __future__ import annotations

import logging
from html import escape
from pathlib import Path

from napari.utils.notifications import show_error, show_info
from psygnal import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
)
from superqt.utils import signals_blocked

from napari_ptychonn.app.session import Session
from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.data.checks import check_overlap
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.sidecars import SidecarSuggestion
from napari_ptychonn.tasks.check import CheckTask
from napari_ptychonn.tasks.events import ConsistencyChecked, Failed, SidecarsFound
from napari_ptychonn.tasks.load import (
    FindSidecarsTask,
    LoadReconstructionTask,
    LoadTask,
    SimulateTask,
)
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel, as_tooltip
from napari_ptychonn.widgets.panels._panel import SessionPanel
from napari_ptychonn.widgets.panels.bad_pixels_control import BadPixelsControl
from napari_ptychonn.widgets.panels.consistency_label import ConsistencyLabel
from napari_ptychonn.widgets.panels.crop_bin_control import CropBinControl
from napari_ptychonn.widgets.panels.sidecars_label import SidecarsLabel
from napari_ptychonn.widgets.task_controller import TaskController

FILTER = (
    "Scans, reconstructions, results, models "
    "(*.h5 *.hdf5 *.hdf *.nxs *.cxi *.emd *.ptyd *.ptyr *.mat *.mib *.dm4 *.raw *.npz *.npy *.bz2 "
    "*.safetensors);;All files (*)"
)
log = logging.getLogger(__name__)

NONE, OTHER = "none", "open another file…"


class ScanPanel(SessionPanel):
    """The scan that is loaded, its warnings, and the reconstruction that belongs to it."""

    mapping_requested = Signal()

    def __init__(self, session: Session, tasks: TaskController) -> None:
        super().__init__(session, tasks)
        layout = self._layout
        layout.addLayout(self._buttons())
        self.recognised = WrappedLabel("Drop a scan on the window, or open one.")
        self.warnings = WrappedLabel()
        self.consistency = ConsistencyLabel()
        self.consistency.correction_chosen.connect(self._on_correction)
        self.consistency.correction_kept.connect(self._on_kept_correction)
        self.mask_control = BadPixelsControl()
        self.mask_control.contrast_chosen.connect(self._on_mask)
        self.reading_control = CropBinControl()
        self.reading_control.reading_chosen.connect(self._on_reading)
        self.notes = WrappedLabel()
        self.reconstructions = QComboBox()
        self.reconstructions.setToolTip("What the network learns to reproduce.")
        self.reconstructions.activated.connect(self._on_reconstruction)
        self.offers = SidecarsLabel()
        self.offers.offer_chosen.connect(self._on_offer)
        self.always = QPushButton("Always open .h5 files here")
        self.always.setToolTip(
            "napari's own reader also claims .h5 files and then fails; this saves the choice."
        )
        self.always.clicked.connect(self._on_always)
        self.choose = QPushButton("Edit dataset mapping…")
        self.choose.setToolTip(
            "Choose which dataset holds frames, positions, probe and object, their units and "
            "orientation; for example if the positions are mirrored."
        )
        self.choose.clicked.connect(self._on_choose)
        for widget in (
            self.recognised,
            self.warnings,
            self.consistency,
            self.mask_control,
            self.reading_control,
            self.notes,
            self.choose,
            self.reconstructions,
            self.offers,
            self.always,
        ):
            layout.addWidget(widget)
        self.connections.add(session.scan_loaded, self._find_sidecars)
        for signal in (session.scan_loaded, session.reconstruction_chosen):
            self.connections.add(signal, self._check)
        self.connections.add(session.mask_changed, self.refresh)
        self.connect_refresh()

    def refresh(self) -> None:
        """Show the scan, and what is doubtful about it."""
        scan = self._session.scan
        warnings = self._warnings()
        self.warnings.setVisible(bool(warnings))
        self.warnings.set_html("<br>".join(f"<b>⚠</b> {escape(w)}" for w in warnings))
        self.mask_control.show_pixels(None if scan is None else scan.bad_pixels)
        self.mask_control.setEnabled(not self._session.running)
        self.reading_control.setVisible(scan is not None)
        self.reading_control.setEnabled(not self._session.running)
        if (full := self._session.full_scan) is not None:
            self.reading_control.show_reading(
                full.frame_shape, self._session.crop, self._session.bin
            )
        self.notes.setVisible(bool(scan and scan.notes))
        self.reconstructions.setVisible(scan is not None)
        self.choose.setVisible(scan is not None and scan.source is not None)
        if scan is None:
            return
        self.recognised.set_html(f"<b>{escape(scan.name)}</b><br>{escape(self._facts())}")
        self.notes.setText("\n".join(scan.notes[:4]))
        self.notes.setToolTip(as_tooltip(scan.notes))
        self._fill_reconstructions()

    def ask_for_file(self, title: str = "Open a scan") -> str:
        """Let the user choose a file; '' when they did not."""
        folder = self._session.scan.source if self._session.scan else None
        start = str(Path(folder).parent) if folder else ""
        path, _ = QFileDialog.getOpenFileName(self, title, start, FILTER)
        return path

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.open_button = QPushButton("Open scan…")
        self.open_button.clicked.connect(self._on_open)
        self.simulate_button = QPushButton("Simulate")
        self.simulate_button.setToolTip("A small simulated scan of an etched tungsten pattern.")
        self.simulate_button.clicked.connect(self._on_simulate)
        row.addWidget(self.open_button)
        row.addWidget(self.simulate_button)
        return row

    def _warnings(self) -> tuple[str, ...]:
        """What is doubtful about the scan, alone or together with its reconstruction."""
        scan, made = self._session.scan, self._session.reconstruction
        if scan is None:
            return ()
        gap = None
        if made is not None and scan.probe is None:
            gap = check_overlap(scan, made.probe, made.pixel_size)
        return scan.warnings if gap is None else (*scan.warnings, gap)

    def _facts(self) -> str:
        scan = self._session.scan
        assert scan is not None
        ky, kx = scan.frame_shape
        parts = [f"{format_count(len(scan), 'frame')} of {ky}×{kx}".replace(",", " ")]
        if scan.unit == "m" and scan.pixel_size is not None:
            parts.append(f"pixel {scan.pixel_size[0] * 1e9:.3g} nm")
        step = scan.step
        parts.append(f"step {step * 1e9:.3g} nm" if scan.unit == "m" else f"step {step:.3g} px")
        if scan.optics.beam:
            parts.append(scan.optics.beam)
        return " · ".join(parts)

    def _fill_reconstructions(self) -> None:
        chosen = self._session.reconstruction
        names = list(self._session.reconstruction_names)
        current = chosen.name if chosen is not None else NONE
        if current not in names:
            names.insert(0, current)
        with signals_blocked(self.reconstructions):
            self.reconstructions.clear()
            self.reconstructions.addItems([f"Reconstruction: {name}" for name in names])
            self.reconstructions.addItem(OTHER)
            self.reconstructions.setCurrentIndex(names.index(current))

    # -- requests --------------------------------------------------------------------------

    def open(self, path: str) -> None:
        """Open a file of any kind, in the background."""
        self._tasks.start(LoadTask(path=path))

    def choose_reconstruction(self, path: str) -> None:
        """Read another reconstruction of the scan, in the background."""
        session, file = self._session, Location.parse(path).file
        same = session.scan is not None and session.scan.source == file
        task = LoadReconstructionTask(
            path=path,
            layout=session.layout if same else None,
            positions=session.positions_source if same else None,
        )
        self._tasks.start_background("reconstruction", task)

    def use_positions(self, path: str) -> None:
        """Open the scan again with the positions of another file."""
        session = self._session
        if session.path is not None:
            self._tasks.start(
                LoadTask(path=str(session.path), layout=session.layout, positions=path)
            )

    def crop_and_bin(self, crop: int | None, bin: int) -> None:
        """Start over with more or less of each frame."""
        try:
            self._session.crop_and_bin(crop, bin)
        except InputError as error:
            show_error(str(error))

    def _check(self) -> None:
        """Check in the background whether scan and reconstruction belong together."""
        scan, made = self._session.scan, self._session.reconstruction
        self._tasks.abandon_background("check")
        self.consistency.show_consistency(None)
        if scan is not None and made is not None:
            self._tasks.start_background(
                "check", CheckTask(scan=scan, reconstruction=made), self._on_checked
            )

    def _on_checked(self, event: ConsistencyChecked | Failed) -> None:
        if isinstance(event, Failed):
            log.warning("scan and reconstruction are not checked: %s", event.reason)
        else:
            self.consistency.show_consistency(
                event.consistency, has_layout=self._session.path is not None
            )

    def _on_correction(self, correction: ScanCorrection) -> None:
        try:
            self._session.correct(correction)
        except InputError as error:
            show_error(str(error))

    def _on_kept_correction(self, correction: ScanCorrection) -> None:
        session = self._session
        self._tasks.start(
            LoadTask(
                path=str(session.path),
                layout=session.layout,
                positions=session.positions_source,
                correction=correction,
            )
        )

    def _find_sidecars(self) -> None:
        # The pixel of cropped frames is not that of what was made of uncropped ones.
        scan = self._session.full_scan
        self._tasks.abandon_background("sidecars")
        self.offers.show_offers(())
        if scan is not None and scan.source is not None:
            self._tasks.start_background("sidecars", FindSidecarsTask(scan=scan), self._on_sidecars)

    def _on_sidecars(self, event: SidecarsFound | Failed) -> None:
        if isinstance(event, Failed):
            log.warning("no files are suggested beside the scan: %s", event.reason)
        else:
            self.offers.show_offers(event.suggestions)

    def _on_always(self) -> None:
        from napari.settings import get_settings

        plugins = get_settings().plugins
        plugins.extension2reader = {
            **plugins.extension2reader,
            "*.h5": "napari-ptychonn",
            "*.hdf5": "napari-ptychonn",
        }
        show_info("From now on napari opens .h5 and .hdf5 files with PtychoNN.")

    def _on_choose(self) -> None:
        self.mapping_requested.emit()

    def _on_simulate(self) -> None:
        self._tasks.start(SimulateTask())

    def _on_offer(self, offer: SidecarSuggestion) -> None:
        use = {
            "reconstruction": self.choose_reconstruction,
            "positions": self.use_positions,
            "model": self.open,
        }
        use[offer.kind](str(offer.file))

    def _on_mask(self, contrast: float | None) -> None:
        self._session.mask_above(contrast)

    def _on_reading(self, crop: int | None, bin: int) -> None:
        self.crop_and_bin(crop, bin)

    def _on_open(self) -> None:
        if path := self.ask_for_file():
            self.open(path)

    def _on_reconstruction(self, row: int) -> None:
        text = self.reconstructions.itemText(row)
        if text == OTHER:
            path = self.ask_for_file("Open a reconstruction")
            self._fill_reconstructions()
            if path:
                self.choose_reconstruction(path)
            return
        scan, name = self._session.scan, text.removeprefix("Reconstruction: ")
        if name in self._session.reconstruction_names and scan is not None and scan.source:
            self.choose_reconstruction(f"{scan.source}::{name}")
