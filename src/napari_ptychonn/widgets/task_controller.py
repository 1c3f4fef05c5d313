"""Starts tasks: one main task at a time, and small ones beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error

from napari_ptychonn.app.session import Session
from napari_ptychonn.errors import InputError
from napari_ptychonn.tasks.events import EpochEnded, Event, Failed, Loaded, NotRecognised, Task
from napari_ptychonn.tasks.save import SaveTask
from napari_ptychonn.widgets.common.task_runner import TaskRunner

log = logging.getLogger(__name__)


class TaskController:
    """Runs the main task of a session, whose events the session applies, and background tasks.

    A main task opens, reconstructs, trains, predicts or studies; `Session.running`
    is its activity.  Background tasks compare, save or search; a newer one
    of the same name replaces the one that runs.

    Parameters
    ----------
    session : Session
        Claims the main task and applies its events.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._main: TaskRunner | None = None
        self._background: dict[str, TaskRunner] = {}
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """True once the dock has been closed."""
        return self._closed

    def start(self, task: Task) -> bool:
        """Start a main task; False while another one runs."""
        if self._closed or not self._session.start_task(task.activity):
            return False
        scan = self._session.scan
        reasons: list[str] = []

        def on_event(event: Event) -> None:
            if isinstance(event, Failed):
                reasons.append(event.reason)
                log.error(event.reason)
                show_error(event.reason)
            elif self._session.scan is scan or isinstance(event, Loaded | NotRecognised):
                self._apply(event)
            elif isinstance(event, EpochEnded):
                # Another scan was loaded meanwhile: its views are not for this task's pictures.
                self._session.set_model(event.epoch.best, unsaved=True)

        def on_end() -> None:
            self._main = None
            self._session.finish_task("".join(reasons), same_scan=self._session.scan is scan)

        self._main = TaskRunner(task, on_event, on_end)
        self._main.start()
        return True

    def try_start(self, make_task: Callable[[], Task | None]) -> bool:
        """Start the main task that a form makes; what its options do not allow is shown."""
        try:
            task = make_task()
        except InputError as error:
            show_error(str(error))
            return False
        return task is not None and self.start(task)

    def stop(self) -> None:
        """End the main task early; its best results so far are kept."""
        if self._main is not None:
            self._main.stop()

    def start_background(
        self, name: str, task: Task, on_event: Callable[[Any], None] | None = None
    ) -> None:
        """Start a task beside the main one, in place of the running one of the same name.

        The session applies its events unless `on_event` takes them; events about a
        scan that is not loaded any more are dropped.
        """
        if self._closed:
            return
        self.abandon_background(name)
        number = self._session.scan_number

        def apply(event: Event) -> None:
            # A reconstruction or a report of another scan must never reach this one.
            if self._session.scan_number == number:
                self._apply(event)

        def on_end() -> None:
            self._background.pop(name, None)

        self._background[name] = TaskRunner(task, on_event or apply, on_end)
        self._background[name].start()

    def abandon_background(self, name: str) -> None:
        """End a background task whose outcome is of no use any more."""
        if (runner := self._background.pop(name, None)) is not None:
            runner.abandon()

    @property
    def is_saving(self) -> bool:
        """True while any file is being written."""
        return any(name.startswith("save ") for name in self._background)

    def runs_in_background(self, name: str) -> bool:
        """True while a background task of this name runs."""
        return name in self._background

    def save(
        self,
        kind: str,
        path: str,
        write: Callable[[str], object],
        show: Callable[[str], None],
        saved: Callable[[], None] = lambda: None,
    ) -> None:
        """Write a file in the background, one of each kind at a time.

        Parameters
        ----------
        kind : str
            'model', 'result' and so on, for messages.
        path : str
            File to write.
        write : callable
            Writes it, given the path; runs in the background.
        show : callable
            Shows a line of text where the file was requested.
        saved : callable
            Called once the file is complete, in the main thread.
        """
        name = f"save {kind}"
        if self.runs_in_background(name):
            show_error(
                f"The {kind} is not saved: the last one is still being written. Save it after that."
            )
            return

        def on_event(event: Event) -> None:
            if isinstance(event, Failed):
                show("")
                show_error(event.reason)
                return
            show(f"Saved the {kind} as {Path(path).name}.")
            saved()

        show(f"Saving the {kind} as {Path(path).name}…")
        self.start_background(name, SaveTask(path=path, write=write), on_event)

    def _apply(self, event: Event) -> None:
        """Let the session take an event; what it cannot use is shown."""
        if isinstance(event, Failed):
            show_error(event.reason)
            return
        try:
            self._session.apply(event)
        except InputError as error:
            show_error(str(error))

    def close(self) -> None:
        """End all tasks within one batch and receive no more events."""
        self._closed = True
        if self._main is not None:
            self._main.abandon()
            self._main = None
        for name in list(self._background):
            self.abandon_background(name)
