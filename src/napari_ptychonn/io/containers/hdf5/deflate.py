"""Frames packed with deflate (gzip), unpacked by a library that is twice as fast as HDF5's own."""

from __future__ import annotations

import itertools
import math
import zlib
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.io.frames.source import Key


def _quickest() -> Any:
    """The library that unpacks: all of them look like zlib."""
    try:
        from isal import isal_zlib
    except ImportError:  # where there is none for this machine
        return zlib
    return isal_zlib


_LIBRARY = _quickest()

FEWEST = 16
"""Chunks below which HDF5 itself is as quick, and keeps what is read again."""

_DEFLATE = [h5py.h5z.FILTER_DEFLATE]
_SHUFFLED = [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE]


class DeflateReader:
    """Reads chunks as they are stored, and unpacks them.

    In one thread: several wait for Python more than they unpack, small as frames are.

    Parameters
    ----------
    dataset : h5py.Dataset
        Of an open file; see `can_unpack`.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        # Asking h5py for any of these takes as long as unpacking a part of a chunk.
        self._id, self._shape, self._dtype = dataset.id, dataset.shape, dataset.dtype
        self._chunk: tuple[int, ...] = dataset.chunks
        self._size = math.prod(self._chunk) * self._dtype.itemsize
        self._shuffled = _filters(dataset) == _SHUFFLED

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
        *lead, rows, columns = spans
        corners = list(
            itertools.product(
                *(
                    range(start // depth * depth, stop, depth)
                    for (start, stop), depth in zip(lead, self._chunk, strict=False)
                )
            )
        )
        wanted = math.prod(stop - start for start, stop in lead)
        if len(corners) < FEWEST or 2 * wanted < len(corners) * math.prod(self._chunk[:-2]):
            return None  # HDF5 keeps chunks of which more will be wanted
        values = np.empty([stop - start for start, stop in spans], self._dtype)
        part = (slice(*rows), slice(*columns))
        try:
            for corner in corners:
                into, taken = [], []
                for first, depth, (start, stop) in zip(corner, self._chunk, lead, strict=False):
                    low, high = max(first, start), min(first + depth, stop)
                    into.append(slice(low - start, high - start))
                    taken.append(slice(low - first, high - first))
                values[tuple(into)] = self._read((*corner, 0, 0))[(*taken, *part)]
        except (OSError, RuntimeError, ValueError, _LIBRARY.error):
            return None
        return values

    def _read(self, corner: tuple[int, ...]) -> NDArray[Any]:
        """One chunk, whole; ValueError where it is not what it should be."""
        left_out, packed = self._id.read_direct_chunk(corner)
        unpacking = _LIBRARY.decompressobj()
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
