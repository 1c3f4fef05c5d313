"""Frames in an HDF5 dataset, read by several threads."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.hdf5.file import open_file, reading

_CACHED_SLABS = 2
_MOST_CACHE = 256 * 2**20
_CACHE_SLOTS = 20011
"""A prime well above the chunks of two slabs, so that they do not push each other out."""


class Hdf5Source:
    """Frames in an HDF5 dataset.

    The first read opens the file read-only; it is closed with the last reference to this
    object.  napari's main thread and a training thread may read at the same time.
    """

    def __init__(
        self,
        file: Path,
        path: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        chunks: tuple[int, ...] | None = None,
        swmr: bool = False,
    ) -> None:
        self.file, self.path, self.swmr = file, path, swmr
        self.shape, self.dtype, self.chunks = shape, dtype, chunks
        self._lock = threading.RLock()
        self._open: Any = None

    def block(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        """Read one piece of the dataset."""
        with self._lock, reading(f"{self.file}: {self.path}"):
            values = np.asarray(self._dataset()[key])
        if values.dtype.names is not None:  # a complex number of MATLAB
            real, imaginary = (values[name] for name in values.dtype.names)
            return np.asarray(real + 1j * imaginary, dtype=self.dtype)
        return values

    def _dataset(self) -> Any:
        if self._open is None:
            file = open_file(
                self.file,
                swmr=self.swmr,
                rdcc_nbytes=self._cache_size(),
                rdcc_nslots=_CACHE_SLOTS,
                # Chunks of a slab are all half-read after each frame: plain LRU keeps them.
                rdcc_w0=0.0,
            )
            dataset = file[self.path]
            if dataset.shape != self.shape:
                file.close()
                raise InputError(
                    f"{self.file}: {self.path} was {self.shape} when the scan was opened and is "
                    f"now {dataset.shape}; open it again.",
                    file=self.file,
                    dataset=self.path,
                    expected=self.shape,
                    got=dataset.shape,
                )
            self._open = dataset
        return self._open

    def _cache_size(self) -> int:
        # An auto-chunked (25, 32, 32) file decompresses 25 frames to show one.
        # HDF5's own chunk cache turns that into slabs, if a whole slab fits in it.
        depth = self.chunks[-3] if self.chunks is not None and len(self.chunks) >= 3 else 1
        ky, kx = self.shape[-2:]
        slab = depth * ky * kx * self.dtype.itemsize
        return int(min(max(_CACHED_SLABS * slab, 2**20), _MOST_CACHE))

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        with self._lock:
            opened, self._open = self._open, None
            if opened is not None and opened:
                opened.file.close()

    def __del__(self) -> None:
        # While the interpreter ends, h5py is half gone already and HDF5 closes its files itself.
        if getattr(self, "_open", None) is not None and not sys.is_finalizing():
            self.close()
