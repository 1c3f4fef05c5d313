"""Storage of patches that do not fit in memory, in a temporary file."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import format_bytes, physical_memory
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.patches import Patches
from napari_ptychonn.data.scan import FrameStack
from napari_ptychonn.errors import InputError

IN_MEMORY = min(max(2**28, physical_memory() // 16), 2**30)
"""Bytes of predictions (amplitudes and phases together) kept in memory.  A file would slow down
a GPU, which predicts a gigabyte in a quarter of a second."""

TRAINED_IN_MEMORY = 2**28
"""Bytes of an array of training frames kept in memory."""

TOGETHER = 512
"""Patches that are read at once."""

_CHANNELS = 2
_ON_DISK = "/var/tmp"  # /tmp itself may be in memory


class StoredImages:
    """Images (n, py, px) float32 in a temporary file, deleted with the last reference.

    Indexed like a NumPy array; the file is in ``$TMPDIR``, else in ``/var/tmp``, else in
    Python's folder of temporary files.

    Parameters
    ----------
    shape : tuple of int
        (n, py, px); there must be space for all of them.

    Raises
    ------
    InputError
        When the disk has no space for them.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._folder = _folder()
        _require_space(self._folder, self.nbytes, self._what)
        self._lock = threading.Lock()
        try:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 (open as long as this object)
                prefix="napari-ptychonn-", dir=self._folder, buffering=0
            )
        except OSError as error:
            raise InputError(f"{self._what} cannot be kept there: {error.strerror}.") from error
        weakref.finalize(self, self._file.close)

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return len(self) * self._image_bytes

    def __len__(self) -> int:
        """Number of images."""
        return self.shape[0]

    def write(self, start: int, images: NDArray[np.float32]) -> None:
        """Write images (m, py, px) from index `start` on.

        Raises
        ------
        InputError
            When the disk is full.
        """
        left = np.ascontiguousarray(images, np.float32).data.cast("B")
        try:
            with self._lock:
                self._file.seek(start * self._image_bytes)
                while left:
                    left = left[self._file.write(left) :]
        except OSError as error:
            raise InputError(f"{self._what} cannot be kept there: {error.strerror}.") from error

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Read the selected images only."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        rows = np.arange(len(self))[first]
        images = self._read(np.atleast_1d(rows))
        whole = images if np.ndim(rows) else images[0]
        lead = (slice(None),) * np.ndim(rows)
        return np.asarray(whole[(*lead, *rest)])

    @property
    def _image_bytes(self) -> int:
        _, py, px = self.shape
        return py * px * self.dtype.itemsize

    @property
    def _what(self) -> str:
        return f"{format_count(len(self), 'prediction')} in {self._folder}"

    def _read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        images = np.empty((len(rows), *self.shape[1:]), np.float32)
        edges = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        for start, stop in pairwise(edges):
            if start < stop:
                self._read_into(images[start:stop], int(rows[start]))
        return images

    def _read_into(self, images: NDArray[np.float32], start: int) -> None:
        left = images.data.cast("B")
        with self._lock:
            self._file.seek(start * self._image_bytes)
            while left:
                count = self._file.readinto(left)
                if not count:
                    raise InputError(f"{self._what}: some were never written.")
                left = left[count:]


