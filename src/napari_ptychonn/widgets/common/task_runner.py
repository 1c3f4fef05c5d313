"""Runs one task in napari's thread pool; the only adapter to napari's workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker

from napari_ptychonn.errors import InputError
from napari_ptychonn.tasks.events import Event, Failed, Task

log = logging.getLogger(__name__)


class _NamedCall(partial[Any]):
    """Call that napari shows by a name, when a window is closed while it runs."""

    name: str

    def __repr__(self) -> str:
        return self.name


class TaskRunner:
    """Run a task in a thread; callbacks come in the main thread, and none after `abandon`.

    A failed task sends `Failed` as its last event instead of raising: napari's
    generator worker ends silently, without `errored` or `finished`, when the
    generator raises a RuntimeError, and running out of GPU memory is one.

    Parameters
    ----------
    task : Task
        What to run.
    on_event : callable
        Gets every event of the task.
    on_end : callable
        Called once, however the task ended.
    """

    def __init__(
        self, task: Task, on_event: Callable[[Event], None], on_end: Callable[[], None]
    ) -> None:
        self._task: Task | None = task
        self._on_event, self._on_end = on_event, on_end
        self._stop = False
        self._connected = True
        call = _NamedCall(self._run)
        call.name = f"PtychoNN ({task.activity})"
        self._worker: GeneratorWorker[Event, None, None] = create_worker(
            call, _start_thread=False, _ignore_errors=True
        )
        self._worker.yielded.connect(self._yielded)
        self._worker.finished.connect(self._finished)
        self._worker.errored.connect(self._finished)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def stop(self) -> None:
        """End the task early; what it yields until then still arrives."""
        self._stop = True

    def abandon(self) -> None:
        """End the task and receive no more of it: the window or the dock is closing."""
        self._connected = False
        self._stop = True
        self._worker.quit()

    def _should_stop(self) -> bool:
        # When the window closes, napari itself requests the worker to quit.
        return self._stop or self._worker.abort_requested

    def _run(self) -> Iterator[Event]:
        task, self._task = self._task, None  # so that the thread keeps no frames alive
        assert task is not None
        try:
            yield from task.run(self._should_stop)
        except Exception as error:
            yield Failed(reason=_reason(error))

    def _is_connected(self) -> bool:
        """False once the window is closing: events still arrive then."""
        return self._connected and not self._worker.abort_requested

    def _yielded(self, event: Event) -> None:
        if self._is_connected():
            self._on_event(event)

    def _finished(self, _error: object = None) -> None:
        if self._is_connected():
            self._connected = False
            self._on_end()


def _reason(error: Exception) -> str:
    """One sentence for the user; a defect also leaves its traceback in the log."""
    if isinstance(error, InputError):
        return str(error)
    log.exception("a background task failed")
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return "Not enough memory: choose a smaller batch size or another device."
    first = (str(error).strip().splitlines() or [""])[0]
    return f"Something went wrong ({type(error).__name__}: {first}); the log has the details."
