"""A label for whole sentences."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy


class WrappedLabel(QLabel):
    """Wrapped, selectable, never wider than the dock, and always as tall as its text.

    Qt's layouts ask a wrapped label for its height before they know its width, and a scroll
    area does not ask again: the last line would be cut off now and then.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def setText(self, text: str | None) -> None:  # noqa: N802 - Qt's name
        """Show plain text: what files say is never interpreted."""
        self.setTextFormat(Qt.TextFormat.PlainText)
        super().setText(text)
        self._fit()

    def set_html(self, text: str) -> None:
        """Show rich text, in which everything out of files is escaped."""
        self.setTextFormat(Qt.TextFormat.RichText)
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Wrap at another place."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._fit()

    def changeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Follow another font, which napari's style sheet decides late."""
        super().changeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.setMinimumHeight(0)  # what was needed before would count as needed now
        self.setMinimumHeight(max(self.heightForWidth(self.width()), 0))


def as_tooltip(lines: Iterable[str]) -> str:
    """Join lines for a tooltip, which Qt would otherwise interpret as rich text."""
    return "<br>".join(map(escape, lines))
