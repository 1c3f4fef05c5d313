"""Studies: the paper's experiments on the scan that is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
)

from napari_ptychonn.app.session import Session
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction.availability import why_not
from napari_ptychonn.studies.events import StudyProgressed, StudyTask, StudyUpdated
from napari_ptychonn.studies.export import write_study
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels._panel import SessionPanel
from napari_ptychonn.widgets.panels.reconstruct import ReconstructPanel
from napari_ptychonn.widgets.panels.train import TrainPanel
from napari_ptychonn.widgets.task_controller import TaskController

if TYPE_CHECKING:
    from napari_ptychonn.studies.study import Study

Kind = Literal["Sparse sampling", "Training size", "Warm start"]
KINDS: tuple[Kind, ...] = get_args(Kind)

EXPLANATIONS: dict[Kind, str] = {
    "Sparse sampling": "Reconstructs and predicts the scan with ever larger steps, as Fig. 4 of "
    "the paper. Needs a model.",
    "Training size": "Trains on the first so many frames of the region and tests on the held-out "
    "ones, as Fig. 5 of the paper.",
    "Warm start": "Reconstructs the held-out frames from a flat object and from the mosaic. "
    "Needs a model.",
}
OPTIONS = "Iterations and algorithm as under Reconstruct; recipe and device as under Train."
NAMES: dict[Kind, str] = {
    "Sparse sampling": "sparse",
    "Training size": "size",
    "Warm start": "warm-start",
}
FILES = "Figure (*.png *.pdf *.svg);;Numbers (*.csv *.json)"


class StudiesPanel(SessionPanel):
    """The paper's experiments on the present scan: one at a time, with its table."""

    def __init__(
        self,
        session: Session,
        tasks: TaskController,
        reconstruct: ReconstructPanel,
        train: TrainPanel,
    ) -> None:
        super().__init__(session, tasks)
        self._reconstruct, self._train = reconstruct, train
        self.study: Study | None = None
        self._studied: Kind = KINDS[0]
        self._build()
        for signal, slot in (
            (session.scan_loaded, self.forget),
            (session.region_chosen, self.refresh),
            (session.model_changed, self._on_model),
            (session.study_progressed, self.show_event),
            (session.task_finished, self._on_task_finished),
        ):
            self.connections.add(signal, slot)
        self.connect_refresh()

    @property
    def kind(self) -> Kind:
        """The study chosen."""
        return KINDS[self.which.currentIndex()]

    def refresh(self) -> None:
        """Enable what can be pressed now."""
        running = self._session.running
        missing = self._what_is_missing()
        self.run.setEnabled(not missing and not running)
        self.run.setToolTip(missing or OPTIONS)
        self.stop.setEnabled(running == "studying")
        self.save.setEnabled(self.study is not None)
        self.progress.setVisible(running == "studying")
        self.which.setEnabled(running != "studying")
        self.values.setEnabled(running != "studying")

    def start(self) -> None:
        """Run the study, with the options of the other sections."""
        self._tasks.try_start(lambda: StudyTask(study=self._study()))

    def _study(self) -> Callable[..., Iterator[Any]]:
        """Bind all arguments of the study but `should_stop`.

        Raises
        ------
        InputError
            When something is missing, or the list is none.
        """
        if missing := self._what_is_missing():
            raise InputError(missing)
        session, values = self._session, self._values()
        engine, recipe = self._reconstruct.options.value, self._train.options.value
        network, device = self._train.network.value, session.device
        scan, model, reconstruction = session.scan, session.model, session.reconstruction
        region = session.region
        assert scan is not None and reconstruction is not None
        self.study, self._studied = None, self.kind
        self.table.setText("")
        self.say("")
        # Only now: these import torch.
        from napari_ptychonn.studies import (
            TrainingRecipe,
            size_study,
            sparse_study,
            warm_start_study,
        )

        if self.kind == "Training size":
            assert region is not None
            pool = np.sort(np.concatenate([region.train, region.validation, region.gap]))
            return partial(
                size_study,
                scan,
                reconstruction,
                pool,
                sizes=values or None,
                recipe=TrainingRecipe(training=recipe, network=network),
                device=device,
            )
        assert model is not None
        if self.kind == "Warm start":
            return partial(
                warm_start_study, scan, model, reconstruction, options=engine, device=device
            )
        return partial(
            sparse_study,
            scan,
            model,
            reconstruction,
            every=values or (1, 2, 3, 4, 5),
            options=engine,
            device=device,
        )

    def show_event(self, event: StudyProgressed | StudyUpdated) -> None:
        """Show the progress, or all points that are finished."""
        if isinstance(event, StudyProgressed):
            progress = event.progress
            self.progress.setRange(0, progress.total)
            self.progress.setValue(progress.done)
            self.progress.setFormat(f"{progress.step}: %v of %m")
            return
        value = self.study = event.study
        head, lines = value.summary
        self.table.set_html(_table(head, lines))
        self.say(value.sentence)
        self.save.setEnabled(True)

    def _on_task_finished(self, activity: str, reason: str) -> None:
        if activity == "studying" and reason:
            self.say(reason)

    def _on_model(self) -> None:
        if not self._session.running:
            self.refresh()

    def say(self, text: str) -> None:
        """Show an outcome, or which file was written."""
        self.said.setVisible(bool(text))
        self.said.setText(text)

    def forget(self) -> None:
        """Another scan is loaded: the last study is not of it."""
        self.study = None
        self.table.setText("")
        self.say("")
        self.refresh()

    # -- inside ----------------------------------------------------------------------------

    def _build(self) -> None:
        self.which = QComboBox()
        self.which.addItems(KINDS)
        self.explanation = WrappedLabel()
        self.label, self.values = QLabel(), QLineEdit()
        row = QHBoxLayout()
        row.addWidget(self.label)
        row.addWidget(self.values)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1)
        self.table, self.said = WrappedLabel(), WrappedLabel()
        self._layout.addWidget(self.which)
        self._layout.addWidget(self.explanation)
        self._layout.addLayout(row)
        self._layout.addLayout(self._buttons())
        for widget in (self.progress, self.table, self.said):
            self._layout.addWidget(widget)
        self.which.currentTextChanged.connect(self._on_kind)
        self._on_kind(self.kind)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.run, self.stop = QPushButton("Run"), QPushButton("Stop")
        self.save = QPushButton("Save…")
        self.stop.setToolTip("Stop, and keep what is finished.")
        self.save.setToolTip("The figure (.png, .pdf, .svg), or the numbers (.csv, .json).")
        self.run.clicked.connect(self._on_run)
        self.stop.clicked.connect(self._on_stop)
        self.save.clicked.connect(self._on_save)
        for button in (self.run, self.stop, self.save):
            row.addWidget(button)
        return row

    def _on_kind(self, _text: str) -> None:
        kind = self.kind
        self.explanation.setText(EXPLANATIONS[kind])
        self.label.setText("Frames" if kind == "Training size" else "Steps, ×")
        self.values.setText("" if kind == "Training size" else "1, 2, 3, 4, 5")
        self.values.setPlaceholderText("100, 200, 400, …")
        self.label.setVisible(kind != "Warm start")
        self.values.setVisible(kind != "Warm start")
        self.refresh()

    def _on_run(self) -> None:
        self.start()

    def _on_stop(self) -> None:
        self._tasks.stop()

    def _on_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the study", f"{NAMES[self._studied]}.png", FILES
        )
        if path:
            self.save_study(path)

    def save_study(self, path: str) -> None:
        """Write the study as a figure or a table, by extension, in the background."""
        study = self.study
        if study is not None:
            self._tasks.save("study", path, lambda file: write_study(file, study), self.say)

    def _values(self) -> tuple[int, ...]:
        text = self.values.text().strip()
        if not text or self.kind == "Warm start":
            return ()
        try:
            values = tuple(int(part) for part in text.replace("×", "").split(","))
        except ValueError:
            values = (0,)
        if min(values) < 1:
            raise InputError(f"expected whole numbers such as 1, 2, 5, got '{text}'.")
        return values

    def _what_is_missing(self) -> str:
        session = self._session
        if session.scan is None:
            return "Open a scan first."
        if session.reconstruction is None:
            return "Choose or make a reconstruction first: errors are against it."
        if self.kind == "Training size":
            return "" if session.region is not None else "Choose a training region first."
        if session.model is None:
            return "Train a model, or load one, first."
        return why_not()


def _table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """Rich text, which takes the theme's colours and can be copied."""
    rows = ["".join(f'<th align="right">{name}</th>' for name in head)]
    rows += ["".join(f'<td align="right">{cell}</td>' for cell in line) for line in lines]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<table width="100%" cellpadding="2" style="font-size: small">{body}</table>'
