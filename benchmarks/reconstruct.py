"""What the engines reach against a known truth, and on a real scan against other labels.

python benchmarks/reconstruct.py paths                  # raster, spiral, jitter; known or estimated
python benchmarks/reconstruct.py steps                  # 3 and 15 pixels between scan points
python benchmarks/reconstruct.py batches                # frames per update, and where it breaks
python benchmarks/reconstruct.py scan FILE --frames 0:387 --labels epie_first_387 --made OBJ.h5

Prints rows of Markdown tables.  Errors are root mean squares between the outermost scan
points, after shift, amplitude scale and phase plane were taken away; the shift is that one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage
from scipy.spatial import Delaunay

from napari_ptychonn import (
    EngineOptions,
    InputError,
    Reconstruction,
    Simulation,
    read_reconstruction,
    read_scan,
    reconstruct,
)
from napari_ptychonn.comparison.registration import Alignment, align
from napari_ptychonn.simulation.scan import SimulatedScan


def main() -> None:
    """Run one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=("paths", "steps", "batches", "scan"))
    parser.add_argument("file", nargs="?")
    parser.add_argument("--frames", default="0:387")
    parser.add_argument("--labels", default="epie_first_387")
    parser.add_argument("--made", nargs="*", default=[])
    asked = parser.parse_args()
    if asked.table == "scan":
        against_labels(asked.file, asked.frames, asked.labels, asked.made)
        return
    for label, simulated, options in {"paths": paths, "steps": steps, "batches": batches}[
        asked.table
    ]():
        print(row(label, simulated, options), flush=True)


def paths() -> Iterator[tuple[str, SimulatedScan, EngineOptions]]:
    """441 points, 5 or 6 pixels apart."""
    for label, choice in (
        ("raster, 6 px", {"step": 60e-9}),
        ("spiral, 5 px", {"step": 50e-9, "path": "spiral"}),
        ("raster, 5 px, jitter 0.4 px", {"step": 50e-9, "jitter": 4e-9}),
    ):
        simulated = Simulation(points=(21, 21), **choice).run()
        for algorithm in ("epie", "rpie", "lsqml"):
            for probe in ("known", "estimated"):
                options = EngineOptions(algorithm=algorithm, first_probe=probe, iterations=40)
                yield label, simulated, options


def steps() -> Iterator[tuple[str, SimulatedScan, EngineOptions]]:
    """The same 1.2 μm, densely and sparsely scanned."""
    for points, pixels, iterations in (((41, 41), 3, 25), ((9, 9), 15, 200)):
        simulated = Simulation(points=points, step=pixels * 10e-9).run()
        for algorithm in ("epie", "rpie", "lsqml"):
            for probe in ("known", "estimated"):
                options = EngineOptions(
                    algorithm=algorithm, first_probe=probe, iterations=iterations
                )
                yield f"{pixels} px", simulated, options


def batches() -> Iterator[tuple[str, SimulatedScan, EngineOptions]]:
    """A small scan, where frames of one batch crowd each other soon."""
    simulated = Simulation(points=(13, 13), frame_size=32, path="spiral").run()
    for algorithm in ("epie", "rpie", "lsqml"):
        for batch in (4, 8, 16, 32, 64):
            options = EngineOptions(algorithm=algorithm, iterations=20, batch_size=batch)
            yield f"spiral, batch {batch}", simulated, replace(options, first_probe="estimated")


def row(label: str, simulated: SimulatedScan, options: EngineOptions) -> str:
    """One row: what was asked, and what came of it."""
    scan = simulated.scan
    asked = f"| {label} | {options.title} | {options.first_probe} | {options.iterations}"
    try:
        *_, last = reconstruct(scan, options, device="cpu")
    except InputError:
        return f"{asked} | diverged | | | | |"
    made = last.reconstruction
    found, phase, amplitude = difference(made, simulated.truth, scan.positions)
    each = 1e3 * last.seconds / (last.number * len(scan))
    shift = np.abs(found.shift).max()
    return (
        f"{asked} | {last.error:.5f} | {phase:.4f} | {amplitude:.4f} | {shift:.2f} | {each:.2f} |"
    )


def difference(
    made: Reconstruction, expected: Reconstruction, positions: np.ndarray
) -> tuple[Alignment, float, float]:
    """Alignment, and RMS of phase (rad) and amplitude that is left between the scan points."""
    scale = np.asarray(made.pixel_size) / np.asarray(expected.pixel_size)
    corner = expected.pixel_index(np.asarray([made.origin]))[0]
    real, imaginary = (
        ndimage.affine_transform(part, scale, corner, made.object.shape, order=3, mode="nearest")
        for part in (expected.object.real, expected.object.imag)
    )
    there = real + 1j * imaginary
    index = np.stack(np.indices(made.object.shape), -1).reshape(-1, 2)
    inside = Delaunay(made.pixel_index(positions)).find_simplex(index) >= 0
    inside = inside.reshape(made.object.shape)
    aligned, found = align(made.object, there, inside)
    phase = np.angle(aligned[inside] * np.conj(there[inside]))
    amplitude = np.abs(aligned[inside]) - np.abs(there[inside])
    return found, float(phase.std()), float(np.sqrt(np.mean(amplitude**2)))


def against_labels(file: str, frames: str, labels: str, made: list[str]) -> None:
    """Reconstructions of a real scan beside one that came with it."""
    scan = read_scan(file)
    chosen = slice(*(int(part) for part in frames.split(":")))
    expected, positions = read_reconstruction(f"{file}::/{labels}").align_to(scan)
    for path in made:
        mine, _ = read_reconstruction(path).align_to(scan)
        found, phase, amplitude = difference(mine, expected, positions[chosen])
        print(
            f"| {path} | {mine.algorithm} | {mine.iterations} | {phase:.4f} | {amplitude:.4f} | "
            f"({found.shift[0]:.2f}, {found.shift[1]:.2f}) |"
        )


if __name__ == "__main__":
    main()
