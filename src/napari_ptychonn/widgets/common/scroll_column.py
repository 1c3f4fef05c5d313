"""A column of sections that scrolls up and down and is never too narrow for its content."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

SETTLED_MS = 200
"""So long after the last change of the layout a widget has found its place."""

FOLLOWED_MS = 2000
"""So long what is revealed is kept in view while the layout changes."""

BELOW = 20
"""Pixels below what is revealed that are shown too."""


class ScrollColumn(QScrollArea):
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
        self._settled, self._followed = QTimer(self), QTimer(self)
        for timer, length, slot in (
            (self._settled, SETTLED_MS, self._show_revealed),
            (self._followed, FOLLOWED_MS, self._forget_revealed),
        ):
            timer.setSingleShot(True)
            timer.setInterval(length)
            timer.timeout.connect(slot)

    def reveal(self, widget: QWidget) -> None:
        """Scroll as little as shows the lower end of a widget, in a moment."""
        self._revealed = widget
        self._settled.start()
        self._followed.start()

    def eventFilter(self, watched: QObject | None, event: Any) -> bool:  # noqa: N802 - Qt's name
        """Follow the content's least width, which napari's style sheet decides late."""
        content = self.widget()
        if content is not None and watched is content and event.type() == QEvent.Type.LayoutRequest:
            bar = self.verticalScrollBar()
            room = bar.sizeHint().width() if bar is not None else 0
            self.setMinimumWidth(content.minimumSizeHint().width() + room)
            if self._revealed is not None:
                self._settled.start()
        return bool(super().eventFilter(watched, event))

    def _show_revealed(self) -> None:
        widget, content = self._revealed, self.widget()
        if widget is not None and content is not None and widget.isVisible():
            bottom = widget.mapTo(content, widget.rect().bottomLeft()).y()
            self.ensureVisible(0, bottom, 0, BELOW)

    def _forget_revealed(self) -> None:
        self._show_revealed()
        self._revealed = None
