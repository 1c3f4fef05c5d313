"""Frames with what they should become: what the network is fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptychonn.data import patch_store as stored
from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import Stopped
from napari_ptychonn.network.preprocessing import Preprocessing

READ = 256
"""Frames read and prepared at once, so that the counts of a big region never lie in memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledFrames:
    """Prepared frames and their labels, all (m, 1, height, width) float32 on one device.

    Attributes
    ----------
    frames : Tensor
        Network input; (size, size) like the labels, or whole frames of amplitudes.
    amplitude, phase : Tensor
        Labels; phase in rad.
    weight : Tensor
        How much each label pixel counts, 0 … 1.
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
        return LabelledFrames(
            frames=self.frames[rows],
            amplitude=self.amplitude[rows],
            phase=self.phase[rows],
            weight=self.weight[rows],
        )

    @classmethod
    def join(cls, *parts: LabelledFrames) -> LabelledFrames:
        """Concatenate."""
        return cls(
            frames=torch.cat([p.frames for p in parts]),
            amplitude=torch.cat([p.amplitude for p in parts]),
            phase=torch.cat([p.phase for p in parts]),
            weight=torch.cat([p.weight for p in parts]),
        )

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
            Placed under the scan.
        positions : ndarray of float64
            (n, 2) of every scan point.
        indices : ndarray of int64
            (m,) points wanted; their patches lie on the object.
        preprocessing : Preprocessing
            Fitted on the training frames.
        phase_offset : float
            Zero of the labels' phase, rad.
        device : str
            Where the tensors shall be.
        should_stop : callable, optional
            Asked before each piece is read.

        Raises
        ------
        Stopped
            When it said so.
        """
        count, shape = len(indices), (preprocessing.size, preprocessing.size)
        amplitude, phase = (_room((count, 1, *shape), device) for _ in range(2))
        frames = torch.empty((0, 1, 1, 1), device=device)
        for start in range(0, count, READ):
            if should_stop is not None and should_stop():
                raise Stopped
            rows = slice(start, min(start + READ, count))
            prepared = preprocessing.read(scan, indices[rows])
            if start == 0:
                frames = _room((count, *prepared.shape[1:]), device)
            frames[rows] = prepared.to(device)
            cut = cut_patches(reconstruction, positions, indices[rows], shape, phase_offset)
            for room, values in ((amplitude, cut.amplitude), (phase, cut.phase)):
                room[rows] = torch.from_numpy(values)[:, None].to(device)
        return cls(
            frames=frames,
            amplitude=amplitude,
            phase=phase,
            weight=torch.ones((1, 1, 1, 1), device=device).expand(count, 1, *shape),
        )


def _room(shape: tuple[int, ...], device: str) -> Tensor:
    """Make a tensor to be filled; a large one need not lie in the memory of the CPU."""
    if torch.device(device).type == "cpu":
        return torch.from_numpy(stored.allocate(shape))
    return torch.empty(shape, device=device)
