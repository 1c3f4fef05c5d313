"""One role in the form for choosing datasets: what can have it, a typed number, and its unit."""

from __future__ import annotations

import math
from collections.abc import Mapping

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel, QLineEdit
from superqt.utils import signals_blocked

from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.mapping.mapping import DatasetRef
from napari_ptychonn.io.mapping.ranking import Ranking
from napari_ptychonn.io.mapping.roles import NAMES, TYPED_UNITS, UNITS, Role

_TIPS: Mapping[Role, str] = {
    "frames": "Diffraction frames (n, y, x), or a raster of them (rows, columns, y, x).",
    "positions": "Both coordinates in one dataset, or y alone. Without any, those of a file beside "
    "this one are used, or a raster is shown with a step of 1 pixel.",
    "position_x": "Where y and x are two datasets.",
    "probe": "Complex illumination, on the grid of the frames.",
    "object": "A reconstructed object, to train on or to compare with.",
    "mask": "Pixels of the detector that do not count.",
    "energy": "Energy of the photons; without it the wavelength.",
    "wavelength": "Used where there is no energy.",
    "distance": "From the sample to the detector.",
    "pitch": "Size of a pixel of the detector.",
    "pixel": "Size of a pixel of the object; without it, it follows from energy, distance and "
    "detector pixel.",
}
_NOTHING: Mapping[Role, str] = {"positions": "beside this file, or a raster"}
FROM_FILE = "as the file says"
TYPED = "typed:"
_TYPED_DATA = "\0typed"
_ELSEWHERE = "\0elsewhere "
"""What a box holds for a typed number and before the name of another file: no path of a dataset has
a zero byte in it."""

_UNIT_TIP = "A unit that is chosen here holds whatever the file says."


class RoleRow:
    """The box of one role, a number that may be typed instead, and its unit.

    Parameters
    ----------
    role : str
        Which.
    """

    def __init__(self, role: Role) -> None:
        self.role: Role = role
        self.label = QLabel(NAMES[role])
        self.box = QComboBox()
        self.box.setMinimumContentsLength(20)
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.unit: QComboBox | None = None
        if role in UNITS:
            self.unit = QComboBox()
            self.unit.addItems([FROM_FILE, *UNITS[role]])
            self.unit.setToolTip(_UNIT_TIP)
        self.number: QLineEdit | None = None
        if role in TYPED_UNITS:
            self.number = QLineEdit()
            self.number.setPlaceholderText("number")
            self.number.setMinimumWidth(110)
            self.number.setVisible(False)
        self.elsewhere: tuple[str, ...] = ()
        for widget in (self.label, self.box):
            widget.setToolTip(_TIPS.get(role, ""))

    @property
    def place(self) -> str | None:
        """The other file, or 'FILE::DATASET', that is chosen."""
        data = self.box.currentData()
        is_elsewhere = isinstance(data, str) and data.startswith(_ELSEWHERE)
        return data.removeprefix(_ELSEWHERE) if is_elsewhere else None

    def offer_elsewhere(self, places: tuple[str, ...]) -> None:
        """Offer what another file has, and choose the first."""
        with signals_blocked(self.box):
            for _ in self.elsewhere:
                self.box.removeItem(1)
            self.elsewhere = places
            self._add_elsewhere()
            self.box.setCurrentIndex(1 if places else 0)

    def _add_elsewhere(self) -> None:
        for k, place in enumerate(self.elsewhere, start=1):
            self.box.insertItem(k, _place_text(place), _ELSEWHERE + place)
            self.box.setItemData(k, place, Qt.ItemDataRole.ToolTipRole)

    @property
    def is_typed(self) -> bool:
        """Whether the number beside the box counts, and no dataset."""
        return bool(self.box.currentData() == _TYPED_DATA)

    @property
    def pick(self) -> DatasetRef | None:
        """What is chosen."""
        path = self.box.currentData()
        if path is None or self.place is not None:
            return None
        unit = self.unit.currentText() if self.unit is not None else FROM_FILE
        if self.is_typed and self.number is not None:
            return DatasetRef(number=_number(self.number.text()), unit=unit)
        return DatasetRef(path=path, unit="" if unit == FROM_FILE else unit)

    @pick.setter
    def pick(self, pick: DatasetRef | None) -> None:
        number = None if pick is None else pick.number
        path = _TYPED_DATA if number is not None else pick.path if pick is not None else None
        at = 0 if path is None else self.box.findData(path)
        if at < 0:
            self.box.addItem(str(path), path)
            at = self.box.count() - 1
        with signals_blocked(self.box):
            self.box.setCurrentIndex(at)
        if self.number is not None and number is not None:
            with signals_blocked(self.number):
                self.number.setText("" if math.isnan(number) else f"{number:.12g}")
        self.show_typed()
        self.set_unit("" if pick is None else pick.unit)

    def show_typed(self) -> None:
        """Show the number where it counts, and only units that it can have."""
        if self.number is None or self.unit is None:
            return
        self.number.setVisible(self.is_typed)
        units = [*(() if self.is_typed else (FROM_FILE,)), *UNITS[self.role]]
        if [self.unit.itemText(k) for k in range(self.unit.count())] != units:
            with signals_blocked(self.unit):
                self.unit.clear()
                self.unit.addItems(units)
                self.unit.setCurrentText(TYPED_UNITS[self.role] if self.is_typed else FROM_FILE)

    def set_unit(self, unit: str) -> None:
        """Choose a unit; '' for the file's own."""
        if self.unit is not None:
            with signals_blocked(self.unit):
                self.unit.setCurrentText(unit or FROM_FILE)

    def fill(self, ranking: Ranking, picks: Mapping[Role, DatasetRef]) -> None:
        """Offer what can have this role; what is chosen stays."""
        chosen, place = self.pick, self.box.currentData() if self.place else None
        found = ranking.candidates(self.role, picks)
        self._units = {c.branch.path: c.unit for c in found}
        with signals_blocked(self.box):
            self.box.clear()
            self.box.addItem(_NOTHING.get(self.role, "none"), None)
            if self.number is not None:
                self.box.addItem(TYPED, _TYPED_DATA)
            for candidate in found:
                path = candidate.branch.path
                self.box.addItem(_text(candidate.branch), path)
                self.box.setItemData(self.box.count() - 1, path, Qt.ItemDataRole.ToolTipRole)
            self._add_elsewhere()
        self.pick = chosen
        if place is not None:
            with signals_blocked(self.box):
                self.box.setCurrentIndex(self.box.findData(place))

    def unit_by_name(self) -> str:
        """What the name of the chosen dataset says about its unit."""
        if self.is_typed:
            return TYPED_UNITS[self.role]
        return self._units.get(self.box.currentData(), "")


def _number(text: str) -> float:
    """Read what was typed; NaN where that is no number."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return math.nan


def _place_text(place: str) -> str:
    location = Location.parse(place)
    name = location.file.name
    return f"{name}::/{location.group}" if location.group else f"{name} (another file)"


def _text(branch: Entry) -> str:
    shape = "×".join(map(str, branch.shape))
    about = " ".join(part for part in (shape, branch.type) if part and not branch.value)
    return f"{branch.path}   {branch.value or about}"
