"""Precision of predictions, chosen by its error on the user's frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_ptychonn.network.inference.predictor import Predictor

Precision = Literal["float32", "tf32", "bfloat16", "float16"]
"""'tf32' holds numbers in float32 and multiplies them with 10 bits, which some GPUs can."""

TYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

LARGEST_ERROR = 1e-2
"""Largest relative difference from float32 of a faster precision."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Error and time of one precision on some frames.

    Attributes
    ----------
    precision : {'float32', 'tf32', 'bfloat16', 'float16'}
        The precision.
    error : float
        Root mean square difference from float32 over the spread of the float32
        prediction; the larger one of amplitude and phase.
    seconds : float
        For one frame.
    """

    precision: Precision
    error: float
    seconds: float


def native_precisions(device: str) -> tuple[Precision, ...]:
    """Precisions that a device computes in by itself; emulated ones are only slower."""
    if device.startswith("cuda"):
        if torch.version.hip is not None:
            return "float32", "bfloat16", "float16"
        major, _ = torch.cuda.get_device_capability(device)
        if major >= 8:
            return "float32", "tf32", "bfloat16", "float16"
        return ("float32", "float16") if major >= 7 else ("float32",)
    if device == "cpu" and any(map(_cpu_has, ("avx512_bf16", "amx_tile"))):
        return "float32", "bfloat16"
    return ("float32",)


def compare_precisions(
    make: Callable[[Precision], Predictor], device: str, frames: Tensor
) -> tuple[Trial, ...]:
    """Predict the same frames in every precision that is native to the device.

    Parameters
    ----------
    make : callable
        Makes the predictor of a precision.
    device : str
        Torch device.
    frames : Tensor
        (m, 1, height, width) prepared frames on the device.
    """
    trials: list[Trial] = []
    exact: tuple[Tensor, ...] = ()
    for precision in native_precisions(device):
        predictor = make(precision)
        predictor(frames)  # the first call chooses algorithms
        began = time.perf_counter()
        found = tuple(part.cpu() for part in predictor(frames)[:2])  # waits for the device
        seconds = (time.perf_counter() - began) / len(frames)
        exact = exact or found
        error = max(_difference(a, b) for a, b in zip(found, exact, strict=True))
        trials.append(Trial(precision=precision, error=error, seconds=seconds))
    return tuple(trials)


def fastest_accurate(trials: tuple[Trial, ...]) -> Trial:
    """Choose the fastest of those whose error is small enough; float32 has none."""
    return min((t for t in trials if t.error <= LARGEST_ERROR), key=lambda t: t.seconds)


class _TF32Mode:
    """cuDNN's TF32 switch, which holds for the whole process, while predictions run.

    Predictions in several threads share it as long as they want the same; one that
    wants the other waits until these are done.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._before = True

    @contextmanager
    def __call__(self, precision: Precision, device: str) -> Iterator[None]:
        """Let a GPU multiply float32 in full or in TF32; afterwards as before."""
        if not device.startswith("cuda") or TYPES[precision] != torch.float32:
            yield
            return
        allowed = precision == "tf32"
        with self._changed:
            while self._running and torch.backends.cudnn.allow_tf32 != allowed:
                self._changed.wait()
            if not self._running:
                self._before = torch.backends.cudnn.allow_tf32
            self._running += 1
            torch.backends.cudnn.allow_tf32 = allowed
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                if not self._running:
                    torch.backends.cudnn.allow_tf32 = self._before
                    self._changed.notify_all()


tf32_mode = _TF32Mode()


def _difference(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).square().mean().sqrt() / exact.std().clamp_min(1e-12))


def _cpu_has(feature: str) -> bool:
    check = getattr(torch.cpu, f"_is_{feature}_supported", None)
    return bool(check and check())
