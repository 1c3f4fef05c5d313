"""Whether scan and reconstruction belong together, and a button that corrects the scan."""

from __future__ import annotations

from html import escape

from psygnal import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_ptychonn.consistency.consistency import Consistency
from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel


class ConsistencyLabel(QWidget):
    """Shows the checks of a scan with its reconstruction; emits the correction to apply."""

    correction_chosen = Signal(object)
    correction_kept = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._correction: ScanCorrection | None = None
        self.text = WrappedLabel()
        self.button = QPushButton("Correct the scan")
        self.button.clicked.connect(self._on_button)
        self.keep_button = QPushButton("Correct and save as a layout")
        self.keep_button.setToolTip(
            "Correct this scan, and from now on every file of the same layout."
        )
        self.keep_button.clicked.connect(self._on_keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addWidget(self.button)
        layout.addWidget(self.keep_button)
        self.show_consistency(None)

    def show_consistency(
        self, consistency: Consistency | None, *, has_layout: bool = False
    ) -> None:
        """Show the result of the checks; None hides it.

        Parameters
        ----------
        consistency : Consistency or None
            Of the scan with its reconstruction.
        has_layout : bool
            Whether the scan came from a file whose layout can hold a correction.
        """
        self._correction = None if consistency is None else consistency.correction
        self.button.setVisible(self._correction is not None)
        self.keep_button.setVisible(self._correction is not None and has_layout)
        if self._correction is not None:
            self.button.setToolTip(
                f"Read the scan so that {self._correction.description}. On the command line: "
                f"--correct {self._correction}"
            )
        lines = [] if consistency is None else _lines(consistency)
        self.setVisible(bool(lines))
        self.text.set_html("<br>".join(lines))

    def _on_button(self) -> None:
        if self._correction is not None:
            self.correction_chosen.emit(self._correction)

    def _on_keep(self) -> None:
        if self._correction is not None:
            self.correction_kept.emit(self._correction)


def _lines(consistency: Consistency) -> list[str]:
    if consistency.warnings:
        return [f"<b>⚠</b> {escape(warning)}" for warning in consistency.warnings]
    far_field = consistency.far_field
    if far_field is None:
        return []
    return [
        escape(
            f"Object and probe explain {100 * max(far_field.explained, 0):.0f} % of the "
            f"differences between frames (misfit {far_field.misfit:.3g}, noise alone "
            f"{far_field.noise_misfit:.3g})."
        )
    ]
