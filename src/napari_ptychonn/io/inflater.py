"""Frames packed with deflate (gzip), unpacked by several cores: HDF5 itself takes one."""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.io.source import Key

FEWEST = 16
"""Chunks below which HDF5 itself is as quick, and keeps what is read again."""

TOGETHER = 8
"""Chunks that a thread unpacks before it asks for more."""

MOST_THREADS = 8
"""More would wait for Python and for the library, which lets one thread at a time read."""

_DEFLATE = [h5py.h5z.FILTER_DEFLATE]
_SHUFFLED = [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE]


class Inflater:
    """Reads chunks as they are stored, and unpacks them in threads.

    Parameters
    ----------
    dataset : h5py.Dataset
        Of an open file; see `can_unpack`.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        # Asking h5py for any of these takes as long as unpacking a part of a chunk.
        self._id, self._shape, self._dtype = dataset.id, dataset.shape, dataset.dtype
        self._chunk: tuple[int, ...] = dataset.chunks
        self._size = int(np.prod(self._chunk)) * self._dtype.itemsize
        self._shuffled = _filters(dataset) == _SHUFFLED
        self._threads = min(MOST_THREADS, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._threads, "ptychonn-inflate")

    @staticmethod
    def can_unpack(dataset: h5py.Dataset) -> bool:
        """Whether each chunk is of whole frames of numbers, packed with deflate and no more."""
        return (
            dataset.chunks is not None
            and dataset.ndim >= 3
            and dataset.chunks[-2:] == dataset.shape[-2:]
            and dataset.dtype.kind in "uif"
            and _filters(dataset) in (_DEFLATE, _SHUFFLED)
        )

    def block(self, key: Key) -> NDArray[Any] | None:
        """Read one piece; None where there is no gain in it, or something is wrong with a chunk.

        Whoever asks then reads it through HDF5, which says what is wrong.
        """
        if not all(isinstance(part, slice) for part in key):
            return None
        spans = [
            part.indices(length)[:2]  # type: ignore[union-attr]
            for part, length in zip(key, self._shape, strict=True)
        ]
        corners = list(
            itertools.product(
                *(
                    range(start // depth * depth, stop, depth)
                    for (start, stop), depth in zip(spans[:-2], self._chunk, strict=False)
                )
            )
        )
        if len(corners) < FEWEST:
            return None
        values = np.empty([stop - start for start, stop in spans], self._dtype)
        runs = [corners[k : k + TOGETHER] for k in range(0, len(corners), TOGETHER)]
        try:
            for _ in self._pool.map(lambda run: self._unpack(run, spans, values), runs):
                pass
        except (OSError, RuntimeError, ValueError, zlib.error):
            return None
        return values

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _unpack(
        self,
        corners: Iterable[tuple[int, ...]],
        spans: list[tuple[int, int]],
        values: NDArray[Any],
    ) -> None:
        *lead, rows, columns = spans
        part = (slice(*rows), slice(*columns))
        for corner in corners:
            into, taken = [], []
            for first, depth, (start, stop) in zip(corner, self._chunk, lead, strict=False):
                low, high = max(first, start), min(first + depth, stop)
                into.append(slice(low - start, high - start))
                taken.append(slice(low - first, high - first))
            values[tuple(into)] = self._read((*corner, 0, 0))[(*taken, *part)]

    def _read(self, corner: tuple[int, ...]) -> NDArray[Any]:
        """One chunk, whole; ValueError where it is not what it should be."""
        left_out, packed = self._id.read_direct_chunk(corner)
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(packed, self._size)
        if left_out or not unpacking.eof or len(content) != self._size:
            raise ValueError("a chunk is not packed as all others are")
        if not self._shuffled:
            return np.frombuffer(content, self._dtype).reshape(self._chunk)
        numbers = np.empty(self._chunk, self._dtype)
        planes = np.frombuffer(content, np.uint8).reshape(self._dtype.itemsize, -1)
        for k, plane in enumerate(planes):  # the first byte of each number, then the second, ...
            numbers.view(np.uint8).reshape(-1, len(planes))[:, k] = plane
        return numbers


def _filters(dataset: h5py.Dataset) -> list[int]:
    """What chunks go through when they are written, in order."""
    plan = dataset.id.get_create_plist()
    return [plan.get_filter(k)[0] for k in range(plan.get_nfilters())]
