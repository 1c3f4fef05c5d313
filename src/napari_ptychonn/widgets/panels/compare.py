"""Compare: how far to trust a result, and its held-out numbers against the reconstruction."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ptychonn.app.session import Session
from napari_ptychonn.plots.report_export import write_report
from napari_ptychonn.tasks.compare import CompareTask
from napari_ptychonn.widgets.canvas.viewer_controller import ViewerController
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels._panel import SessionPanel
from napari_ptychonn.widgets.panels.compare_table import errors_table, mosaic_table
from napari_ptychonn.widgets.task_controller import TaskController

if TYPE_CHECKING:
    from napari_ptychonn.comparison.aligned_images import Channel
    from napari_ptychonn.comparison.report import Report
    from napari_ptychonn.widgets.plots.comparison_plots import ProfilePlot, RingPlot

EXPLANATION = (
    "single shot: whole patches, one frame each. illuminated: weighted by the probe intensity. "
    "mosaic: their overlap average. constant: what predicting one number would give. "
    "Errors are mean absolute ones, amplitude in the units of the reconstruction."
)
MOSAIC_EXPLANATION = (
    "Of the mosaic of the same frames, after alignment. resolution: half the period at which the "
    "Fourier ring correlation with the reconstruction falls below the 1/2-bit threshold; ≤ where "
    "it never does on this grid."
)
TRUST_EXPLANATION = (
    "Each predicted patch, lit by the probe and carried to the detector, should give the frame "
    "that it was predicted from; how far it does not is its residual, and no reconstruction is "
    "needed for it. "
    "The largest residual that is no sign of trouble was found on the validation frames."
)
SPEED_EXPLANATION = (
    "Both times were measured, without imports and set-up, when the prediction and the "
    "reconstruction were made."
)
KINDS = "Figure (*.png *.pdf *.svg);;Numbers and curves (*.csv *.json)"


class ComparePanel(SessionPanel):
    """Uncertainty of a result, and its comparison with the reconstruction."""

    def __init__(
        self,
        session: Session,
        tasks: TaskController,
        canvas: ViewerController,
        theme: str = "dark",
    ) -> None:
        super().__init__(session, tasks)
        self._canvas, self._theme = canvas, theme
        self.rings: RingPlot | None = None
        self.profile: ProfilePlot | None = None
        self.sentence = WrappedLabel()
        self.table = WrappedLabel()
        self.table.setToolTip(EXPLANATION)
        self.mosaic = WrappedLabel()
        self.mosaic.setToolTip(MOSAIC_EXPLANATION)
        self.speed = WrappedLabel()
        self.speed.setToolTip(SPEED_EXPLANATION)
        self.uncertainty = WrappedLabel()
        self.uncertainty.setToolTip(TRUST_EXPLANATION)
        self.warnings = WrappedLabel()
        for label in (
            self.sentence,
            self.table,
            self.mosaic,
            self.speed,
            self.uncertainty,
            self.warnings,
        ):
            self._layout.addWidget(label)
        self.columns = self._make_columns()
        self._layout.addWidget(self.columns)
        self._curves = QVBoxLayout()
        self._layout.addLayout(self._curves)
        self.controls = self._make_controls()
        self._layout.addWidget(self.controls)
        self.said = WrappedLabel()
        self._layout.addWidget(self.said)
        for signal, slot in (
            (session.report_changed, self.refresh),
            (session.report_outdated, self.compare),
            (session.scan_loaded, self._abandon_comparison),
            (session.line_chosen, self.show_line),
            (canvas.columns_changed, self.tick_columns),
        ):
            self.connections.add(signal, slot)
        self.connect_refresh()

    def refresh(self) -> None:
        """Show the numbers of the session's report."""
        result, report = self._session.result, self._session.report
        trust = None if result is None else result.uncertainty
        self.uncertainty.setVisible(trust is not None)
        self.uncertainty.setText("" if trust is None else trust.sentence)
        doubts = [] if result is None else [*result.warnings]
        if report is not None and report.positions is not None and report.positions.warning:
            doubts.append(report.positions.warning)
        self.warnings.setVisible(bool(doubts))
        self.warnings.set_html("<br>".join(f"<b>⚠</b> {escape(doubt)}" for doubt in doubts))
        self.columns.setVisible(result is not None)
        self.show_difference.setEnabled(report is not None or self.show_difference.isChecked())
        speed = None if report is None else report.speed
        self.speed.setVisible(speed is not None)
        self.speed.setText("" if speed is None else speed.sentence)
        for widget in (self.table, self.mosaic, self.controls):
            widget.setVisible(report is not None)
        for plot in (self.rings, self.profile):
            if plot is not None:
                plot.setVisible(report is not None)
        if report is None:
            self.say("")
            self.sentence.setText(
                "Predict first: the numbers against the reconstruction come here."
            )
            return
        which = "Held out:" if report.selection == "held out" else "None held out, so all:"
        self.sentence.setText(f"{which} {report.comparison.sentence}.")
        self.table.set_html(errors_table(report.comparison))
        self.mosaic.set_html(mosaic_table(report.comparison))
        self._show_curves(report)

    def compare(self) -> None:
        """Compare in the background, beside what else runs; the latest comparison counts."""
        result, reconstruction = self._session.result, self._session.reconstruction
        self._tasks.abandon_background("compare")
        if result is not None and reconstruction is not None:
            task = CompareTask(result=result, reconstruction=reconstruction)
            self._tasks.start_background("compare", task)

    def _abandon_comparison(self) -> None:
        """The result that is being compared is cleared with its scan."""
        self._tasks.abandon_background("compare")

    def show_line(self) -> None:
        """Read both mosaics along the session's line."""
        report = self._session.report
        if report is None or self.profile is None:
            return
        channel: Channel = "amplitude" if self.channel.currentText() == "amplitude" else "phase"
        profile = report.full_mosaic.profile(self._session.line or report.line, channel)
        self.profile.show_profile(profile, channel, report.reference)

    def tick_columns(self, trust: bool, difference: bool) -> None:
        """Tick the columns that the canvas shows."""
        self.show_trust.setChecked(trust)
        self.show_difference.setChecked(difference)

    def say(self, text: str) -> None:
        """Show which file was written."""
        self.said.setVisible(bool(text))
        self.said.setText(text)

    def set_theme(self, theme: str) -> None:
        """Take the colours of another napari theme."""
        self._theme = theme
        for plot in (self.rings, self.profile):
            if plot is not None:
                plot.set_theme(theme)

    def _show_curves(self, report: Report) -> None:
        if self.rings is None or self.profile is None:
            # Only now: importing pyqtgraph takes longer than opening the dock may.
            from napari_ptychonn.widgets.plots.comparison_plots import ProfilePlot, RingPlot

            self.rings, self.profile = RingPlot(self._theme), ProfilePlot(self._theme)
            self._curves.addWidget(self.rings)
            self._curves.addWidget(self.profile)
        self.rings.show_pair(report.comparison.aligned)
        self.show_line()

    def _make_columns(self) -> QWidget:
        columns = QWidget()
        row = QHBoxLayout(columns)
        row.setContentsMargins(0, 0, 0, 0)
        self.show_trust = QCheckBox("uncertainty")
        self.show_trust.setToolTip(
            "Maps of where not to trust the mosaics, bright: spread, and residual."
        )
        self.show_difference = QCheckBox("differences")
        self.show_difference.setToolTip("Maps of mosaic minus reconstruction, once aligned.")
        self.show_trust.clicked.connect(self._on_trust)
        self.show_difference.clicked.connect(self._on_difference)
        for widget in (QLabel("Also show"), self.show_trust, self.show_difference):
            row.addWidget(widget)
        row.addStretch()
        return columns

    def _make_controls(self) -> QWidget:
        controls = QWidget()
        row = QHBoxLayout(controls)
        row.setContentsMargins(0, 0, 0, 0)
        self.channel = QComboBox()
        self.channel.addItems(["phase", "amplitude"])
        self.channel.setToolTip("What the profile shows.")
        self.channel.currentTextChanged.connect(self._on_channel)
        self.line = QPushButton("Draw line")
        self.line.setToolTip(
            "Draw the line of the profile on the map of the reconstruction's phase."
        )
        self.line.clicked.connect(self._on_line)
        self.export = QPushButton("Export…")
        self.export.setToolTip(
            "One page with mosaics, differences, curves and numbers (.png, .pdf, .svg), "
            "or numbers and curves alone (.csv, .json)."
        )
        self.export.clicked.connect(self._on_export)
        for widget in (self.channel, self.line, self.export):
            row.addWidget(widget)
        return controls

    def _on_trust(self, shown: bool) -> None:
        self._canvas.show_trust(shown)

    def _on_difference(self, shown: bool) -> None:
        self._canvas.show_difference(shown)

    def _on_channel(self, _text: str) -> None:
        self.show_line()

    def _on_line(self) -> None:
        self._canvas.drawing.draw_line()

    def _on_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export the comparison", "comparison.png", KINDS
        )
        if path:
            self.save(path)

    def save(self, path: str) -> None:
        """Write the comparison as a figure or a table, by extension, in the background."""
        report, line = self._session.report, self._session.line
        if report is not None:
            self._tasks.save(
                "comparison", path, lambda file: write_report(file, report, line), self.say
            )
