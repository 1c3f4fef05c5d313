"""What was found beside a scan: a sentence each, with a link that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptychonn.io.sidecars import SidecarSuggestion
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel

LINK = "#4dabf7"
"""Qt's own blue cannot be read on a dark window."""


class SidecarsLabel(QWidget):
    """Nothing is used before somebody follows its link; then the signal carries the offer."""

    offer_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._offers: tuple[SidecarSuggestion, ...] = ()
        self.text = WrappedLabel()
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.text.linkActivated.connect(self.choose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        self.show_offers(())

    def show_offers(self, offers: Sequence[SidecarSuggestion]) -> None:
        """Show these and no others."""
        self._offers = tuple(offers)
        self.setVisible(bool(offers))
        self.text.set_html("<br>".join(_line(k, offer) for k, offer in enumerate(offers)))

    def choose(self, number: str) -> None:
        """Use one, by its number; it is not offered any more."""
        chosen = self._offers[int(number)]
        self.show_offers([offer for offer in self._offers if offer is not chosen])
        self.offer_chosen.emit(chosen)


def _line(number: int, offer: SidecarSuggestion) -> str:
    facts = f" ({escape(offer.facts)})" if offer.facts else ""
    link = f'<a href="{number}" style="color: {LINK}">use as {offer.kind}</a>'
    return f"Found <b>{escape(offer.file.name)}</b>{facts}: {link}"
