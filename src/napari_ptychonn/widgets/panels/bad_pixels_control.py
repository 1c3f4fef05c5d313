"""Faulty detector pixels: whether they are left out, from which contrast on, how many these are."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_ptychonn.data.bad_pixels import LEAST_CONTRAST, BadPixels

MOST_CONTRAST = 1e6


class BadPixelsControl(QWidget):
    """One row; the signal carries the contrast, or None for no mask."""

    contrast_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.masked = QCheckBox()
        self.masked.setToolTip("Leave hot, dead and saturated detector pixels out.")
        self.contrast = QDoubleSpinBox()
        self.contrast.setRange(LEAST_CONTRAST, MOST_CONTRAST)
        self.contrast.setDecimals(1)
        self.contrast.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.contrast.setSuffix(" ×")
        self.contrast.setMinimumWidth(90)
        self.contrast.setKeyboardTracking(False)
        self.contrast.setToolTip(
            "How much a pixel has to differ from its neighbours: times as many counts, or standard "
            "deviations fewer where it has none. Less masks more."
        )
        row.addWidget(self.masked)
        row.addStretch(1)
        row.addWidget(self.contrast)
        self.masked.toggled.connect(self._on_changed)
        self.contrast.valueChanged.connect(self._on_changed)

    def show_pixels(self, faulty: BadPixels | None) -> None:
        """Show what is masked; nothing where nobody looked."""
        self.setVisible(faulty is not None)
        if faulty is None:
            return
        with signals_blocked(self.masked), signals_blocked(self.contrast):
            self.masked.setChecked(faulty.contrast is not None)
            if faulty.contrast is not None:
                self.contrast.setValue(faulty.contrast)
        self.contrast.setEnabled(faulty.contrast is not None)
        self.masked.setText(f"Mask bad pixels ({int(faulty.bad.sum())})")

    def _on_changed(self) -> None:
        self.contrast_chosen.emit(self.contrast.value() if self.masked.isChecked() else None)
