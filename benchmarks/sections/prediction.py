"""Frames a second from counts in memory to patches in memory, and what the hardware allows."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch

from napari_ptychonn import TrainedModel
from napari_ptychonn.data.patches import Patches
from napari_ptychonn.stitching.mosaic import Mosaic, MosaicImage
from sections.limits import convolution_flops, fourier_flops, matmul_rate, of_the_limit
from sections.measuring import Setting, Table, in_turns
from sections.models import model, scan_of

ON_GPU = 32_768
USUAL_BATCH = 64
BEFORE = 128
"""Batch of the network run plainly, which is how this package predicted at first."""


def measure(setting: Setting) -> Table:
    on_cpu = setting.device == "cpu"
    scan = scan_of(64 if setting.quick else 1024 if on_cpu else ON_GPU)
    indices = np.arange(len(scan))
    shape = scan.frame_shape
    paper, default = model("paper"), model("default")
    frames = paper.preprocessing.read(scan, indices)
    amplitudes = default.preprocessing.read(scan, indices)
    usual = paper.network().to(setting.device)
    plain = default.network().to_device(setting.device)

    def ours(trained: TrainedModel) -> Patches:
        return Patches.join(list(trained.predict(scan, indices, device=setting.device)))

    def stitched(trained: TrainedModel) -> MosaicImage:
        mosaic = Mosaic.covering(scan.positions, trained.patch_shape, trained.pixel_size)
        for batch in trained.predict(scan, indices, device=setting.device):
            mosaic.add(batch, scan.positions[batch.indices])
        return mosaic.image()

    names = {
        "published network, the usual way": lambda: _plainly(usual, frames, USUAL_BATCH, setting),
        "published network, ours": lambda: ours(paper),
        "default network, run plainly": lambda: _plainly(plain, amplitudes, BEFORE, setting),
        "default network, ours": lambda: ours(default),
        "default network, ours, to the mosaic": lambda: stitched(default),
    }
    seconds = in_turns(names, 1 if setting.quick else setting.repeats, setting.device)
    precision = default.predictor(setting.device, scan, indices).precision
    rate = matmul_rate(setting.device, precision)
    networks = (usual, usual, plain, plain, plain)
    flops = [convolution_flops(n.cpu(), shape) for n in networks]
    fourier = fourier_flops(plain, shape)
    found = {name: len(scan) / s.seconds for name, s in seconds.items()}
    usually = found["published network, the usual way"]
    rows = [
        [
            name,
            f"{per_second:,.0f}",
            f"{per_second / usually:.1f}×",
            f"{1e3 * seconds[name].processor_seconds / len(scan):.2f}",
            f"{count / 1e6:.0f}",
            f"{rate / count:,.0f}",
            of_the_limit(per_second, count, rate),
        ]
        for (name, per_second), count in zip(found.items(), flops, strict=True)
    ]
    difference = _difference(ours(paper), _plainly(usual.to(setting.device), frames, 64, setting))
    notes = [
        f"{len(scan):,} frames of {shape[0]}x{shape[1]}, from counts in memory to NumPy patches; "
        f"the usual way is float32, contiguous, batch {USUAL_BATCH}.",
        f"The limit is the rate of a matrix product in {precision} with all cores at work, "
        f"{rate / 1e9:,.0f} GFLOP/s, over the convolutions alone.",
        "To the mosaic: every patch is stitched, and reaches the host's memory, but is not kept; "
        "the others are kept in one array.",
        f"Ours differs from the published network run the usual way by {difference:.1e} of the "
        "spread of its predictions.",
        f"The Fourier transforms of the default network, {fourier / 1e6:.1f} MFLOP a frame, and "
        "all element by element work come on top of the convolutions.",
    ]
    values = {
        "frames_per_second": found,
        "seconds": {name: asdict(s) for name, s in seconds.items()},
        "matmul_flops": rate,
        "convolution_flops": dict(zip(found, flops, strict=True)),
        "fourier_flops": fourier,
        "relative_difference": difference,
    }
    columns = [
        "",
        "frames/s",
        "ratio",
        "CPU ms/frame",
        "MFLOP/frame",
        "limit, frames/s",
        "of the limit",
    ]
    return Table(title="Prediction", columns=columns, rows=rows, notes=notes, values=values)


def _plainly(
    network: torch.nn.Module, frames: torch.Tensor, batch: int, setting: Setting
) -> Patches:
    """The network's own forward, batch after batch."""
    found: list[tuple[torch.Tensor, ...]] = []
    with torch.inference_mode():
        for start in range(0, len(frames), batch):
            part = frames[start : start + batch].to(setting.device)
            amplitude, phase = network(part)
            network.residual(amplitude, phase, part)
            found.append((amplitude[:, 0].cpu(), phase[:, 0].cpu()))
    amplitude, phase = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return Patches(indices=np.arange(len(frames)), amplitude=amplitude, phase=phase)


def _difference(found: Patches, expected: Patches) -> float:
    """Root mean square difference over the spread; the larger one of amplitude and phase."""
    pairs = ((found.amplitude, expected.amplitude), (found.phase, expected.phase))
    return max(float(np.sqrt(np.mean((a - b) ** 2)) / b.std()) for a, b in pairs)
