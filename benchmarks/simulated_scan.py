"""Write the simulated scan of docs/reproducing.md, and its exact truth: two HDF5 files.

    python benchmarks/simulated_scan.py paper --points 60 60
    python benchmarks/simulated_scan.py paper --points 161 161    # as large as the paper's

3 px steps of a 60 nm beam over etched tungsten, as in the paper.  No reconstruction and no probe
comes with it: all that follows has to find them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.io import write_reconstruction
from napari_ptychonn.simulation.scan import Simulation


def main() -> None:
    """Simulate, and write."""
    options = _arguments()
    options.folder.mkdir(parents=True, exist_ok=True)
    ny, nx = options.points
    simulated = Simulation(points=(ny, nx), photons=options.photons, seed=options.seed).run()
    print(write_scan(options.folder / "scan.h5", replace(simulated.scan, probe=None)))
    truth = options.folder / "truth.h5"
    write_reconstruction(truth, simulated.truth)
    print(truth)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, nargs=2, default=(60, 60), metavar=("NY", "NX"))
    parser.add_argument("--photons", type=float, default=1e6, help="to the sample, each frame")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
