"""Prediction: what `PtychoNN.forward` returns, in much less time."""

from __future__ import annotations

import copy
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_ptychonn.compute.threads import single_threaded_pool
from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.network.inference.fusion import (
    Double,
    fuse,
    fuse_parallel_convs,
    shuffle_pixels,
)
from napari_ptychonn.network.inference.precision import TYPES, Precision, tf32_mode
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.ptychonn import PtychoNN, Refinement

BATCH_ON_CPU, BATCH_ON_GPU = 32, 2048
"""Frames predicted at once: measured, see docs/decisions/batch-size.md."""

AHEAD = 2
"""Batches that each thread may be ahead of the caller."""

CHANNELS_AT_ONCE = 16
"""Channels of one convolution in half precision below which it is not faster."""


class Predictor:
    """Runs one trained network on one device.

    Batch normalisation is fused into the convolutions, patches stay standardised from the
    first prediction to the last refinement, and the parts of the far field that depend on
    the probe alone are computed once.

    Parameters
    ----------
    network : PtychoNN
        Copied; in evaluation mode.
    device : str
        Torch device.
    precision : {'float32', 'tf32', 'bfloat16', 'float16'}
        Of the convolutions.  The far field is always computed in float32.
    """

    def __init__(
        self, network: PtychoNN, device: str = "cpu", precision: Precision = "float32"
    ) -> None:
        network = copy.deepcopy(network).eval().cpu()
        self.options, self.device, self.precision = network.options, device, precision
        self._type = TYPES[precision]
        self.mean = network.label_mean.tolist()
        self.spread = network.label_spread.tolist()
        with torch.inference_mode():
            size = (self.options.size, self.options.size)
            self.propagator = (
                network.far_field.to(device).propagator(size) if network.far_field else None
            )
            encoder = fuse(network.encoder)
            decoders = [fuse(network.amplitude), fuse(network.phase)]
            refinement = None
            if network.refinement is not None:
                refinement = _FusedRefinement(network.refinement)
            if self.propagator is not None:
                # The first convolutions take updates in units of the labels.
                spread = network.label_spread.view(1, 2, 1, 1).cpu()
                _divide(encoder[0], slice(None), spread)
                if refinement is not None:
                    _divide(refinement.near[0], slice(2, None), spread)
                channels = len(decoders) * self.options.last_width * self.options.width
                if self._type != torch.float32 and channels <= CHANNELS_AT_ONCE:
                    decoders = [fuse_parallel_convs(decoders)]
            self.encoder = self._to_device(encoder)
            self.decoders = [self._to_device(decoder) for decoder in decoders]
            self.refinement = None if refinement is None else self._to_device(refinement)
        self.largest_batch: int | None = None
        self._streams = [
            torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            for _ in range(AHEAD if self._is_gpu else 0)
        ]

    def __call__(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Predict one batch.

        Parameters
        ----------
        frames : Tensor
            (m, 1, height, width) prepared frames on the device.

        Returns
        -------
        amplitude, phase : Tensor
            (m, size, size) float32.
        residual : Tensor or None
            (m,); None without a probe.
        """
        with torch.inference_mode(), tf32_mode(self.precision, self.device):
            if self.propagator is None:
                amplitude, phase = self._predict_without_probe(frames)
                return amplitude, phase, None
            measured = self.propagator.measured(frames)
            m, size = len(frames), self.options.size
            # Patch and update as channels of one tensor, as the refinement reads them.
            both = torch.empty((m, size, size, 4), device=frames.device).permute(0, 3, 1, 2)
            patch, update = both[:, :2], both[:, 2:]
            code = self.encoder(self.propagator.first_update(measured).to(self._type))
            decoded = [part for decoder in self.decoders for part in decoder(code).split(4, dim=1)]
            for k, part in enumerate(decoded):
                shuffle_pixels(part, out=patch[:, k])
            for _ in range(self.options.refinements):
                assert self.refinement is not None
                self.propagator.update(*self._physical(patch), measured, out=update)
                correction = self.refinement(both.to(self._type)).float()
                for k, part in enumerate(correction.split(4, dim=1)):
                    step = torch.empty((m, size, size), device=frames.device)
                    shuffle_pixels(part, out=step)
                    patch[:, k] += step
            amplitude, phase = self._physical(patch)
            return amplitude, phase, self.propagator.residual(amplitude, phase, measured)

    def predict_scan(
        self,
        scan: Scan,
        preprocessing: Preprocessing,
        indices: NDArray[np.int64],
        batch_size: int,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[Predictions]:
        """Predict frames of a scan in order; frames are read while others are predicted.

        Parameters
        ----------
        scan : Scan
            Read in the thread that iterates.
        preprocessing : Preprocessing
            Of the trained model.
        indices : ndarray of int64
            (m,) scan points.
        batch_size : int
            Frames at once, at most; halved when the device runs out of memory.
        should_stop : callable, optional
            Called before each batch; True ends the iteration.
        """
        prepare = preprocessing.for_scan(scan)
        with single_threaded_pool() as (pool, count):
            workers = count if self.device == "cpu" else 1
            limit, size = AHEAD * workers, _even_batch(len(indices), batch_size, workers)
            waiting: deque[Future[Predictions]] = deque()
            start = 0
            for stream in self._streams:  # tensors in use were made in the caller's
                stream.wait_stream(torch.cuda.current_stream(self.device))
            streams = itertools.cycle(self._streams or [None])
            try:
                while start < len(indices) or waiting:
                    if should_stop and should_stop():
                        return
                    if start < len(indices) and len(waiting) < limit:
                        batch = indices[start : start + size]
                        counts = preprocessing.counts(scan, batch)
                        work = partial(self._predictions, batch, counts, prepare)
                        waiting.append(pool.submit(_in_stream, next(streams), work))
                        start += len(batch)
                    else:
                        yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _predictions(
        self, indices: NDArray[np.int64], counts: Tensor, prepare: Callable[[Tensor], Tensor]
    ) -> Predictions:
        """Preprocess and predict frames, in parts where the device has too little memory."""
        size = min(len(counts), self.largest_batch or len(counts))
        done: list[Predictions] = []
        start = 0
        while start < len(counts):
            rows = slice(start, start + size)
            try:
                amplitude, phase, residual = self(prepare(self._on_device(counts[rows])))
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                size = self.largest_batch = max(1, size // 2)
                continue
            found = self._on_host(
                *(part for part in (amplitude, phase, residual) if part is not None)
            )
            done.append(
                Predictions(
                    indices=indices[rows],
                    amplitude=found[0],
                    phase=found[1],
                    residual=None if residual is None else found[2],
                    on_device=(amplitude, phase) if self._is_gpu else None,
                )
            )
            start += size
        return done[0] if len(done) == 1 else Predictions.join(done)

    @property
    def _is_gpu(self) -> bool:
        return self.device.startswith("cuda")

    def _on_device(self, counts: Tensor) -> Tensor:
        """Counts as float32 on the device; a GPU converts them itself."""
        return counts.to(self.device).float() if self._is_gpu else counts.float().to(self.device)

    def _on_host(self, *tensors: Tensor) -> list[NDArray[np.float32]]:
        """Copy tensors to the host and wait for the copies."""
        if not self._is_gpu:
            return [tensor.cpu().numpy() for tensor in tensors]
        # torch reuses pinned memory: filling fresh memory takes ten times as long as the copy.
        with torch.inference_mode():
            copies = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in tensors]
            for copy_, tensor in zip(copies, tensors, strict=True):
                copy_.copy_(tensor, non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(self.device))
        done.synchronize()  # but not for the work of other threads
        return [copy_.numpy() for copy_ in copies]

    def _physical(self, patch: Tensor) -> tuple[Tensor, Tensor]:
        """Amplitude and phase (m, size, size) of standardised patches."""
        amplitude, phase = (
            torch.add(self.mean[k], patch[:, k], alpha=self.spread[k]).contiguous()
            for k in range(2)
        )
        return amplitude, phase

    def _predict_without_probe(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        code = self.encoder(frames.to(self._type).contiguous(memory_format=torch.channels_last))
        amplitude, phase = (decoder(code)[:, 0].float() for decoder in self.decoders)
        if self.options.heads == "sigmoid-tanh":
            return amplitude.sigmoid_(), phase.tanh_().mul_(math.pi)
        if self.options.heads == "standardised":
            (m0, m1), (s0, s1) = self.mean, self.spread
            return amplitude.mul_(s0).add_(m0), phase.mul_(s1).add_(m1)
        return amplitude, phase

    def _to_device(self, part: nn.Module) -> nn.Module:
        """Move weights to the device, channels last and in the precision of the convolutions."""
        part = part.to(self.device, self._type, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return part.requires_grad_(False)


def _even_batch(total: int, largest: int, workers: int) -> int:
    """Batch size for which all workers finish at about the same time."""
    rounds = max(1, math.ceil(total / (largest * workers)))
    return max(1, math.ceil(total / (rounds * workers)))


def _in_stream(stream: torch.cuda.Stream | None, work: Callable[[], Predictions]) -> Predictions:
    """Work in a stream: one batch is transferred while another is predicted."""
    with torch.cuda.stream(stream):
        return work()


def _divide(convolution: nn.Module, channels: slice, by: Tensor) -> None:
    """Divide a convolution's weights for some of its input channels."""
    assert isinstance(convolution, nn.Conv2d)
    convolution.weight[:, channels] /= by


class _FusedRefinement(nn.Module):
    """`Refinement` without its pixel shuffle, which the caller or a convolution does."""

    def __init__(self, refinement: Refinement) -> None:
        super().__init__()
        self.near = fuse(nn.Sequential(refinement.unshuffle, *refinement.near))
        self.far = fuse(refinement.far)
        self.together = fuse(refinement.together)
        self.enlarge = Double()

    def forward(self, both: Tensor) -> Tensor:
        """(m, 4, size, size) patch and update → (m, 8, size / 2, size / 2) correction."""
        near = self.near(both)
        far = self.enlarge(self.far(near))
        correction: Tensor = self.together(torch.cat([near, far], dim=1))
        return correction
