"""The process that opens files: `python -m napari_ptychonn.io.sandbox.server`.

It answers questions that arrive on its standard input, one at a time, until
that is closed.  Every question names the file that it is about, so that a
new process can go on where a crashed one stopped.  Imports neither torch
nor Qt.
"""

from __future__ import annotations

import faulthandler
import math
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import format_bytes, memory_limit
from napari_ptychonn.data.frame_source import ArraySource, FrameSource, Key
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.open import open_container
from napari_ptychonn.io.containers.tree import Array, Tree
from napari_ptychonn.io.sandbox.messages import (
    Header,
    dtype_as_json,
    dtype_from_json,
    receive,
    send,
)

_MOST_OPEN = 100
"""A system lets a process have 256 files open, or more."""

_LARGE = 64 * 2**20
_STDERR = 2

_Open = TypeVar("_Open", Tree, FrameSource)


class Service:
    """The trees and sources that are open, by the number that the other side gave them."""

    def __init__(self) -> None:
        self._trees: dict[int, Tree] = {}
        self._sources: dict[int, FrameSource] = {}

    def answer(self, question: Header) -> Any:
        """Do what is asked."""
        match question["do"]:
            case "open":
                tree = self._tree(question)
                return {"container": tree.container, "still_written": tree.still_written}
            case "exists":
                return self._tree(question).exists(question["path"])
            case "array":
                found = self._tree(question).array(question["path"])
                return None if found is None else _about(found)
            case "attribute":
                return self._tree(question).attribute(question["path"], question["name"])
            case "arrays":
                return [_about(a) for a in self._tree(question).arrays()]
            case "groups":
                return list(self._tree(question).groups())
            case "branches":
                return [b.as_json() for b in self._tree(question).branches(question["path"])]
            case "problems":
                return list(self._tree(question).problems())
            case "read":
                return _array_of(self._tree(question), question).read()
            case "source":
                source = _array_of(self._tree(question), question).source()
                return not isinstance(source, ArraySource) or source.mapped
            case "blocks":
                source = self._source(question)
                return _concatenate([source.block(_key(key)) for key in question["keys"]])
            case "close":
                self._close(question["number"])
                return None
            case other:
                raise ValueError(f"no such question: {other!r}")

    def _tree(self, question: Header) -> Tree:
        number, file = question["number"], Path(question["file"])
        return _open_or_reuse(self._trees, number, lambda: open_container(file))

    def _source(self, question: Header) -> FrameSource:
        return _open_or_reuse(self._sources, question["number"], lambda: _opened(question))

    def _close(self, number: int) -> None:
        tree, source = self._trees.pop(number, None), self._sources.pop(number, None)
        for opened in (tree, source):
            if opened is not None:
                with suppress(OSError, RuntimeError):  # a damaged file may not even close
                    opened.close()


def _open_or_reuse(opened: dict[int, _Open], number: int, open_it: Callable[[], _Open]) -> _Open:
    """Return what is open, or open it, and close what was not used for longest: files are few."""
    found = opened.pop(number, None)
    if found is None:
        while len(opened) >= _MOST_OPEN:
            opened.pop(next(iter(opened))).close()
        found = open_it()
    opened[number] = found
    return found


def _opened(question: Header) -> FrameSource:
    # From the file itself, so that whatever is read has been vetted in this very process.
    with open_container(Path(question["file"])) as tree:
        return _array_of(tree, question).source()


def _array_of(tree: Tree, question: Header) -> Array:
    """Return the array that was described before; InputError when it is another one now."""
    path = question["path"]
    array = tree.array(path)
    if array is None:
        raise InputError(f"{tree.file}: {path} is no longer in the file; open it again.")
    shape, dtype = tuple(question["shape"]), dtype_from_json(question["dtype"])
    found = dtype_from_json(dtype_as_json(array.dtype))
    if array.shape != shape or found != dtype:
        raise InputError(
            f"{tree.file}: {path} was {dtype} {shape} when it was opened and is now "
            f"{found} {array.shape}; open it again.",
            expected=f"{dtype} {shape}",
            got=f"{found} {array.shape}",
        )
    return array


def _about(array: Array) -> Header:
    about = {"path": array.path, "shape": array.shape, "dtype": dtype_as_json(array.dtype)}
    if math.prod(array.shape) * array.dtype.itemsize > _LARGE:
        about["stored"] = getattr(array, "stored", None)  # some readers cannot tell
    return about


def _key(spans: list[tuple[int, int]]) -> Key:
    return tuple(slice(start, stop) for start, stop in spans)


def _concatenate(blocks: list[NDArray[Any]]) -> NDArray[Any]:
    return blocks[0].ravel() if len(blocks) == 1 else np.concatenate([b.ravel() for b in blocks])


def _answered(service: Service, question: Header) -> tuple[Header, Any]:
    """Header and value of the answer; a refusal is an answer too."""
    try:
        return {}, service.answer(question)
    except InputError as error:
        return {"refused": _as_json(error)}, None
    except MemoryError:
        refusal = InputError(
            f"{question['what']} needs more than the {format_bytes(memory_limit())} of memory that "
            "reading a file may take.",
            expected=memory_limit(),
        )
        return {"refused": _as_json(refusal)}, None
    except Exception:
        return {"defect": traceback.format_exc()}, None


def _as_json(error: InputError) -> Header:
    """Message and attributes of an error; values that are not JSON are sent as text."""
    header: Header = {"message": str(error)}
    for name in ("file", "dataset", "expected", "got"):
        value = getattr(error, name)
        if value is not None:
            header[name] = value if isinstance(value, int | float | str) else str(value)
    return header


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Keep the two pipes for messages; what a library prints must not get into them."""
    questions, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return os.fdopen(questions, "rb"), os.fdopen(answers, "wb")


def _cap_memory() -> None:
    """Let a file that decompresses without end fail, not swap; not possible on Windows."""
    try:
        import resource
    except ImportError:
        return
    with suppress(ValueError, OSError):  # an administrator may have set less
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit(), most))


def _end_after(seconds: float) -> None:
    """End this process when it is still busy then, even inside a library; 0 calls it off.

    The parent may have ended by then and would not do it.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)  # SIGALRM ends a process without handler
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)
    else:
        faulthandler.cancel_dump_traceback_later()


def main() -> None:
    """Answer until the other side closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that asks
    questions, answers = _own_pipes()
    _cap_memory()
    service = Service()
    with suppress(EOFError, BrokenPipeError):
        send(answers, {}, "ready")
        while True:
            question, _ = receive(questions)
            _end_after(question["seconds"])
            answer, value = _answered(service, question)
            _end_after(0)
            send(answers, answer, value)


if __name__ == "__main__":
    main()
