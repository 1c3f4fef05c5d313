"""A label for whole sentences."""

from __future__ import annotations

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
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def setText(self, text: str | None) -> None:  # noqa: N802 - Qt's name
        """Show other words."""
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
