"""How well a reconstruction of every other frame knows the amplitude: see docs/accuracy.md.

Both reconstructions see the same sample with the same beam, and half of the photons are the same.
What their patches have in common, at best after smoothing, bounds what a prediction can have in
common with a reconstruction that has noise of its own.

    napari-ptychonn reconstruct siemens_star_516.h5 --frames 1::2 --iterations 150 -o half.h5
    python benchmarks/amplitude_of_half.py siemens_star_516.h5 half.h5
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_ptychonn import Scan, read_reconstruction, read_scan
from napari_ptychonn.data.patches import Patches, cut_patches

SMOOTHING = (0.0, 0.5, 0.7, 1.0, 1.5, 2.0)
"""Standard deviations, pixels."""


def main() -> None:
    """Print the mean amplitude correlation per held-out patch for each smoothing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan")
    parser.add_argument("half", help="reconstruction of every other frame")
    options = parser.parse_args()
    scan = read_scan(options.scan)
    half = _patches(scan, options.half)
    whole = _patches(scan, f"{options.scan}::/epie")
    print("| smoothing, px | amplitude correlation |\n|---|---|")
    for width in SMOOTHING:
        smooth = gaussian_filter(half.amplitude, (0, width, width))
        pairs = zip(smooth, whole.amplitude, strict=True)
        correlation = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
        print(f"| {width:g} | {correlation:.3f} |")


def _patches(scan: Scan, name: str) -> Patches:
    """Patches of 64 pixels at the held-out frames."""
    placed, positions = read_reconstruction(name).align_to(scan)
    return cut_patches(placed, positions, np.arange(387, 516))


if __name__ == "__main__":
    main()
