"""Which dataset is what: a box for each role with the likeliest first, units, and directions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.layouts.layout import Flip, Layout
from napari_ptychonn.io.mapping.mapping import DatasetMapping, DatasetRef
from napari_ptychonn.io.mapping.ranking import Ranking
from napari_ptychonn.io.mapping.roles import ROLES, Role
from napari_ptychonn.widgets.import_dialog.role_row import RoleRow

_ZERO = {"detect": "found by looking", "centre": "in the centre", "corner": "at the corner"}
_MARKS = {"bad": "marks bad pixels", "good": "marks good pixels"}
_FLIPS: dict[tuple[bool, bool], Flip] = {
    (False, False): "", (True, False): "y", (False, True): "x", (True, True): "yx",
}  # fmt: skip
_REFILLED: tuple[Role, ...] = ("positions", "position_x", "mask")
"""Roles whose candidates depend on what the frames (or y) are."""


class MappingForm(QWidget):
    """All roles, and which way round frames and positions are."""

    changed = Signal()
    place_wanted = Signal()
    """Emitted when positions are to come from another file."""

    def __init__(self) -> None:
        super().__init__()
        self._ranking = Ranking(arrays=())
        self._start = DatasetMapping(base=Layout(name="", require=()))
        self.rows: dict[Role, RoleRow] = {role: RoleRow(role) for role in ROLES}
        self.amplitude = QCheckBox("amplitudes")
        self.amplitude.setToolTip("The dataset holds square roots of counts.")
        self.marks = QComboBox()
        self.zero = QComboBox()
        self.zero.setToolTip("Where the direct beam, or the zero frequency, is in each frame.")
        for box, texts in ((self.marks, _MARKS), (self.zero, _ZERO)):
            for value, text in texts.items():
                box.addItem(text, value)
        self.flip_y, self.flip_x, self.swap = map(QCheckBox, ("flip y", "flip x", "swap y and x"))
        self.rows_up, self.columns, self.transpose = map(
            QCheckBox, ("flip rows", "flip columns", "transpose")
        )
        self.swap.setToolTip("Exchanged first, then flipped.")
        self.transpose.setToolTip("Transposed first, then flipped.")
        self.from_file = QPushButton("File…")
        self.from_file.setToolTip(
            "Positions of another file: a table (.csv .txt .dat .mda), HDF5, NumPy or MATLAB."
        )
        self._lay_out()
        self._connect()

    @property
    def place(self) -> str | None:
        """The other file that positions come from, or 'FILE::DATASET'; None for none."""
        return self.rows["positions"].place

    @property
    def lead(self) -> tuple[int, ...]:
        """Scan axes of the frames; () where none are chosen."""
        pick = self.rows["frames"].pick
        return () if pick is None else self._ranking.shapes.get(pick.path, ())[:-2]

    def take_place(self, *places: str) -> None:
        """Take the positions of another file; of several datasets, the first."""
        was_within = "positions" in self.choice.picks
        self.rows["positions"].offer_elsewhere(places)
        with self.changed.blocked():
            # How those of this file are turned says nothing about others.
            for box in (self.flip_y, self.flip_x, self.swap) if was_within else ():
                box.setChecked(False)
        self._enable()
        self.changed.emit()

    @property
    def choice(self) -> DatasetMapping:
        """As filled in."""
        picks = {role: pick for role, row in self.rows.items() if (pick := row.pick) is not None}
        if not self.rows["position_x"].box.isEnabled():
            picks.pop("position_x", None)
        turned = 4 * self.transpose.isChecked() + 2 * self.rows_up.isChecked()
        return replace(
            self._start,
            picks=picks,
            swap=self.swap.isChecked(),
            flip=_FLIPS[self.flip_y.isChecked(), self.flip_x.isChecked()],
            orientation=turned + self.columns.isChecked(),
            zero_frequency=self.zero.currentData(),
            amplitude=self.amplitude.isChecked(),
            mask_marks=self.marks.currentData(),
        )

    @property
    def missing(self) -> str | None:
        """What has to be chosen yet, as one sentence."""
        return self.choice.missing(self._ranking.shapes)

    def start(self, ranking: Ranking, choice: DatasetMapping) -> None:
        """Offer what a file has, with a first choice."""
        self._ranking, self._start = ranking, choice
        for role, row in self.rows.items():
            row.fill(ranking, choice.picks)
            row.pick = choice.picks.get(role)
        with self.changed.blocked():
            for box, on in self._boxes(choice):
                box.setChecked(on)
            self.zero.setCurrentIndex(self.zero.findData(choice.zero_frequency))
            self.marks.setCurrentIndex(self.marks.findData(choice.mask_marks))
        self._enable()
        self.changed.emit()

    def use(self, role: Role, path: str) -> None:
        """Give a role a dataset, as if it was chosen in its box."""
        row = self.rows[role]
        row.pick = DatasetRef(path=path)
        self._on_role(role)

    def roles_of(self, branch: Entry) -> tuple[Role, ...]:
        """List the roles that a line of the file can have."""
        alone = Ranking(arrays=(branch,), numbers=(branch,) if branch.is_number else ())
        return tuple(
            role
            for role in ROLES
            if any(
                candidate.branch.path == branch.path
                for candidate in alone.candidates(role, self.choice.picks)
            )
        )

    def _boxes(self, choice: DatasetMapping) -> list[tuple[QCheckBox, bool]]:
        return [
            (self.flip_y, "y" in choice.flip),
            (self.flip_x, "x" in choice.flip),
            (self.swap, choice.swap),
            (self.columns, bool(choice.orientation & 1)),
            (self.rows_up, bool(choice.orientation & 2)),
            (self.transpose, bool(choice.orientation & 4)),
            (self.amplitude, choice.amplitude),
        ]

    def _on_role(self, role: Role) -> None:
        row = self.rows[role]
        row.show_typed()
        row.set_unit(row.unit_by_name())
        if role in ("frames", "positions"):
            self._enable()
            picks = self.choice.picks
            completed = self._ranking.completed(replace(self._start, picks=picks)).picks
            for other in _REFILLED:
                is_asked_for = other == "position_x" or role == "frames"
                is_free = other not in picks and self.rows[other].place is None
                if other != role and is_asked_for and is_free:
                    self.rows[other].pick = completed.get(other)
            for other in _REFILLED:
                self.rows[other].fill(self._ranking, self.choice.picks)
        self._enable()
        self.changed.emit()

    def _enable(self) -> None:
        """Ask for x only where there is a dataset of y."""
        y, before = self.rows["positions"].pick, self._start.picks
        # A dataset of three rows may be both y and x, each with an index of its own.
        is_pair = "position_x" in before and y is not None and before["positions"].path == y.path
        row = self.rows["position_x"]
        for widget in (row.label, row.box):
            widget.setEnabled(is_pair or self._ranking.is_one_coordinate(y))
        for role, other in self.rows.items():
            if other.unit is not None:
                other.unit.setEnabled(other.pick is not None)
            if role == "mask":
                self.marks.setEnabled(other.pick is not None)

    def _connect(self) -> None:
        for role, row in self.rows.items():
            row.box.currentIndexChanged.connect(lambda _index, role=role: self._on_role(role))
            if row.unit is not None:
                row.unit.currentIndexChanged.connect(self._on_change)
            if row.number is not None:
                row.number.textChanged.connect(self._on_change)
        self.from_file.clicked.connect(lambda _on: self.place_wanted.emit())
        for box in (self.zero, self.marks):
            box.currentIndexChanged.connect(self._on_change)
        for check, _ in self._boxes(self._start):
            check.toggled.connect(self._on_change)

    def _on_change(self, _value: Any) -> None:
        self.changed.emit()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        extras: dict[Role, QWidget] = {"frames": self.amplitude, "mask": self.marks}
        for line, (role, row) in enumerate(self.rows.items()):
            grid.addWidget(row.label, line, 0)
            beside = QHBoxLayout()
            beside.addWidget(row.box, 1)
            if row.number is not None:
                beside.addWidget(row.number, 1)
            if role == "positions":
                beside.addWidget(self.from_file)
            grid.addLayout(beside, line, 1)
            if (extra := row.unit or extras.get(role)) is not None:
                grid.addWidget(extra, line, 2)
        line = len(self.rows)
        turns = (
            ("Turn positions", (self.flip_y, self.flip_x, self.swap)),
            ("Turn frames", (self.rows_up, self.columns, self.transpose)),
            ("Zero frequency", (self.zero,)),
        )
        for text, widgets in turns:
            grid.addWidget(QLabel(text), line, 0)
            beside = QHBoxLayout()
            beside.setSpacing(14)
            for widget in widgets:
                beside.addWidget(widget)
            beside.addStretch(1)
            grid.addLayout(beside, line, 1, 1, 2)
            line += 1
