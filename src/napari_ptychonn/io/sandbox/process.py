"""The client of the reader process: start it, send questions, and end it when it hangs.

HDF5 makes no promise about damaged files: some crash it, some keep it busy
for ever.  So it runs in a process of its own (`server.py`), and what it
does to that process comes back as a sentence.
"""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from multiprocessing.spawn import get_executable
from pathlib import Path
from typing import Any

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.sandbox.messages import Header, receive, send
from napari_ptychonn.processes.subprocess_runner import describe_exit, end_process, start_process

logger = logging.getLogger(__name__)

PATIENCE = 8.0
"""Seconds that one question may take, beside the time that its data need."""

_PROGRAM: tuple[str, ...] = ("-P", "-m", "napari_ptychonn.io.sandbox.server")
"""With -P no module is taken from the folder of the scan, should napari have been started there."""

_PIPE = 2**20
_START = 60.0
_REMEMBERED = 60.0
_NOT_FOR_CHILDREN = ("HDF5_DRIVER", "HDF5_DRIVER_CONFIG", "HDF5_VDS_PREFIX", "HDF5_EXT_PREFIX",
                     "HDF5_EXTFILE_PREFIX")  # fmt: skip
"""They change where HDF5 looks for the files that a file names."""


class _EndedError(Exception):
    """The process ended instead of answering."""


class _NoStartError(_EndedError):
    """The process ended before there was a question."""


