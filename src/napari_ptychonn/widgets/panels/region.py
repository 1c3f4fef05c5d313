"""Training region: which frames the network learns from, and which choose the best epoch."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Literal, get_args

import numpy as np
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_ptychonn.app.session import Session
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.region import Split, TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.viewer.layers import COLOURS
from napari_ptychonn.widgets.canvas.viewer_controller import ViewerController
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels._panel import SessionPanel
from napari_ptychonn.widgets.task_controller import TaskController

Way = Literal["scan lines", "drawn on the map", "frames", "every k-th frame"]
WAYS: tuple[Way, ...] = get_args(Way)

SHARE = 0.75
"""Part of a scan that is proposed as training region, from its beginning."""


class RegionPanel(SessionPanel):
    """Every change makes a new `TrainingRegion` in the session, or says why it cannot."""

    def __init__(self, session: Session, tasks: TaskController, canvas: ViewerController) -> None:
        super().__init__(session, tasks)
        self._canvas = canvas
        layout = self._layout
        self.ways = QComboBox()
        self.ways.addItems(WAYS)
        self.ways.setToolTip("How the training frames are chosen.")
        self._build_inputs()
        self._build_split()
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(3)
        form.addRow("Training frames", self.ways)
        layout.addLayout(form)
        layout.addWidget(self.inputs)
        layout.addLayout(self._split_row())
        self.count = WrappedLabel("No scan yet.")
        layout.addWidget(self.count)
        self._connect()
        self.connections.add(session.scan_loaded, self.propose)
        self.connections.add(canvas.drawing.region_drawn, self.use_drawing)

    def propose(self) -> None:
        """Suggest the first three quarters of a new scan, in whole lines if it has any."""
        scan = self._session.scan
        if scan is None:
            return
        lines = 0 if scan.line is None else int(scan.line.max()) + 1
        boxes = (self.first_line, self.last_line, self.first_frame, self.last_frame, self.ways)
        with ExitStack() as quiet:
            for widget in boxes:
                quiet.enter_context(signals_blocked(widget))
            for box in (self.first_line, self.last_line):
                box.setMaximum(max(lines, 1))
            for box in (self.first_frame, self.last_frame):
                box.setMaximum(len(scan))
            self.first_line.setValue(0)
            self.first_frame.setValue(0)
            self.last_line.setValue(max(1, round(SHARE * lines)))
            self.last_frame.setValue(max(1, round(SHARE * len(scan))))
            self.set_way("scan lines" if lines > 1 else "frames")
        self.choose()

    def set_way(self, way: Way) -> None:
        """Choose frames in another way."""
        self.ways.setCurrentText(way)
        self.inputs.setCurrentIndex(WAYS.index(way))

    @property
    def way(self) -> Way:
        """How the frames are chosen."""
        return WAYS[self.ways.currentIndex()]

    def use_drawing(self) -> None:
        """Something was drawn on the map: that is the region now."""
        if self._canvas.drawing.polygons:
            self.set_way("drawn on the map")
        self.choose()

    def choose(self) -> None:
        """Make the region from what the panel says."""
        scan = self._session.scan
        if scan is None:
            return
        try:
            region = self._region(scan)
        except InputError as error:
            self.count.setText(str(error))
            self._session.choose_region(None)
            return
        self.count.set_html(_coloured(region))
        self._session.choose_region(region)

    # -- inside ----------------------------------------------------------------------------

    def _build_inputs(self) -> None:
        self.first_line, self.last_line = _box(0), _box(1)
        self.first_frame, self.last_frame = _box(0), _box(1)
        for box in (self.last_line, self.last_frame):
            box.setToolTip("Where the region ends; this one is not part of it.")
        self.every = _box(1, 1, 1000)
        self.every.setValue(4)
        self.rectangle = QPushButton("Rectangle")
        self.polygon = QPushButton("Polygon")
        self.clear = QPushButton("Clear")
        self.rectangle.setToolTip("Drag a rectangle on the ePIE phase map.")
        self.polygon.setToolTip("Draw a polygon on the ePIE phase map; double-click ends it.")
        self.inputs = QStackedWidget()
        self.inputs.addWidget(_row("lines", self.first_line, "to", self.last_line))
        self.inputs.addWidget(_row(self.rectangle, self.polygon, self.clear))
        self.inputs.addWidget(_row("frames", self.first_frame, "to", self.last_frame))
        self.inputs.addWidget(_row("one frame in", self.every))

    def _build_split(self) -> None:
        self.split = QComboBox()
        self.split.addItem("last block", "blocks")
        self.split.addItem("random", "random")
        self.split.setToolTip(
            "Which of the chosen frames choose the best epoch. Random ones overlap with "
            "training frames, so their loss looks too good; the paper drew them so."
        )
        self.fraction = QDoubleSpinBox()
        self.fraction.setRange(0, 90)
        self.fraction.setDecimals(0)
        self.fraction.setSuffix(" %")
        self.fraction.setValue(10)

    def _split_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(QLabel("Validate on"))
        row.addWidget(self.fraction)
        row.addWidget(self.split, 1)
        return row

    def _connect(self) -> None:
        self.ways.currentIndexChanged.connect(self._on_way)
        for box in (self.first_line, self.last_line, self.first_frame, self.last_frame, self.every):
            box.valueChanged.connect(lambda _: self.choose())
        self.fraction.valueChanged.connect(lambda _: self.choose())
        self.split.currentIndexChanged.connect(lambda _: self.choose())
        self.rectangle.clicked.connect(lambda: self._canvas.drawing.draw("add_rectangle"))
        self.polygon.clicked.connect(lambda: self._canvas.drawing.draw("add_polygon"))
        self.clear.clicked.connect(self._on_clear)

    def _on_clear(self) -> None:
        self._canvas.drawing.clear()
        self.choose()

    def _on_way(self, row: int) -> None:
        self.inputs.setCurrentIndex(row)
        self.choose()

    def _split(self) -> Split:
        return Split(kind=self.split.currentData(), fraction=self.fraction.value() / 100)

    def _region(self, scan: Scan) -> TrainingRegion:
        split = self._split()
        if self.way == "scan lines":
            return TrainingRegion.from_lines(
                scan, self.first_line.value(), self.last_line.value(), split
            )
        if self.way == "frames":
            chosen = slice(self.first_frame.value(), self.last_frame.value())
            return TrainingRegion.from_indices(scan, chosen, split)
        if self.way == "every k-th frame":
            return TrainingRegion.every(scan, self.every.value(), split)
        return self._drawn(scan, split)

    def _drawn(self, scan: Scan, split: Split) -> TrainingRegion:
        from skimage.measure import points_in_poly

        polygons = self._canvas.drawing.polygons
        if not polygons:
            raise InputError("Draw a rectangle or a polygon on the ePIE phase map.")
        inside = np.zeros(len(scan), np.bool_)
        for polygon in polygons:
            inside |= points_in_poly(scan.positions, polygon)
        chosen = np.flatnonzero(inside)
        return TrainingRegion.from_indices(
            scan, chosen, split, f"{format_count(len(chosen), 'frame')} inside the drawn area"
        )


def _box(value: int, low: int = 0, high: int = 1) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setValue(value)
    return box


def _row(*parts: QWidget | str) -> QWidget:
    page = QWidget()
    layout = QHBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        if isinstance(part, str):
            layout.addWidget(QLabel(part))
        else:
            layout.addWidget(part, 1)
    return page


def _coloured(region: TrainingRegion) -> str:
    """How many frames do what, in the colours of the map."""
    parts = {
        "train": region.train,
        "validation": region.validation,
        "gap": region.gap,
        "held out": region.held_out,
    }
    return " · ".join(
        f'<span style="color:{COLOURS[name]}">●</span>&nbsp;{len(part)}&nbsp;{name}'.replace(
            "held out", "held&nbsp;out"
        )
        for name, part in parts.items()
        if len(part) or name != "gap"
    )
