"""The contents of a file as a tree that is read line by line, as far as somebody unfolds it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from napari_ptychonn.io.containers.entry import Entry

COLUMNS = ("Name", "Shape", "Type", "Chunks", "Compression", "Value, link or problem")
NAME, SHAPE, TYPE, CHUNKS, COMPRESSION, VALUE = range(len(COLUMNS))
BROKEN = QColor("#ff6b6b")
_WIDTHS = (150, 112, 76, 102, 86, 300)
_BRANCH = Qt.ItemDataRole.UserRole
_READING = "reading…"


class FileTree(QTreeWidget):
    """Groups, datasets, attributes and links; broken ones in red, with the reason."""

    below_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._file = Path()
        self._items: dict[str, QTreeWidgetItem] = {}
        self.setHeaderLabels(list(COLUMNS))
        self.setUniformRowHeights(True)
        self.setMinimumHeight(120)
        header = self.header()
        assert header is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, width)
        self.itemExpanded.connect(self._on_expanded)

    @property
    def branch(self) -> Entry | None:
        """What is selected."""
        item = self.currentItem()
        return None if item is None else item.data(NAME, _BRANCH)

    def show_file(self, file: Path, top: Iterable[Entry]) -> None:
        """Start over with what is directly below the root of a file."""
        self.clear()
        self._file, self._items = file, {}
        root = self.invisibleRootItem()
        assert root is not None
        self._fill(root, top)
        if root.childCount() == 1 and (only := root.child(0)) is not None:
            only.setExpanded(True)

    def show_below(self, path: str, branches: Iterable[Entry]) -> None:
        """Put what was read below the line that was unfolded."""
        item = self._items.get(path)
        if item is not None:
            item.takeChildren()
            self._fill(item, branches)

    def show_problem(self, path: str, sentence: str) -> None:
        """Say below a line why it could not be unfolded."""
        self.show_below(path, [Entry(path=f"{path}/", kind="broken", problem=sentence)])

    def item(self, path: str) -> QTreeWidgetItem | None:
        """Return the line of a path, where it was read already."""
        return self._items.get(path)

    def _fill(self, parent: QTreeWidgetItem, branches: Iterable[Entry]) -> None:
        for branch in branches:
            item = QTreeWidgetItem(self._texts(branch))
            item.setData(NAME, _BRANCH, branch)
            self._dress(item, branch)
            self._items[branch.path] = item
            parent.addChild(item)

    def _texts(self, branch: Entry) -> list[str]:
        problem = branch.problem.removeprefix(f"{self._file}: ")
        return [
            branch.name,
            " × ".join(map(str, branch.shape)),
            branch.type,
            " × ".join(map(str, branch.chunks)),
            branch.compression,
            problem or branch.value or (f"→ {branch.link}" if branch.link else ""),
        ]

    def _dress(self, item: QTreeWidgetItem, branch: Entry) -> None:
        tip = branch.problem or "\n".join(
            part for part in (branch.path, branch.value, branch.link) if part
        )
        for column in range(len(COLUMNS)):
            item.setToolTip(column, tip)
            if branch.kind == "broken":
                item.setForeground(column, QBrush(BROKEN))
        if not branch.leaf:
            item.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator)

    def _on_expanded(self, item: QTreeWidgetItem) -> None:
        branch: Entry = item.data(NAME, _BRANCH)
        if item.childCount() == 0 and not branch.leaf:
            item.addChild(QTreeWidgetItem([_READING]))
            self.below_wanted.emit(branch.path)
