"""What was not saved last time is offered at the top of the dock."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ptychonn.app import autosave as drafts
from napari_ptychonn.app.autosave import Autosave
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel


class AutosaveBanner(QWidget):
    """One sentence and two buttons for the newest draft; not there where there is none."""

    use_requested = Signal(Autosave)

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 2, 6)
        layout.setSpacing(4)
        self.sentence = WrappedLabel()
        self.use = QPushButton("Use this model")
        self.use.setToolTip("It stays on offer until it is saved.")
        self.discard = QPushButton("Discard")
        self.discard.setToolTip("Delete it for good.")
        row = QHBoxLayout()
        row.addWidget(self.use)
        row.addWidget(self.discard)
        layout.addWidget(self.sentence)
        layout.addLayout(row)
        self.use.clicked.connect(self._on_use)
        self.discard.clicked.connect(self._on_discard)
        self._drafts = drafts.drafts()
        self._show()

    @property
    def draft(self) -> Autosave | None:
        """The one that is offered."""
        return self._drafts[0] if self._drafts else None

    def _show(self) -> None:
        draft = self.draft
        self.setVisible(draft is not None)
        self.sentence.setText("" if draft is None else draft.sentence)

    def _on_use(self) -> None:
        draft, self._drafts = self.draft, []
        self._show()
        if draft is not None:
            self.use_requested.emit(draft)

    def _on_discard(self) -> None:
        draft, self._drafts = self.draft, self._drafts[1:]
        if draft is not None:
            drafts.drop(draft.path)
        self._show()
