"""Image stacks that are computed frame by frame, when somebody looks; arrays enough for napari."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory
from napari_ptychonn.data.patch_store import PatchSet
from napari_ptychonn.data.patches import cut_patches, on_object
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError

Channel = Literal["amplitude", "phase"]


class Stack(ABC):
    """(n, ny, nx) float32 with the part of the NumPy interface that slicing one frame needs."""

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape

    @property
    def size(self) -> int:
        """Number of pixels in all."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        """Number of images."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Compute the images asked for, and only those."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            return np.asarray(self.image(int(first))[tuple(rest)])
        wanted = np.arange(len(self))[first]
        images = [self.image(int(i)) for i in wanted]
        block = np.stack(images) if images else np.empty((0, *self.shape[1:]), np.float32)
        return np.asarray(block[(slice(None), *rest)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Compute everything, to save the layer; only for stacks that fit in memory."""
        check_fits_memory("the stack of images", self.shape, self.dtype)
        return np.asarray(self[:], dtype=dtype)

    @abstractmethod
    def image(self, index: int) -> NDArray[np.float32]:
        """One image, (ny, nx)."""


class LogFrames(Stack):
    """Diffraction frames as log10(1 + counts); NaN where a detector pixel cannot be trusted."""

    def __init__(self, scan: Scan) -> None:
        super().__init__((len(scan), *scan.frame_shape))
        self._scan = scan

    def image(self, index: int) -> NDArray[np.float32]:
        """One frame; NaN, and a warning in the window, for one that its file does not give."""
        try:
            counts = np.asarray(self._scan.frames[index], np.float32)
        except InputError as error:
            warnings.warn(f"Frame {index} is not shown: {error}", stacklevel=2)
            return np.full(self.shape[1:], np.nan, np.float32)
        image = np.asarray(np.log10(1 + np.maximum(counts, 0)), np.float32)
        if self._scan.valid is not None:
            image[~self._scan.valid] = np.nan
        return image


class PredictedPatches(Stack):
    """One channel of what was predicted so far; NaN where nothing was."""

    def __init__(self, count: int, shape: tuple[int, int], channel: Channel) -> None:
        super().__init__((count, *shape))
        self.channel = channel
        self._parts: dict[int, PatchSet] = {}
        self._latest = 0
        # Which part shows a point, and which of its rows: nothing is copied.
        self._part = np.zeros(count, np.int64)
        self._row = np.zeros(count, np.int64)
        self._empty = np.full(shape, np.nan, np.float32)

    def update(self, predictions: PatchSet) -> None:
        """Take newer predictions for some scan points."""
        self._latest += 1
        self._parts[self._latest] = predictions
        self._part[predictions.indices] = self._latest
        self._row[predictions.indices] = np.arange(len(predictions))
        shown = set(np.flatnonzero(np.bincount(self._part)).tolist())
        self._parts = {k: part for k, part in self._parts.items() if k in shown}

    def image(self, index: int) -> NDArray[np.float32]:
        """One patch."""
        part = self._parts.get(int(self._part[index]))
        if part is None:
            return self._empty
        images = part.amplitude if self.channel == "amplitude" else part.phase
        return np.asarray(images[int(self._row[index])], np.float32)


class ReconstructedPatches(Stack):
    """One channel of a placed reconstruction, cut at each scan point; NaN where off the object."""

    def __init__(
        self,
        reconstruction: Reconstruction,
        positions: NDArray[np.float64],
        shape: tuple[int, int],
        channel: Channel,
        phase_offset: float = 0.0,
    ) -> None:
        super().__init__((len(positions), *shape))
        self._reconstruction, self._positions = reconstruction, positions
        self._channel, self._phase_offset = channel, phase_offset
        self._there = on_object(reconstruction, positions, shape)

    def covers(self, index: int) -> bool:
        """Whether there is a patch at this scan point."""
        return bool(self._there[index])

    def image(self, index: int) -> NDArray[np.float32]:
        """One patch."""
        _, py, px = self.shape
        if not self.covers(index):
            return np.full((py, px), np.nan, np.float32)
        patches = cut_patches(
            self._reconstruction,
            self._positions,
            np.asarray([index]),
            (py, px),
            self._phase_offset,
        )
        channel = patches.amplitude if self._channel == "amplitude" else patches.phase
        return np.asarray(channel[0], np.float32)
