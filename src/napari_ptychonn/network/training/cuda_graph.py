"""A training step captured once as a CUDA graph and replayed for every batch."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from napari_ptychonn.network.training.labels import LabelledFrames

logger = logging.getLogger(__name__)

WARM_UP = 3
"""Steps before one is captured: in them libraries choose their algorithms."""


class GraphedStep:
    """Replays an optimiser step as one CUDA graph.

    A step of a small network is hundreds of kernels of microseconds each, which
    Python launches more slowly than a GPU works them off.  The graph is replayed on
    a copy of the batch and gives the same numbers.  Where it cannot be captured,
    steps run one by one.

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

    @property
    def is_captured(self) -> bool:
        """False in the first steps, and where capturing failed."""
        return self._graph is not None

    def __call__(self, batch: LabelledFrames) -> Tensor:
        """Take one step on a batch, which must be as large as all before it."""
        with torch.cuda.device(batch.frames.device):
            if self._taken < WARM_UP or self._failed:
                self._taken += 1
                return self._step_in_side_stream(batch)
            if self._graph is None and not self._capture(batch):
                return self._step(batch)
            return self._replay(batch)

    def _replay(self, batch: LabelledFrames) -> Tensor:
        assert self._graph is not None and self._batch is not None and self._loss is not None
        for static, new in zip(self._batch.tensors, batch.tensors, strict=True):
            static.copy_(new)
        self._graph.replay()
        return self._loss.clone()

    def _step_in_side_stream(self, batch: LabelledFrames) -> Tensor:
        # Steps before a capture must run in a stream of their own (PyTorch notes on CUDA graphs).
        current = torch.cuda.current_stream()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(current)
        with torch.cuda.stream(side):
            loss = self._step(batch)
        current.wait_stream(side)
        return loss

    def _capture(self, batch: LabelledFrames) -> bool:
        """Capture a step, without computing it; return False where that fails."""
        self._batch = LabelledFrames(*(tensor.clone() for tensor in batch.tensors))
        graph = torch.cuda.CUDAGraph()
        try:
            # Only this thread's calls are captured: the window may use the GPU meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._loss = self._step(self._batch)
        except RuntimeError as error:
            logger.warning("steps run one by one, because one could not be captured: %s", error)
            self._failed = True
            self._batch = None
            return False
        self._graph = graph
        return True
