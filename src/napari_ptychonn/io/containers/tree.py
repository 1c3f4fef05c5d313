"""What every container looks like to the readers: named arrays, attributes and groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.frame_source import FrameSource
from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.containers.signature import Container


class Array(Protocol):
    """One array in a file: its shape is known, its values are not read yet."""

    @property
    def path(self) -> str:
        """Where it is in the file, without a leading '/'."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one element."""
        ...

    def read(self) -> NDArray[Any]:
        """Read the whole array; InputError when it is too big, damaged or not to be trusted."""
        ...

    def source(self) -> FrameSource:
        """Open the array for reading piece by piece."""
        ...


class Tree(Protocol):
    """One open file."""

    @property
    def file(self) -> Path:
        """The file."""
        ...

    @property
    def container(self) -> Container:
        """What kind of file it is."""
        ...

    @property
    def still_written(self) -> bool:
        """True if another program is writing the file."""
        ...

    def array(self, path: str) -> Array | None:
        """Return the array at `path`, or None when there is none."""
        ...

    def exists(self, path: str) -> bool:
        """True if there is an array or a group at `path`."""
        ...

    def attribute(self, path: str, name: str) -> Any | None:
        """Return one attribute of a group or array, or None when there is none."""
        ...

    def arrays(self) -> Iterator[Array]:
        """Go through every array in the file that can be reached safely, each once."""
        ...

    def groups(self) -> Iterator[str]:
        """Go through every group below the root, by path."""
        ...

    def branches(self, path: str) -> list[Entry]:
        """List what is directly below a group or array, attributes and broken links among it."""
        ...

    def problems(self) -> tuple[str, ...]:
        """Sentences about links that were not followed by `arrays` and `groups`."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...

    def __enter__(self) -> Tree: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