def allocate(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Make an empty array, in memory or, if large, mapped from a temporary file.

    Raises
    ------
    InputError
        When the disk has no space for it.
    """
    size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
    if size <= TRAINED_IN_MEMORY:
        return np.empty(shape, np.float32)
    folder = _folder()
    _require_space(folder, size, f"{shape[0]} training frames in {folder}")
    with tempfile.TemporaryFile(prefix="napari-ptychonn-", dir=folder) as file:
        return np.memmap(file, np.float32, "w+", shape=shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class LazyPatches:
    """Patches that are read on access; otherwise as `Patches`.

    Attributes
    ----------
    indices : ndarray of int64
        (m,) scan points.
    amplitude, phase : FrameStack
        (m, py, px) float32; phase in rad.
    residual : ndarray of float32 or None
        (m,) diffraction residual.
    """

    indices: NDArray[np.int64]
    amplitude: FrameStack
    phase: FrameStack
    residual: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Number of patches."""
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of one patch (py, px)."""
        _, py, px = self.amplitude.shape
        return py, px

    def __getitem__(self, rows: Any) -> Patches:
        """Read patches by row (slice, mask or integer array), not by scan index."""
        numbers = np.arange(len(self))[rows]
        return Patches(
            indices=self.indices[numbers],
            amplitude=np.asarray(self.amplitude[numbers], np.float32),
            phase=np.asarray(self.phase[numbers], np.float32),
            residual=None if self.residual is None else self.residual[numbers],
        )


PatchSet = Patches | LazyPatches
"""Patches in memory or in a file."""


def iterate_batches(patches: PatchSet) -> Iterator[tuple[slice, Patches]]:
    """Iterate over patches in memory-bounded batches, yielding `(rows, patches)`."""
    for start in range(0, len(patches), TOGETHER):
        rows = slice(start, min(start + TOGETHER, len(patches)))
        yield rows, patches[rows]


def select_patches(patches: PatchSet, rows: NDArray[np.int64]) -> PatchSet:
    """Select patches by row, without reading or copying them."""
    if np.array_equal(rows, np.arange(len(patches))):
        return patches
    return LazyPatches(
        indices=patches.indices[rows],
        amplitude=_Rows(patches.amplitude, rows),
        phase=_Rows(patches.phase, rows),
        residual=None if patches.residual is None else patches.residual[rows],
    )


class _Rows:
    """Rows of a stack of images, read on access."""

    def __init__(self, images: FrameStack, rows: NDArray[np.int64]) -> None:
        self._images, self._rows = images, rows
        self.shape = (len(rows), *images.shape[1:])
        self.dtype = images.dtype

    def __getitem__(self, key: Any) -> Any:
        return self._images[self._rows[key]]


class PatchBuffer:
    """Collects batches of patches, in memory or in a temporary file.

    Parameters
    ----------
    count : int
        Largest number of patches.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._done = 0
        self._indices = np.empty(count, np.int64)
        self._residual: NDArray[np.float32] | None = np.empty(count, np.float32)
        self._amplitude: NDArray[np.float32] | StoredImages | None = None
        self._phase: NDArray[np.float32] | StoredImages | None = None

    def __len__(self) -> int:
        """Number of patches added."""
        return self._done

    def add(self, batch: Patches) -> None:
        """Add a batch.

        Raises
        ------
        InputError
            When the disk is full.
        """
        if self._amplitude is None or self._phase is None:
            self._amplitude, self._phase = (
                _allocate_patches((self._count, *batch.shape)) for _ in range(2)
            )
        start, self._done = self._done, self._done + len(batch)
        self._indices[start : self._done] = batch.indices
        for buffer, images in ((self._amplitude, batch.amplitude), (self._phase, batch.phase)):
            if isinstance(buffer, StoredImages):
                buffer.write(start, images)
            else:
                buffer[start : self._done] = images
        if batch.residual is None or self._residual is None:
            self._residual = None
        else:
            self._residual[start : self._done] = batch.residual

    def patches(self, start: int = 0) -> PatchSet:
        """Return the patches from row `start` to the latest so far."""
        if self._amplitude is None or self._phase is None:
            raise ValueError("nothing was added yet")
        rows = slice(start, self._done)
        residual = None if self._residual is None else self._residual[rows]
        if isinstance(self._amplitude, StoredImages) or isinstance(self._phase, StoredImages):
            numbers = np.arange(start, self._done)
            return LazyPatches(
                indices=self._indices[rows],
                amplitude=_Rows(self._amplitude, numbers),
                phase=_Rows(self._phase, numbers),
                residual=residual,
            )
        return Patches(
            indices=self._indices[rows],
            amplitude=self._amplitude[rows],
            phase=self._phase[rows],
            residual=residual,
        )


def _allocate_patches(shape: tuple[int, int, int]) -> NDArray[np.float32] | StoredImages:
    size = _CHANNELS * int(np.prod(shape)) * StoredImages.dtype.itemsize
    return StoredImages(shape) if size > IN_MEMORY else np.empty(shape, np.float32)


def _require_space(folder: str, size: int, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{what} need {format_bytes(size)} and the disk has {format_bytes(free)} left; "
            "set TMPDIR to a folder with more space."
        )


def _folder() -> str:
    """Folder for large temporary files."""
    named = os.environ.get("TMPDIR")
    disk = named or _ON_DISK
    return disk if os.path.isdir(disk) and os.access(disk, os.W_OK) else tempfile.gettempdir()
