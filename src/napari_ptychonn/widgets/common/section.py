"""A titled part of the dock that can be folded away."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Section(QWidget):
    """A heading that shows or hides what is below it.

    superqt's QCollapsible fixes the height of its content when it opens, so
    that a loss curve or a table that comes later would be cut off.

    Parameters
    ----------
    title : str
        On the heading.
    content : QWidget
        What belongs to it.
    expanded : bool
        Whether it starts open.
    """

    def __init__(self, title: str, *content: QWidget, expanded: bool = True) -> None:
        super().__init__()
        self.heading = QToolButton()
        self.heading.setText(title)
        self.heading.setCheckable(True)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.heading.setStyleSheet("QToolButton { font-weight: bold; text-align: left; }")
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(8, 2, 2, 6)
        body.setSpacing(4)
        for widget in content:
            body.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.heading)
        layout.addWidget(self._body)
        self.heading.toggled.connect(self._show_body)
        self.heading.setChecked(expanded)
        self._show_body(expanded)

    def _show_body(self, shown: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow
        self.heading.setArrowType(arrow)
        self._body.setVisible(shown)