class ReaderProcess:
    """A reader process, started by the first question and restarted after it ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._known: set[int] = set()
        self._released: deque[int] = deque()

    @property
    def pid(self) -> int | None:
        """Number of the process; None where it does not run."""
        process = self._process
        return None if process is None else process.pid

    def ask(self, question: Header, seconds: float = 0.0) -> Any:
        """Ask one question and wait for the answer.

        Parameters
        ----------
        question : dict
            `do`, `number`, `file`, `what` (for messages) and what else `Service.answer` needs.
        seconds : float
            Allowance for reading the data from a slow disk with a strong compression;
            `PATIENCE` is added to it.

        Raises
        ------
        InputError
            When it is refused, or the process crashed over it or took too long.
        """
        if (known := _hangs.about(question)) is not None:
            raise _refusal(question, known)
        seconds += PATIENCE
        question = question | {"seconds": seconds}
        with self._lock:
            try:
                answer, value = self._exchange_with_retry(question)
            except _NoStartError as error:
                raise RuntimeError(str(error)) from error
            except _EndedError as error:
                why = (
                    f"{question['what']} cannot be read, it is damaged: the library that reads it "
                    f"crashed ({error}), in a process of its own."
                )
                logger.warning("%s", why)
                raise _refusal(question, why) from None
            except TimeoutError:
                why = (
                    f"{question['what']} could not be read within {seconds:.0f} s: it is damaged, "
                    "or its disk does not answer."
                )
                logger.warning("%s", why)
                _hangs.note(question, why)
                raise _refusal(question, why) from None
        if "refused" in answer:
            raise _refusal(question, **answer["refused"])
        if "defect" in answer:
            raise RuntimeError(f"{question['what']}, {question['do']}:\n{answer['defect']}")
        return value

    def release(self, number: int) -> None:
        """Close a tree or source: now, or before the next question when another is being answered.

        Called when an object is collected, perhaps in the middle of a question.
        """
        if number not in self._known:
            return
        self._released.append(number)
        if self._lock.acquire(blocking=False):
            try:
                self._close_released()
            finally:
                self._lock.release()

    def start(self) -> None:
        """Start the process without waiting for it, unless it runs."""
        if self._lock.acquire(blocking=False):
            try:
                self._started()
            finally:
                self._lock.release()

    def end(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        self._known.clear()
        self._released.clear()
        if process is None:
            return
        assert process.stdout is not None
        end_process(process)
        process.stdout.close()

    def detach_after_fork(self) -> None:
        """In a forked child: leave the reader process to the parent."""
        _left_to_parent.append(self._process)
        self.__init__()  # type: ignore[misc]

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.end()
            self._process = _start()
            self._ready = False
        return self._process

    def _exchange_with_retry(self, question: Header) -> tuple[Header, Any]:
        try:
            return self._exchange(question)
        except _EndedError:
            # It may have been ended from outside, or by what an earlier file left behind.
            return self._exchange(question)

    def _exchange(self, question: Header) -> tuple[Header, Any]:
        try:
            process = self._started()
            if not self._ready:
                _wait_until_ready(process)
                self._ready = True
            self._close_released()
            self._known.add(question["number"])
            return _exchange_once(process, question)
        except BaseException:
            # Interrupted in the middle of an answer, the rest of it would be taken for the next.
            self.end()
            raise

    def _close_released(self) -> None:
        while self._released:
            number = self._released.popleft()
            self._known.discard(number)
            if self._process is not None and self._ready:
                close = {"do": "close", "number": number, "seconds": PATIENCE, "what": "closing"}
                try:
                    _exchange_once(self._process, close)
                except (_EndedError, TimeoutError):
                    self.end()


def _refusal(question: Header, message: str, **attributes: Any) -> InputError:
    """Make the error of a refused question, with the file and dataset that it is about."""
    about = {"file": question.get("file"), "dataset": question.get("path")}
    return InputError(message, **about | attributes)


class _Hangs:
    """What could not be read in time, so that asking again does not take as long again."""

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], tuple[float, str]] = {}

    def note(self, question: Header, why: str) -> None:
        self._found[_subject(question)] = time.monotonic() + _REMEMBERED, why

    def about(self, question: Header) -> str | None:
        if not self._found or (subject := _subject(question)) not in self._found:
            return None
        until, why = self._found[subject]
        return why if time.monotonic() < until else None


def _subject(question: Header) -> tuple[Any, ...]:
    """A file as it is now; where frames are asked for, just these frames of it."""
    frames = (question["path"], repr(question["keys"])) if question["do"] == "blocks" else ()
    return (*_version(question["file"]), *frames)


def _version(file: str) -> tuple[Any, ...]:
    try:
        found = Path(file).stat()
    except OSError:
        return (file,)
    return file, found.st_mtime_ns, found.st_size


def _start() -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if k not in _NOT_FOR_CHILDREN}
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
    process = start_process(
        [get_executable(), *_PROGRAM],
        environment=environment,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parent,
    )
    _widen(process)
    return process


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Let a pipe hold many frames: with Linux's 64 KiB the processes take turns all the time."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        assert process.stdout is not None
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    watch = threading.Timer(_START, process.kill)
    watch.daemon = True
    watch.start()
    try:
        assert process.stdout is not None
        receive(process.stdout)
    except (EOFError, OSError, ValueError) as error:
        raise _NoStartError(
            f"the process that opens files did not start: {process.args!r} ended with "
            f"{process.wait()}; is napari_ptychonn installed for this Python?"
        ) from error
    finally:
        watch.cancel()


def _exchange_once(process: subprocess.Popen[bytes], question: Header) -> tuple[Header, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    begun = time.monotonic()
    try:
        send(process.stdin, question)
        return receive(process.stdout)
    except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
        process.kill()  # it may still run, but out of sync with the protocol
        code = process.wait()
        if isinstance(error, EOFError) and time.monotonic() - begun >= question["seconds"]:
            raise TimeoutError from error
        raise _EndedError(describe_exit(code)) from error


_hangs = _Hangs()
_left_to_parent: list[Any] = []
main_thread_reader, other_threads_reader = ReaderProcess(), ReaderProcess()
_children = (main_thread_reader, other_threads_reader)


def reader_process() -> ReaderProcess:
    """Return the process of this thread: one for the window, so that it waits for no job."""
    if threading.current_thread() is threading.main_thread():
        return main_thread_reader
    main_thread_reader.start()  # the window will want to show what is loaded here
    return other_threads_reader


def release(number: int) -> None:
    """Close a tree or source in the reader process that opened it."""
    for one in _children:
        one.release(number)


def end_all() -> None:
    """End every reader process; the next question starts one."""
    for one in _children:
        one.end()


def _detach_all() -> None:
    for one in _children:
        one.detach_after_fork()


atexit.register(end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_detach_all)
