"""The import dialog: the datasets of a file, their mapping, and a preview of the scan.

Opened for a file that is not recognised or lacks something, and to correct
one that was recognised wrongly.  All reading happens in the background, in
the process that opens files; a file that crashes it ends in a sentence here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.layouts.user import user_layouts
from napari_ptychonn.io.mapping.inspect import Inspection
from napari_ptychonn.io.mapping.mapping import DatasetMapping
from napari_ptychonn.io.mapping.preview import MappingPreview
from napari_ptychonn.io.mapping.roles import NAMES
from napari_ptychonn.tasks.events import Failed, Task
from napari_ptychonn.tasks.import_dialog import (
    Expanded,
    ExpandTask,
    FindPositionsTask,
    Inspected,
    InspectTask,
    PositionsFound,
    Previewed,
    PreviewTask,
)
from napari_ptychonn.widgets.common.activity_spinner import pause_spinner
from napari_ptychonn.widgets.common.task_runner import TaskRunner
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.import_dialog.file_tree import FileTree
from napari_ptychonn.widgets.import_dialog.mapping_form import MappingForm
from napari_ptychonn.widgets.import_dialog.preview import MappingPreviewPanel

SIZE = (1400, 800)
_PAUSE = 250
"""Milliseconds without a change before the preview is made anew."""

_MOST_NOTES = 4


class ImportDialog(QDialog):
    """Which dataset is what.

    Parameters
    ----------
    file : Path
        What to choose from.
    why : str
        Why it could not be opened by itself; '' to correct one that could.
    layout : Layout or None
        How it was read before, where that was chosen by hand.
    place : str or None
        The other file that its positions were read from, where that was chosen.
    theme : str
        Of napari.
    parent : QWidget
        The window.
    """

    chosen = Signal(object, bool, object)
    """Emitted with the `Layout`, whether to remember it, and another file of positions or None."""

    def __init__(
        self,
        file: Path,
        why: str,
        layout: Layout | None,
        place: str | None,
        theme: str,
        parent: QWidget | None,
    ) -> None:
        super().__init__(parent)
        self.file, self._why, self._place = file, why, place
        self.survey: Inspection | None = None
        self.seen: MappingPreview | None = None
        self._workers: set[TaskRunner] = set()
        self._preview_worker: TaskRunner | None = None
        self._closed = False
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Dataset mapping: {file.name}")
        screen, size = self.screen(), QSize(*SIZE)
        self.resize(size if screen is None else size.boundedTo(screen.availableSize()))
        self.tree, self.form, self.preview = FileTree(), MappingForm(), MappingPreviewPanel(theme)
        self.why = WrappedLabel(self._short(why))
        self.state = WrappedLabel("Looking through the file…")
        self.name = QLineEdit()
        self.replaces = QLabel()
        self.use = QToolButton()
        self.selected = WrappedLabel("Unfold a group to see what is in it.")
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._look)
        self._connect()
        self._enable()
        self._start(InspectTask(file=file, layout=layout), self._on_inspected)

    @property
    def open_button(self) -> QPushButton:
        """Takes the choice."""
        button = self.buttons.button(QDialogButtonBox.StandardButton.Open)
        assert button is not None
        return button

    @property
    def is_ready(self) -> bool:
        """Whether what is chosen can be opened."""
        return self.seen is not None and not self.seen.problem and self.form.missing is None

    def say(self, sentence: str) -> None:
        """Put a sentence where the user looks before pressing Open."""
        self.state.setText(self._short(sentence))

    def _short(self, sentence: str) -> str:
        """Leave out the file that the title names, and what follows from it."""
        short = sentence.removeprefix(f"{self.file}: ")
        return short[:1].upper() + short[1:]

    def done(self, result: int) -> None:
        """End what runs, and go."""
        self._closed = True
        self._timer.stop()
        for worker in self._workers:
            worker.abandon()
        self._workers.clear()
        super().done(result)
        self.deleteLater()

    # -- background ------------------------------------------------------------------------

    def _start(self, task: Task, received: Callable[[Any], None]) -> TaskRunner:
        def ended() -> None:
            self._workers.discard(worker)

        worker = TaskRunner(task, received, ended)
        self._workers.add(worker)
        worker.start()
        return worker

    def _pause_spinner(self) -> None:
        """A file that was dropped leaves napari's spinner turning, which slows all of this."""
        window = self.parentWidget()
        if window is not None:
            pause_spinner(window)

    def _on_inspected(self, event: Inspected | Failed) -> None:
        self._pause_spinner()
        if isinstance(event, Failed):
            self.say(event.reason)
            return
        self.survey = value = event.inspection
        self.tree.show_file(value.file, value.top)
        if value.problem and not self._why:
            self.why.setText(self._short(value.problem))
            self.why.setVisible(True)
        self.name.setText(value.name)
        self.form.setEnabled(True)
        self.form.start(value.ranking, value.choice)
        if self._place is not None:
            self.form.take_place(self._place)

    def ask_for_place(self) -> None:
        """Let the user name a file of positions."""
        name, _ = QFileDialog.getOpenFileName(
            self, "Positions of another file", str(self.file.parent)
        )
        if name:
            self.look_for_place(Path(name))

    def look_for_place(self, file: Path) -> None:
        """Take the positions of another file; where several datasets fit, offer them all."""

        def received(event: PositionsFound | Failed) -> None:
            if isinstance(event, Failed):
                self.say(event.reason)
            else:
                self.form.take_place(*event.sources)

        lead = self.form.lead
        self.say(f"Looking through {file.name}…")
        self._start(FindPositionsTask(file=file, lead=lead), received)

    def _unfold(self, path: str) -> None:
        def received(event: Expanded | Failed) -> None:
            if isinstance(event, Failed):
                self.tree.show_problem(path, event.reason)
            else:
                self.tree.show_below(path, event.entries)

        self._start(ExpandTask(file=self.file, path=path), received)

    def _on_change(self) -> None:
        self.seen = None
        if self._preview_worker is not None:
            self._preview_worker.abandon()
            self._workers.discard(self._preview_worker)
            self._preview_worker = None
        missing = self.form.missing
        self.say(missing or "Reading…")
        if missing is not None and "frames" not in self.form.choice.picks:
            self._timer.stop()
            self.preview.clear()
        else:
            self._timer.start()
        self._enable()

    def _look(self) -> None:
        choice, place = self.form.choice, self.form.place

        def received(event: Previewed | Failed) -> None:
            self._preview_worker = None
            self._on_preview(event)

        task = PreviewTask(file=self.file, mapping=choice, positions=place)
        self._preview_worker = self._start(task, received)

    def _on_preview(self, event: Previewed | Failed) -> None:
        self._pause_spinner()
        if isinstance(event, Failed):
            self.say(event.reason)
            return
        self.seen = value = event.preview
        self.preview.show_glimpse(value)
        self.say(self.form.missing or value.problem or "\n".join(value.notes[:_MOST_NOTES]))
        self.state.setToolTip("\n".join(value.notes))
        self._enable()

    # -- what the user does ----------------------------------------------------------------

    def _take(self) -> None:
        if self.is_ready:
            choice: DatasetMapping = self.form.choice
            name = self.name.text().strip()
            self.chosen.emit(choice.layout(name), bool(name), self.form.place)

    def _enable(self) -> None:
        self.open_button.setEnabled(self.is_ready)

    def _on_name(self, name: str) -> None:
        taken = {layout.name for layout in user_layouts()}
        self.replaces.setText("replaces yours of this name" if name.strip() in taken else "")

    def _on_selection(self) -> None:
        branch = self.tree.branch
        roles = self.form.roles_of(branch) if branch is not None else ()
        if branch is not None:
            self.selected.setText(self._short(branch.problem) or f"/{branch.path}")
        self.use.setEnabled(bool(roles))
        menu = self.use.menu()
        assert menu is not None
        menu.clear()
        for role in roles:
            action = menu.addAction(NAMES[role])
            assert action is not None
            assert branch is not None
            path = branch.path
            action.triggered.connect(lambda _on, role=role, path=path: self.form.use(role, path))

    def _connect(self) -> None:
        self.tree.below_wanted.connect(self._unfold)
        self.tree.itemSelectionChanged.connect(self._on_selection)
        self.form.changed.connect(self._on_change)
        self.form.place_wanted.connect(self.ask_for_place)
        self.name.textChanged.connect(self._on_name)
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self) -> None:
        self.form.setEnabled(False)
        self.why.setVisible(bool(self._why))
        self.use.setText("Use as")
        self.use.setStyleSheet("QToolButton { padding-right: 16px; }")
        self.use.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.use.setMenu(QMenu(self.use))
        self.use.setEnabled(False)
        self.name.setPlaceholderText("a name, to read files like this one in the same way")
        left = QSplitter(Qt.Orientation.Vertical)
        left.addWidget(self._tree_page())
        left.addWidget(self.preview)
        left.setSizes([SIZE[1] // 2, SIZE[1] // 2])
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(self._form_page())
        split.setSizes([SIZE[0] // 2, SIZE[0] // 2])
        layout = QVBoxLayout(self)
        layout.addWidget(self.why)
        layout.addWidget(split, 1)

    def _tree_page(self) -> QWidget:
        page, below = QWidget(), QHBoxLayout()
        below.addWidget(self.selected, 1)
        below.addWidget(self.use, 0, Qt.AlignmentFlag.AlignBottom)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree, 1)
        layout.addLayout(below)
        return page

    def _form_page(self) -> QWidget:
        page, named = QWidget(), QHBoxLayout()
        named.addWidget(QLabel("Remember as"))
        named.addWidget(self.name, 1)
        named.addWidget(self.replaces)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        layout.addStretch(1)
        layout.addWidget(self.state)
        layout.addLayout(named)
        layout.addWidget(self.buttons)
        return page
