"""What the hardware could do at best: counted operations against the measured matmul rate."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_ptychonn.network.inference.precision import TYPES, Precision
from napari_ptychonn.network.ptychonn import PtychoNN
from sections.measuring import timed

EDGE = 1024


def matmul_rate(device: str, precision: Precision = "float32", repeats: int = 5) -> float:
    """Floating-point operations a second of the best matrix product, all cores at work."""
    edge, kind = 8192 if device.startswith("cuda") else EDGE, TYPES[precision]
    if device != "cpu":
        a = torch.rand(edge, edge, device=device).to(kind)
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        try:
            return 2 * edge**3 / min(timed(lambda: a @ a, device) for _ in range(repeats))
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before
    cores = torch.get_num_threads()
    pairs = [torch.rand(edge, edge).to(kind) for _ in range(cores)]

    def multiply(a: torch.Tensor) -> None:
        torch.set_num_threads(1)
        a @ a

    def all_cores() -> None:
        threads = [threading.Thread(target=multiply, args=(a,)) for a in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    try:
        return 2 * edge**3 * cores / min(timed(all_cores) for _ in range(repeats))
    finally:
        torch.set_num_threads(cores)


def of_the_limit(frames_per_second: float, flops: float, rate: float) -> str:
    """Share of what matrix products alone would allow, as text."""
    share = 100 * frames_per_second * flops / rate
    return f"{share:.1f}%" if share >= 1 else f"{share:.2g}%"


def convolution_flops(network: PtychoNN, frame_shape: tuple[int, int]) -> float:
    """Floating-point operations of one frame's convolutions."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 1, *frame_shape))
    return float(counter.get_total_flops())


def step_flops(step: Callable[[], object]) -> float:
    """Those of the convolutions of a training step, forth and back, as it runs on the processor."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def fourier_flops(network: PtychoNN, frame_shape: tuple[int, int]) -> float:
    """Those of its Fourier transforms, 5 N log2 N each."""
    if network.far_field is None:
        return 0.0
    # The first update goes back only; each refinement forth and back; the residual forth.
    count = (1 + 2 * network.options.refinements + 1) * len(network.far_field.probe)
    pixels = math.prod(frame_shape)
    return count * 5 * pixels * math.log2(pixels)
