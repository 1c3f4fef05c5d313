"""How much of each frame is read: cropped around the zero frequency, detector pixels summed."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QSpinBox, QWidget
from superqt.utils import signals_blocked

from napari_ptychonn.data.crop_bin import SMALLEST

WHOLE = "whole frames"


class CropBinControl(QWidget):
    """Two boxes and a button; the signal carries the edge to crop to (or None), and the binning."""

    reading_chosen = Signal(object, int)

    def __init__(self) -> None:
        super().__init__()
        self._current: tuple[int | None, int] = (None, 1)
        self._shown: object = None
        # Two rows: napari's boxes are too wide for one beside the button.
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
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
        grid.addWidget(QLabel("Crop"), 0, 0)
        grid.addWidget(self.crop, 0, 1, 1, 2)
        grid.addWidget(QLabel("Bin"), 1, 0)
        grid.addWidget(self.bin, 1, 1)
        grid.addWidget(self.read, 1, 2)
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
