"""Scan: open one, see what was recognised, choose the reconstruction it is compared with."""

from __future__ import annotations

from html import escape
from pathlib import Path

from psygnal import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_ptychonn.app.session import Session
from napari_ptychonn.data.checks import check_overlap
from napari_ptychonn.io.sidecars import SidecarSuggestion
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels.bad_pixels_control import BadPixelsControl
from napari_ptychonn.widgets.panels.crop_bin_control import CropBinControl
from napari_ptychonn.widgets.panels.sidecars_label import SidecarsLabel

FILTER = (
    "Scans, reconstructions, results, models "
    "(*.h5 *.hdf5 *.nxs *.cxi *.npz *.npy *.bz2 *.safetensors);;All files (*)"
)
NONE, OTHER = "none", "open another file…"


class ScanPanel(QWidget):
    """What is loaded."""

    open_requested = Signal(str)
    reconstruction_requested = Signal(str)
    simulation_requested = Signal()
    always_open_requested = Signal()
    mask_requested = Signal(object)
    reading_requested = Signal(object, int)
    positions_requested = Signal(str)
    choose_requested = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._buttons())
        self.recognised = WrappedLabel("Drop a scan on the window, or open one.")
        self.warnings = WrappedLabel()
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
        self.choose = QPushButton("Positions mirrored? Choose datasets…")
        self.choose.setToolTip(
            "Say which dataset is what, in which unit and which way round; see what it comes to."
        )
        self.choose.clicked.connect(self._on_choose)
        for widget in (
            self.recognised,
            self.warnings,
            self.mask_control,
            self.reading_control,
            self.notes,
            self.choose,
            self.reconstructions,
            self.offers,
            self.always,
        ):
            layout.addWidget(widget)
        self.refresh()

    def refresh(self) -> None:
        """Say what is loaded now."""
        scan = self._session.scan
        warnings = self._warnings()
        self.warnings.setVisible(bool(warnings))
        self.warnings.setText("<br>".join(f"<b>⚠</b> {escape(w)}" for w in warnings))
        self.mask_control.show_pixels(None if scan is None else scan.bad_pixels)
        self.mask_control.setEnabled(not self._session.running)
        self.reading_control.setVisible(scan is not None)
        self.reading_control.setEnabled(not self._session.running)
        if (whole := self._session.whole) is not None:
            self.reading_control.show_reading(
                whole.frame_shape, self._session.crop, self._session.bin
            )
        self.notes.setVisible(bool(scan and scan.notes))
        self.reconstructions.setVisible(scan is not None)
        self.choose.setVisible(scan is not None and scan.source is not None)
        if scan is None:
            return
        self.recognised.setText(f"<b>{scan.name}</b><br>{self._facts()}")
        self.notes.setText("<br>".join(scan.notes[:4]))
        self.notes.setToolTip("\n".join(scan.notes))
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
        parts = [f"{len(scan):,} frames of {ky}×{kx}".replace(",", " ")]
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

    def _on_always(self) -> None:
        self.always_open_requested.emit()

    def _on_choose(self) -> None:
        self.choose_requested.emit()

    def _on_simulate(self) -> None:
        self.simulation_requested.emit()

    def _on_offer(self, offer: SidecarSuggestion) -> None:
        requested = {
            "reconstruction": self.reconstruction_requested,
            "positions": self.positions_requested,
            "model": self.open_requested,
        }
        requested[offer.kind].emit(str(offer.file))

    def _on_mask(self, contrast: float | None) -> None:
        self.mask_requested.emit(contrast)

    def _on_reading(self, crop: int | None, bin: int) -> None:
        self.reading_requested.emit(crop, bin)

    def _on_open(self) -> None:
        if path := self.ask_for_file():
            self.open_requested.emit(path)

    def _on_reconstruction(self, row: int) -> None:
        text = self.reconstructions.itemText(row)
        if text == OTHER:
            path = self.ask_for_file("Open a reconstruction")
            self._fill_reconstructions()
            if path:
                self.reconstruction_requested.emit(path)
            return
        scan, name = self._session.scan, text.removeprefix("Reconstruction: ")
        if name in self._session.reconstruction_names and scan is not None and scan.source:
            self.reconstruction_requested.emit(f"{scan.source}::{name}")
