"""Prepared frames with their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptychonn.data import patch_store
from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import Stopped
from napari_ptychonn.network.preprocessing import Preprocessing

READ = 256
"""Frames read and prepared at once: the counts of a large region are never all in memory."""


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """Prepared frames and their labels, all (m, 1, height, width) float32 on one device.

    Attributes
    ----------
    frames : Tensor
        Network input; (size, size) like the labels, or whole frames of amplitudes.
    amplitude, phase : Tensor
        Labels; phase in rad.
    weight : Tensor
        Of each label pixel in the loss, 0 … 1.
    """

    frames: Tensor
    amplitude: Tensor
    phase: Tensor
    weight: Tensor

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def __getitem__(self, rows: Any) -> LabelledFrames:
        """Select frames."""
        return LabelledFrames(*(tensor[rows] for tensor in self.tensors))

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Frames, amplitude, phase and weight."""
        return self.frames, self.amplitude, self.phase, self.weight

    @classmethod
    def join(cls, *parts: LabelledFrames) -> LabelledFrames:
        """Concatenate."""
        return cls(*map(torch.cat, zip(*(part.tensors for part in parts), strict=True)))

    @classmethod
    def measured(
        cls,
        scan: Scan,
        reconstruction: Reconstruction,
        positions: NDArray[np.float64],
        indices: NDArray[np.int64],
        preprocessing: Preprocessing,
        phase_offset: float,
        device: str,
        should_stop: Callable[[], bool] | None = None,
    ) -> LabelledFrames:
        """Read frames and cut their labels from the reconstruction.

        Parameters
        ----------
        scan : Scan
            Measured frames.
        reconstruction : Reconstruction
            Aligned to the scan.
        positions : ndarray of float64
            (n, 2) of every scan point.
        indices : ndarray of int64
            (m,) points; their patches lie on the object.
        preprocessing : Preprocessing
            Fitted on the training frames.
        phase_offset : float
            Zero of the labels' phase, rad.
        device : str
            Torch device of the tensors.
        should_stop : callable, optional
            Called before each piece is read.

        Raises
        ------
        Stopped
            When it returned True.
        """
        count, shape = len(indices), (preprocessing.size, preprocessing.size)
        amplitude, phase = (_allocate((count, 1, *shape), device) for _ in range(2))
        frames = torch.empty((0, 1, 1, 1), device=device)
        for start in range(0, count, READ):
            if should_stop is not None and should_stop():
                raise Stopped
            rows = slice(start, min(start + READ, count))
            prepared = preprocessing.read(scan, indices[rows])
            if start == 0:
                frames = _allocate((count, *prepared.shape[1:]), device)
            frames[rows] = prepared.to(device)
            cut = cut_patches(reconstruction, positions, indices[rows], shape, phase_offset)
            for labels, values in ((amplitude, cut.amplitude), (phase, cut.phase)):
                labels[rows] = torch.from_numpy(values)[:, None].to(device)
        return cls(
            frames=frames,
            amplitude=amplitude,
            phase=phase,
            weight=torch.ones((1, 1, 1, 1), device=device).expand(count, 1, *shape),
        )


def _allocate(shape: tuple[int, ...], device: str) -> Tensor:
    """Make an empty tensor; on the CPU a large one is mapped from a file."""
    if torch.device(device).type == "cpu":
        return torch.from_numpy(patch_store.allocate(shape))
    return torch.empty(shape, device=device)
