"""How much of each frame is read: cropped around the zero frequency, detector pixels summed."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QWidget
from superqt.utils import signals_blocked

from napari_ptychonn.core.reduction import SMALLEST

WHOLE = "none"


class ReadingControl(QWidget):
    """One row; the signal carries the edge to crop to, or None, and how many pixels to sum."""

    reading_chosen = Signal(object, int)

    def __init__(self) -> None:
        super().__init__()
        self._current: tuple[int | None, int] = (None, 1)
        self._shown: object = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.crop = QSpinBox()
        self.crop.setSpecialValueText(WHOLE)
        self.crop.setSingleStep(2)
        self.crop.setToolTip(
            "How many detector pixels along each axis are read around the zero frequency. Fewer "
            "make the object pixel larger."
        )
        self.bin = QSpinBox()
        self.bin.setToolTip(
            "How many detector pixels along each axis are summed. A frame then covers less of the "
            "object."
        )
        self.read = QPushButton("Read")
        self.read.setToolTip("Start over with this much of each frame.")
        row.addWidget(QLabel("Crop"))
        # napari's own style has one width for all boxes, too little for 'none' or '1024' here.
        self.crop.setStyleSheet("QSpinBox { min-width: 92px; }")
        self.bin.setStyleSheet("QSpinBox { min-width: 48px; }")
        row.addWidget(self.crop, 1)
        row.addWidget(QLabel("Bin"))
        row.addWidget(self.bin)
        row.addWidget(self.read)
        self.crop.valueChanged.connect(self._on_edited)
        self.bin.valueChanged.connect(self._on_edited)
        self.read.clicked.connect(self._on_read)

    @property
    def chosen(self) -> tuple[int | None, int]:
        """What the boxes say: the edge to crop to, or None, and how many pixels to sum."""
        whole = self.crop.value() == self.crop.minimum()
        return None if whole else self.crop.value(), self.bin.value()

    def show_reading(self, frame_shape: tuple[int, int], crop: int | None, bin: int) -> None:
        """Show how much of frames (ky, kx) is read; what somebody is choosing stays meanwhile."""
        if self._shown == (frame_shape, crop, bin):
            return
        self._shown = frame_shape, crop, bin
        smaller = min(frame_shape)
        self._current = crop, bin
        with signals_blocked(self.crop), signals_blocked(self.bin):
            # The least value stands for whole frames.
            self.crop.setRange(SMALLEST - 2, smaller)
            self.crop.setValue(self.crop.minimum() if crop is None else crop)
            self.bin.setRange(1, max(1, smaller // SMALLEST))
            self.bin.setValue(bin)
        self._on_edited()

    def _on_edited(self) -> None:
        self.read.setEnabled(self.chosen != self._current)

    def _on_read(self) -> None:
        self.reading_chosen.emit(*self.chosen)
