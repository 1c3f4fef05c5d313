"""A column of sections that scrolls up and down and is never too narrow for its content."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication, QFrame, QScrollArea, QVBoxLayout, QWidget


class Column(QScrollArea):
    """Sections below each other.

    Parameters
    ----------
    sections : QWidget
        From top to bottom.
    """

    def __init__(self, *sections: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        for part in sections:
            layout.addWidget(part)
        layout.addStretch(1)
        self.setWidget(content)
        content.installEventFilter(self)
        self._needed = 0
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.timeout.connect(self._settle)

    def eventFilter(self, watched: QObject | None, event: Any) -> bool:  # noqa: N802 - Qt's name
        """Follow the content's least width, which napari's style sheet decides late."""
        content = self.widget()
        if content is not None and watched is content and event.type() == QEvent.Type.LayoutRequest:
            bar = self.verticalScrollBar()
            room = bar.sizeHint().width() if bar is not None else 0
            self.setMinimumWidth(content.minimumSizeHint().width() + room)
            self._again.start(50)
        return bool(super().eventFilter(watched, event))

    def _settle(self) -> None:
        """Lay out once more: labels that wrap learn their width, and so their height, late."""
        content = self.widget()
        layout = content.layout() if content is not None else None
        if content is None or layout is None:
            return
        layout.activate()
        needed = layout.minimumSize().height()
        if needed != self._needed:
            self._needed = needed
            QApplication.postEvent(content, QEvent(QEvent.Type.LayoutRequest))
