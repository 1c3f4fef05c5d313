"""Compare: the held-out numbers against the reconstruction, beside those of a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_ptychonn.session import Session
from napari_ptychonn.widgets.section import sentence_label

if TYPE_CHECKING:
    from napari_ptychonn.core.metrics import Comparison

COLUMNS = ("single-shot", "in the beam", "mosaic", "constant")
EXPLANATION = (
    "single-shot: whole patches, one frame each. in the beam: weighted by where the beam was. "
    "mosaic: their overlap average. constant: what predicting one number would give."
)
Row = tuple[str, tuple[float | None, ...]]


class ComparePanel(QWidget):
    """A table that is empty until there is a result and something to compare it with."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.sentence = sentence_label()
        self.table = _table()
        layout.addWidget(self.sentence)
        layout.addWidget(self.table)
        self.refresh()

    def refresh(self) -> None:
        """Show the session's numbers."""
        comparison = self._session.comparison
        self.table.setVisible(comparison is not None)
        if comparison is None:
            self.sentence.setText(
                "Predict first: the numbers against the reconstruction come here."
            )
            return
        self.sentence.setText(f"{self._which()} {comparison.sentence}.")
        for k, (label, values) in enumerate(rows(comparison)):
            self.table.setVerticalHeaderItem(k, QTableWidgetItem(label))
            for column, value in enumerate(values):
                text = "–" if value is None else f"{value:.3f}"
                item = QTableWidgetItem(text)
                item.setTextAlignment(
                    int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                )
                self.table.setItem(k, column, item)
        height = sum(self.table.rowHeight(k) for k in range(self.table.rowCount()))
        self.table.setFixedHeight(height + _header(self.table.horizontalHeader()).height() + 4)

    def _which(self) -> str:
        return "Held out:" if self._has_held_out() else "None held out, so all:"

    def _has_held_out(self) -> bool:
        result = self._session.result
        return result is not None and result.held_out is not None and len(result.held_out) > 0


def rows(comparison: Comparison) -> list[Row]:
    """Label and one number to a column; None where a number makes no sense."""
    shot, lit, mosaic = comparison.single_shot, comparison.lit, comparison.mosaic
    return [
        (
            "phase error, rad",
            (shot.phase_mae, lit.phase_mae, mosaic.phase_mae, shot.constant_phase_mae),
        ),
        (
            "phase correlation",
            (shot.phase_correlation, lit.phase_correlation, mosaic.phase_correlation, None),
        ),
        (
            "ampl. error",
            (
                shot.amplitude_mae,
                lit.amplitude_mae,
                mosaic.amplitude_mae,
                shot.constant_amplitude_mae,
            ),
        ),
        (
            "ampl. correlation",
            (
                shot.amplitude_correlation,
                lit.amplitude_correlation,
                mosaic.amplitude_correlation,
                None,
            ),
        ),
        ("phase SSIM", (None, None, mosaic.phase_ssim, None)),
    ]


def _table() -> QTableWidget:
    table = QTableWidget(5, len(COLUMNS))
    table.setHorizontalHeaderLabels(COLUMNS)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setToolTip(EXPLANATION)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    _header(table.horizontalHeader()).setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    _header(table.verticalHeader()).setDefaultSectionSize(22)
    return table


def _header(header: QHeaderView | None) -> QHeaderView:
    """A table always has its headers; only PyQt's type stubs doubt it."""
    assert header is not None
    return header
