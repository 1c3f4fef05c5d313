"""A training step recorded once on a GPU, and played again for every batch."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from napari_ptychonn.network.training.labels import LabelledFrames

logger = logging.getLogger(__name__)

BEFORE = 3
"""Steps taken as they are before one is recorded: in them libraries choose their algorithms."""


class RecordedStep:
    """Plays an optimiser step as one CUDA graph.

    A step of a small network is hundreds of calls of microseconds each, which
    Python cannot make as fast as a GPU works them off.  What is played is what
    was recorded, on a copy of the batch: the same numbers.  Where recording
    fails, steps are taken as they are.

    Parameters
    ----------
    step : callable
        Takes one step on a batch, and returns its loss as a scalar on the device.
    """

    def __init__(self, step: Callable[[LabelledFrames], Tensor]) -> None:
        self._step = step
        self._taken = 0
        self._failed = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: LabelledFrames | None = None
        self._loss: Tensor | None = None

    def __call__(self, batch: LabelledFrames) -> Tensor:
        """Take one step on a batch that is as large as all before it."""
        with torch.cuda.device(batch.frames.device):
            return self._on_its_device(batch)

    @property
    def is_played(self) -> bool:
        """Whether there is a record; not in the first steps, and not where recording failed."""
        return self._graph is not None

    def _on_its_device(self, batch: LabelledFrames) -> Tensor:
        if self._taken < BEFORE or self._failed:
            self._taken += 1
            return self._aside(batch)
        if self._graph is None and not self._record(batch):
            return self._step(batch)
        assert self._graph is not None and self._batch is not None and self._loss is not None
        for kept, new in zip(_tensors(self._batch), _tensors(batch), strict=True):
            kept.copy_(new)
        self._graph.replay()
        return self._loss.clone()

    def _aside(self, batch: LabelledFrames) -> Tensor:
        """Take a step in a stream of its own, as one that is recorded has to be."""
        now = torch.cuda.current_stream()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(now)
        with torch.cuda.stream(aside):
            loss = self._step(batch)
        now.wait_stream(aside)
        return loss

    def _record(self, batch: LabelledFrames) -> bool:
        """Record a step; nothing is computed by that."""
        frames, amplitude, phase, weight = (tensor.clone() for tensor in _tensors(batch))
        self._batch = LabelledFrames(frames=frames, amplitude=amplitude, phase=phase, weight=weight)
        graph = torch.cuda.CUDAGraph()
        try:
            # Only this thread is watched: the window may use the GPU meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._loss = self._step(self._batch)
        except RuntimeError as error:
            logger.warning("steps are taken one by one, because recording one failed: %s", error)
            self._failed = True
            self._batch = None
            return False
        self._graph = graph
        return True


def _tensors(batch: LabelledFrames) -> tuple[Tensor, ...]:
    return batch.frames, batch.amplitude, batch.phase, batch.weight
