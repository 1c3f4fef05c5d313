"""Compare: how far to trust a result, and its held-out numbers against the reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptychonn.session import Session
from napari_ptychonn.widgets.section import sentence_label

if TYPE_CHECKING:
    from napari_ptychonn.core.metrics import Comparison

COLUMNS = ("single<br>shot", "in the<br>beam", "mosaic", "con-<br>stant")
EXPLANATION = (
    "single shot: whole patches, one frame each. in the beam: weighted by where the beam was. "
    "mosaic: their overlap average. constant: what predicting one number would give. "
    "Errors are mean absolute ones, amplitude in the units of the reconstruction."
)
TRUST_EXPLANATION = (
    "Each predicted patch, lit by the probe and carried to the detector, should give the frame "
    "that it was predicted from; how far it does not is its residual, and no reconstruction is "
    "needed for it. "
    "The largest residual that is no sign of trouble was found on the validation frames."
)
Row = tuple[str, tuple[float | None, ...]]


class ComparePanel(QWidget):
    """A sentence on trust once there is a result, a table once there is something to compare."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.sentence = sentence_label()
        self.table = sentence_label()
        self.table.setToolTip(EXPLANATION)
        self.trust = sentence_label()
        self.trust.setToolTip(TRUST_EXPLANATION)
        layout.addWidget(self.sentence)
        layout.addWidget(self.table)
        layout.addWidget(self.trust)
        self.refresh()

    def refresh(self) -> None:
        """Show the session's numbers."""
        result, comparison = self._session.result, self._session.comparison
        trust = None if result is None else result.trust
        self.trust.setVisible(trust is not None)
        self.trust.setText("" if trust is None else trust.sentence)
        self.table.setVisible(comparison is not None)
        if comparison is None:
            self.sentence.setText(
                "Predict first: the numbers against the reconstruction come here."
            )
            return
        which = "Held out:" if self._has_held_out() else "None held out, so all:"
        self.sentence.setText(f"{which} {comparison.sentence}.")
        self.table.setText(table(comparison))

    def _has_held_out(self) -> bool:
        result = self._session.result
        return result is not None and result.held_out is not None and len(result.held_out) > 0


def rows(comparison: Comparison) -> list[Row]:
    """Label and one number to a column; None where a number makes no sense."""
    shot, lit, mosaic = comparison.single_shot, comparison.lit, comparison.mosaic
    phase = (shot.phase_correlation, lit.phase_correlation, mosaic.phase_correlation, None)
    amplitude = (
        shot.amplitude_correlation,
        lit.amplitude_correlation,
        mosaic.amplitude_correlation,
        None,
    )
    return [
        (
            "phase error, rad",
            (shot.phase_mae, lit.phase_mae, mosaic.phase_mae, shot.constant_phase_mae),
        ),
        ("phase correlation", phase),
        (
            "amplitude error",
            (
                shot.amplitude_mae,
                lit.amplitude_mae,
                mosaic.amplitude_mae,
                shot.constant_amplitude_mae,
            ),
        ),
        ("ampl. correlation", amplitude),
        ("phase SSIM", (None, None, mosaic.phase_ssim, None)),
    ]


def table(comparison: Comparison) -> str:
    """The rows as rich text, which takes the theme's colours and can be copied."""
    head = "".join(f'<th align="right">{name}</th>' for name in ("", *COLUMNS))
    lines = [f"<tr>{head}</tr>"]
    for label, values in rows(comparison):
        cells = "".join(
            f'<td align="right">{"–" if value is None else f"{value:.3f}"}</td>' for value in values
        )
        lines.append(f"<tr><td>{label}</td>{cells}</tr>")
    return f'<table width="100%" cellpadding="2" style="font-size: small">{"".join(lines)}</table>'
