"""One background job in napari's thread pool: values come back, errors become one sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker

from napari_ptychonn.errors import InputError

log = logging.getLogger(__name__)

Job = Callable[[Callable[[], bool]], Iterator[Any]]
"""Makes the generator that does the work, given the function that says when to stop."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job ended before its time, for the user."""

    sentence: str


class Worker:
    """Runs a job; all callbacks come in the main thread, and none after `abandon`.

    A failed job sends a `Failure` as its last value instead of raising: napari's
    generator worker ends silently, without `errored` or `finished`, when the
    generator raises a RuntimeError, and running out of GPU memory is one.

    Parameters
    ----------
    job : Job
        What to run.
    received : callable
        Gets every value of the job, and a `Failure` when it failed.
    ended : callable
        Called once, however the job ended.
    """

    def __init__(
        self, job: Job, received: Callable[[Any], None], ended: Callable[[], None]
    ) -> None:
        self._job: Job | None = job
        self._received, self._ended = received, ended
        self._stop = False
        self._listening = True
        self._worker: GeneratorWorker[Any, Any, Any] = create_worker(
            self._run, _start_thread=False, _ignore_errors=True
        )
        self._worker.yielded.connect(self._on_value)
        self._worker.finished.connect(self._on_end)
        self._worker.errored.connect(self._on_end)

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def stop(self) -> None:
        """Ask the job to end early; what it yields until then still arrives."""
        self._stop = True

    def abandon(self) -> None:
        """End the job and hear no more of it: the window or the dock is going away."""
        self._listening = False
        self._stop = True
        self._worker.quit()

    def _should_stop(self) -> bool:
        # When the window closes, napari itself asks the worker to quit.
        return self._stop or self._worker.abort_requested

    def _run(self) -> Iterator[Any]:
        job, self._job = self._job, None
        assert job is not None
        try:
            yield from job(self._should_stop)
        except Exception as error:
            yield Failure(sentence=_sentence(error))

    def _heard(self) -> bool:
        """Whether there is still somebody to tell: values arrive even after the window closed."""
        return self._listening and not self._worker.abort_requested

    def _on_value(self, value: Any) -> None:
        if self._heard():
            self._received(value)

    def _on_end(self, _error: Any = None) -> None:
        if self._heard():
            self._listening = False
            self._ended()


def _sentence(error: Exception) -> str:
    """What the user reads; a defect also leaves its traceback in the log."""
    if isinstance(error, InputError):
        return str(error)
    log.exception("a background job failed")
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return "Not enough memory: choose a smaller batch size or another device."
    first = (str(error).strip().splitlines() or [""])[0]
    return f"Something went wrong ({type(error).__name__}: {first}); the log has the details."
