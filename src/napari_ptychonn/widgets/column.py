"""A column of sections that scrolls up and down and is never too narrow for its content."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

SETTLED_MS = 200
"""What has just been shown has found its place by then."""

GROWTH = 100
"""Pixels below what is revealed that are shown too: sentences grow."""


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
        self._revealed: QWidget | None = None
        self._reveal = QTimer(self)
        self._reveal.setSingleShot(True)
        self._reveal.setInterval(SETTLED_MS)
        self._reveal.timeout.connect(self._show_revealed)

    def reveal(self, widget: QWidget) -> None:
        """Scroll as little as shows a widget, in a moment."""
        self._revealed = widget
        self._reveal.start()

    def eventFilter(self, watched: QObject | None, event: Any) -> bool:  # noqa: N802 - Qt's name
        """Follow the content's least width, which napari's style sheet decides late."""
        content = self.widget()
        if content is not None and watched is content and event.type() == QEvent.Type.LayoutRequest:
            bar = self.verticalScrollBar()
            room = bar.sizeHint().width() if bar is not None else 0
            self.setMinimumWidth(content.minimumSizeHint().width() + room)
        return bool(super().eventFilter(watched, event))

    def _show_revealed(self) -> None:
        widget, self._revealed = self._revealed, None
        if widget is not None and widget.isVisible():
            self.ensureWidgetVisible(widget, 0, GROWTH)
