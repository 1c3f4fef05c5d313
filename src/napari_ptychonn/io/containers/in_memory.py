"""Files that are taken in whole, or mapped by their own library: arrays and attributes by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory
from napari_ptychonn.data.frame_source import ArraySource, FrameSource
from napari_ptychonn.io.containers.entries import entries_among
from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.containers.signature import Container


class InMemoryArray:
    """An array in memory."""

    def __init__(self, path: str, values: NDArray[Any]) -> None:
        self.path, self._values = path, values
        self.shape, self.dtype = values.shape, values.dtype

    def read(self) -> NDArray[Any]:
        """All of it."""
        return self._values

    def source(self) -> FrameSource:
        """All of it."""
        return ArraySource(self._values)


class MappedArray:
    """An array that some library reads piece by piece."""

    def __init__(self, path: str, source: FrameSource) -> None:
        self.path, self._source = path, source
        self.shape, self.dtype = source.shape, source.dtype

    def read(self) -> NDArray[Any]:
        """Read all of it, if it fits."""
        check_fits_memory(self.path, self.shape, self.dtype)
        return self._source.block(tuple(slice(0, n) for n in self.shape))

    def source(self) -> FrameSource:
        """Open it for reading piece by piece."""
        return self._source


class InMemoryTree:
    """A file as arrays by path, and attributes by path and name.

    Parameters
    ----------
    file : Path
        Where they come from.
    container : str
        What kind of file it is.
    arrays : sequence of HeldArray or MappedArray
        What is in it.
    attributes : mapping, optional
        (path, name) to value.
    close : callable, optional
        Lets go of the file.
    """

    still_written = False

    def __init__(
        self,
        file: Path,
        container: Container,
        arrays: list[InMemoryArray | MappedArray],
        attributes: Mapping[tuple[str, str], Any] | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self.file, self.container = file, container
        self._arrays = {array.path: array for array in arrays}
        self._attributes = dict(attributes or {})
        self._close = close

    def array(self, path: str) -> InMemoryArray | MappedArray | None:
        """Return the array at `path`."""
        return self._arrays.get(path.strip("/"))

    def exists(self, path: str) -> bool:
        """True if there is an array or a group at `path`."""
        path = path.strip("/")
        return path in self._arrays or any(p.startswith(f"{path}/") for p in self._arrays)

    def attribute(self, path: str, name: str) -> Any | None:
        """Return one attribute."""
        return self._attributes.get((path.strip("/"), name))

    def arrays(self) -> Iterator[InMemoryArray | MappedArray]:
        """Go through every array."""
        yield from self._arrays.values()

    def groups(self) -> Iterator[str]:
        """Go through every group."""
        names = (p.split("/")[:-1] for p in self._arrays)
        yield from sorted({"/".join(n[: k + 1]) for n in names for k in range(len(n))})

    def branches(self, path: str) -> list[Entry]:
        """List what is directly below a group."""
        return entries_among(self._arrays.values(), path, self._attributes)

    def problems(self) -> tuple[str, ...]:
        """Nothing is left out."""
        return ()

    def close(self) -> None:
        """Close the file."""
        if self._close is not None:
            self._close()

    def __enter__(self) -> InMemoryTree:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def no_objects(values: Any) -> NDArray[Any] | None:
    """Return plain numbers or text as an array; None for Python objects and structures."""
    array = np.asarray(values)
    return array if array.dtype.kind in "biufcSU" else None
