"""Does a trained network get better by fitting frames without labels?  See docs/accuracy.md.

The held-out frames go through the network and its own forward model, and the
weights follow the gradient of the diffraction residual, alone or with the
labelled frames beside it.

    python benchmarks/without_labels.py siemens_star_516.h5 --model star.model
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_ptychonn import Scan, TrainedModel, compare, read_reconstruction, read_scan
from napari_ptychonn.data.patches import Patches, cut_patches
from napari_ptychonn.network.ptychonn import PtychoNN

LABELLED, HELD_OUT = np.arange(387), np.arange(387, 516)
BATCH = 16
LOOKS = (0, 15, 30, 60)
RESIDUAL_SHARE = 0.3
"""Weight of the residual, in units of the photon noise, beside the labels' loss of about 1."""


def main() -> None:
    """Go on from one model in each way; print a table."""
    options = _arguments()
    scan, model = read_scan(options.scan), TrainedModel.load(options.model)
    frames = model.preprocessing.read(scan, np.arange(len(scan)))
    print("| labels beside | rate | steps | phase MAE, rad / corr. | amplitude corr. | residual |")
    print("|---|---|---|---|---|---|")
    for labelled in (False, True):
        labels = _labels(options.scan, scan, model) if labelled else None
        for rate in options.rates:
            network = model.network()
            torch.manual_seed(0)
            adam = torch.optim.Adam(network.parameters(), rate)
            for step in range(max(LOOKS) + 1):
                if step in LOOKS:
                    row = _judged(network, frames[HELD_OUT], options.scan, scan)
                    print(f"| {'yes' if labelled else 'no'} | {rate:g} | {step} | {row} |")
                loss = _residual(network, frames[HELD_OUT])
                if labels is not None:
                    loss = loss + _labels_loss(network, frames[LABELLED], *labels)
                adam.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                adam.step()


def _residual(network: PtychoNN, frames: Tensor) -> Tensor:
    batch = frames[torch.randint(0, len(frames), (BATCH,))]
    found = [network.residual(*stage, batch) for stage in network.stages(batch)]
    assert all(r is not None for r in found), "this model knows no beam"
    return RESIDUAL_SHARE * torch.stack([r.mean() for r in found if r is not None]).mean()


def _labels_loss(network: PtychoNN, frames: Tensor, amplitude: Tensor, phase: Tensor) -> Tensor:
    rows = torch.randint(0, len(frames), (BATCH,))
    losses = []
    for predicted_amplitude, predicted_phase in network.stages(frames[rows]):
        off = predicted_phase - phase[rows]
        off = off - off.mean((1, 2, 3), keepdim=True)
        spread = network.label_spread
        off_amplitude = (predicted_amplitude - amplitude[rows]).abs().mean()
        losses.append(off_amplitude / spread[0] + off.abs().mean() / spread[1])
    return torch.stack(losses).mean()


def _labels(path: Path, scan: Scan, model: TrainedModel) -> tuple[Tensor, Tensor]:
    placed, positions = read_reconstruction(f"{path}::/epie_first_387").align_to(scan)
    offset = model.provenance["phase_offset"]
    labels = cut_patches(placed, positions, LABELLED, model.patch_shape, offset)
    return torch.from_numpy(labels.amplitude)[:, None], torch.from_numpy(labels.phase)[:, None]


def _judged(network: PtychoNN, frames: Tensor, path: Path, scan: Scan) -> str:
    network.eval()  # and so it stays: the batch statistics are those of the training
    with torch.inference_mode():
        amplitude, phase = network(frames)
        residual = network.residual(amplitude, phase, frames)
    assert residual is not None
    predicted = Patches(
        indices=HELD_OUT, amplitude=amplitude[:, 0].numpy(), phase=phase[:, 0].numpy()
    )
    placed, positions = read_reconstruction(f"{path}::/epie").align_to(scan)
    found = compare(predicted, positions[HELD_OUT], placed).single_shot
    return (
        f"{found.phase_mae:.3f} / {found.phase_correlation:.3f} | "
        f"{found.amplitude_correlation:.3f} | {float(residual.mean()):.2f}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-4, 1e-3])
    return parser.parse_args()


if __name__ == "__main__":
    main()
