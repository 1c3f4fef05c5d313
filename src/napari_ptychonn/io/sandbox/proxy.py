"""Files that the reader process has open, with the interface of any other tree."""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory
from napari_ptychonn.data.frame_source import ArraySource, FrameSource, Key
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.compression_ratio import check_compression_ratio
from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.containers.signature import Container, container_of
from napari_ptychonn.io.sandbox.messages import Header, dtype_as_json, dtype_from_json
from napari_ptychonn.io.sandbox.process import reader_process, release

_PIECE = 16 * 2**20
"""Most bytes of one answer."""

_SLOWEST = 4 * 2**20
"""Bytes a second that even a slow disk, a strong compression and a busy machine give."""

_SECONDS_A_MIB = {"BZ2": 4.0, "MATLAB": 1.0, "TIFF": 1.0}
"""Files that are unpacked when they are opened take as long as they are large."""

_LIBERTEM = 60.0
"""Seconds to import it, where it was not used for long."""

_numbers = itertools.count()


class RemoteSource:
    """An array of frames, read in pieces; the other process opens its file at the first read."""

    def __init__(self, file: Path, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.file, self.path, self.shape = file, path, shape
        self.dtype = dtype.newbyteorder("=")  # as values are sent
        self._number = next(_numbers)
        self._question = {
            "do": "blocks",
            "number": self._number,
            "file": os.path.abspath(file),  # the other process has a working folder of its own
            "what": f"{file}: {path}",
            "path": path,
            "shape": shape,
            "dtype": dtype_as_json(dtype),
        }

    def block(self, key: Key) -> NDArray[Any]:
        """Read one block."""
        return next(self.blocks([key]))

    def blocks(self, keys: Sequence[Key]) -> Iterator[NDArray[Any]]:
        """Read several blocks with as few questions as possible, each of which is answered soon."""
        few: list[_Request] = []
        size = 0
        for key in keys:
            block = _Request(key, self.shape, self.dtype)
            size += block.size
            if size > _PIECE:
                yield from self._together(few)
                few, size = [], block.size
            if block.size > _PIECE:
                yield block.shaped(self._in_pieces(block.spans))
                size = 0
            else:
                few.append(block)
        yield from self._together(few)

    def _together(self, few: list[_Request]) -> Iterator[NDArray[Any]]:
        values = self._ask([block.spans for block in few]) if few else np.empty(0, self.dtype)
        start = 0
        for block in few:
            yield block.shaped(values[start : start + block.count])
            start += block.count

    def _in_pieces(self, spans: list[range]) -> NDArray[Any]:
        shape = [len(span) for span in spans]
        size = math.prod(shape) * self.dtype.itemsize
        axis = next((i for i, n in enumerate(shape) if n > 1), 0)
        if size <= _PIECE or axis >= max(1, len(shape) - 2):
            return self._ask([spans])
        values = np.empty(math.prod(shape), self.dtype)
        step = max(1, _PIECE * shape[axis] // size)
        done = 0
        for start in range(0, shape[axis], step):
            part = [*spans[:axis], spans[axis][start : start + step], *spans[axis + 1 :]]
            piece = self._in_pieces(part)
            values[done : done + len(piece)] = piece
            done += len(piece)
        return values

    def _ask(self, blocks: list[list[range]]) -> NDArray[Any]:
        """Read blocks, their values one after the other."""
        count = sum(math.prod(len(span) for span in spans) for spans in blocks)
        keys = [[[span.start, span.stop] for span in spans] for spans in blocks]
        values = reader_process().ask(self._question | {"keys": keys}, _seconds(count, self.dtype))
        if np.shape(values) != (count,) or values.dtype.newbyteorder("=") != self.dtype:
            raise InputError(
                f"{self.file}: expected {count} values of {self.dtype} from {self.path}, "
                f"got {np.shape(values)} of {values.dtype}; open it again.",
                file=self.file,
                dataset=self.path,
                expected=count,
                got=np.shape(values),
            )
        return np.asarray(values, self.dtype)

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        release(self._number)

    def __del__(self) -> None:
        if not sys.is_finalizing():
            release(self._number)


class _Request:
    """One requested block: spans to read, and the shape that NumPy would give it."""

    def __init__(self, key: Key, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        whole = (*key, *(slice(None),) * (len(shape) - len(key)))
        self.spans = [_span(k, n) for k, n in zip(whole, shape, strict=True)]
        self.count = math.prod(len(span) for span in self.spans)
        self.size = self.count * dtype.itemsize
        pairs = zip(self.spans, whole, strict=True)
        self._shape = [len(span) for span, k in pairs if isinstance(k, slice)]

    def shaped(self, values: NDArray[Any]) -> NDArray[Any]:
        return values.reshape(self._shape)


def _span(key: int | slice, length: int) -> range:
    return range(*key.indices(length)) if isinstance(key, slice) else range(key, key + 1)


def _seconds(count: int, dtype: np.dtype[Any]) -> float:
    return count * dtype.itemsize / _SLOWEST


def _seconds_to_open(file: Path) -> float:
    container = container_of(file)
    if container == "4D-STEM":
        return _LIBERTEM
    return _SECONDS_A_MIB.get(container, 0.0) * file.stat().st_size / 2**20


class RemoteArray:
    """One array in a file."""

    def __init__(self, tree: RemoteTree, about: Header) -> None:
        self._tree = tree
        self.path: str = about["path"]
        self.shape = tuple(int(n) for n in about["shape"])
        self.dtype = dtype_from_json(about["dtype"])
        self.stored: int | None = about.get("stored")
        self._expected = {k: about[k] for k in ("path", "shape", "dtype")}

    def read(self) -> NDArray[Any]:
        """Read all of it; a large one in pieces."""
        what = f"{self._tree.file}: {self.path}"
        check_fits_memory(what, self.shape, self.dtype)
        check_compression_ratio(what, self.shape, self.dtype, self.stored)
        size = math.prod(self.shape) * self.dtype.itemsize
        if size > _PIECE and self._comes_in_pieces():
            return self._remote().block((slice(None),) * len(self.shape))
        seconds = _seconds(math.prod(self.shape), self.dtype)
        return np.asarray(self._tree.ask("read", what, seconds, **self._expected))

    def source(self) -> FrameSource:
        """Open it for reading piece by piece, or read it where that saves nothing."""
        return self._remote() if self._comes_in_pieces() else ArraySource(self.read())

    def _comes_in_pieces(self) -> bool:
        what = f"{self._tree.file}: {self.path}"
        is_unpacked = self._tree.container == "NPZ"  # all of it, to open it
        seconds = _seconds(math.prod(self.shape), self.dtype) if is_unpacked else 0.0
        return bool(self._tree.ask("source", what, seconds, **self._expected))

    def _remote(self) -> RemoteSource:
        return RemoteSource(self._tree.file, self.path, self.shape, self.dtype)


class RemoteTree:
    """One open file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._absolute = os.path.abspath(file)  # the other process has a working folder of its own
        self._number = next(_numbers)
        about = self.ask("open", str(file), _seconds_to_open(file))
        self.container: Container = about["container"]
        self.still_written = bool(about["still_written"])

    def ask(self, do: str, what: str, seconds: float = 0.0, **more: Any) -> Any:
        """Ask the process that has the file open; see `ReaderProcess.ask`."""
        question = {"do": do, "number": self._number, "file": self._absolute, "what": what}
        return reader_process().ask(question | more, seconds)

    def array(self, path: str) -> RemoteArray | None:
        """Return the array at `path`, or None when there is none."""
        about = self.ask("array", f"{self.file}: {path}", path=path)
        return None if about is None else RemoteArray(self, about)

    def exists(self, path: str) -> bool:
        """True if there is an array or a group at `path`."""
        return bool(self.ask("exists", f"{self.file}: {path}", path=path))

    def attribute(self, path: str, name: str) -> Any | None:
        """Return one attribute; the others are not touched."""
        what = f"{self.file}: attribute {name} of /{path.strip('/')}"
        return self.ask("attribute", what, path=path, name=name)

    def arrays(self) -> Iterator[RemoteArray]:
        """Go through every array that can be reached safely."""
        for about in self.ask("arrays", str(self.file)):
            yield RemoteArray(self, about)

    def groups(self) -> Iterator[str]:
        """Go through every group below the root."""
        yield from self.ask("groups", str(self.file))

    def branches(self, path: str) -> list[Entry]:
        """List what is directly below a group or array."""
        entries = self.ask("branches", f"{self.file}: /{path.strip('/')}", path=path)
        return [Entry.from_json(one) for one in entries]

    def problems(self) -> tuple[str, ...]:
        """Sentences about links that were not followed."""
        return tuple(self.ask("problems", str(self.file)))

    def close(self) -> None:
        """Close the file."""
        release(self._number)

    def __del__(self) -> None:
        if not sys.is_finalizing():
            release(self._number)

    def __enter__(self) -> RemoteTree:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
