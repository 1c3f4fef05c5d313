"""How much of a Siemens star's amplitude its phase alone tells: a yardstick in docs/accuracy.md.

A small network learns, on the labels of the training frames, to give the amplitude for the phase;
then it is given the reference's own phase at held-out frames.  No diffraction takes part: what a
network reaches beyond this, it has read from the frames' amplitude contrast.

    python benchmarks/amplitude_from_phase.py siemens_star_516.h5
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor, nn

from napari_ptychonn import read_reconstruction, read_scan
from napari_ptychonn.data.patches import Patches, cut_patches
from napari_ptychonn.network.ptychonn import convolution

STEPS, BATCH, RATE = 400, 16, 2e-3


def main() -> None:
    """Train and print the mean correlation per patch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan")
    name = parser.parse_args().scan
    known = _patches(name, "epie_first_387", np.arange(387))
    wanted = _patches(name, "epie", np.arange(387, 516))
    torch.manual_seed(0)
    hidden = [layer for _ in range(4) for layer in convolution(16, 16)]
    network = nn.Sequential(*convolution(1, 16), *hidden, nn.Conv2d(16, 1, 3, padding=1))
    adam = torch.optim.Adam(network.parameters(), RATE)
    phase, amplitude = _tensors(known)
    target = (amplitude - amplitude.mean()) / amplitude.std()
    for _ in range(STEPS):
        rows = torch.randint(0, len(phase), (BATCH,))
        turns = int(torch.randint(0, 4, (1,)))
        given, asked = (torch.rot90(t[rows], turns, (2, 3)) for t in (phase, target))
        loss = (network(given) - asked).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    network.eval()
    for which, patches in (("training", known), ("held-out", wanted)):
        with torch.inference_mode():
            found = network(_tensors(patches)[0])[:, 0].numpy()
        pairs = zip(found, patches.amplitude, strict=True)
        correlation = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
        print(f"{which} frames: amplitude correlation {correlation:.3f}")


def _patches(name: str, group: str, indices: np.ndarray) -> Patches:
    scan = read_scan(name)
    placed, positions = read_reconstruction(f"{name}::/{group}").align_to(scan)
    return cut_patches(placed, positions, indices)


def _tensors(patches: Patches) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(patches.phase)[:, None], torch.from_numpy(patches.amplitude)[:, None]


if __name__ == "__main__":
    main()
