"""Check of simulated scans against object and probe: false alarms, mistakes found, time.

    python benchmarks/consistency.py --right 200 --wrong 100
    python benchmarks/consistency.py --right 0 --wrong 0 --large    # 26,000 frames of 256 x 256

Scans of random geometry, probe, dose and overlap; for each kind of mistake, random ones.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from napari_ptychonn.consistency.check import FarFieldCheck, check_far_field
from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.optics.probe import ZonePlate
from napari_ptychonn.simulation.scan import SimulatedScan, Simulation

PATTERNS = ("etched tungsten", "particles")
KINDS = ("frames", "centre", "positions", "scale")


def simulate(rng: np.random.Generator, photons: tuple[float, float]) -> SimulatedScan:
    """Simulate a scan with random options."""
    size = int(rng.choice([48, 64, 96, 128]))
    # The probe is about 200 nm wide; 0 to 50 % overlap.
    return Simulation(
        points=(int(rng.integers(6, 15)), int(rng.integers(6, 15))),
        step=float(rng.uniform(60e-9, 200e-9)),
        frame_size=size,
        photons=float(np.exp(rng.uniform(*np.log(photons)))),
        pattern=str(rng.choice(PATTERNS)),
        jitter=float(rng.uniform(0, 20e-9)),
        path=str(rng.choice(["raster", "serpentine", "spiral"])),
        modes=int(rng.integers(1, 4)),
        zone_plate=ZonePlate(defocus=float(rng.uniform(0, 150e-6))),
        seed=int(rng.integers(2**31)),
    ).run()


def mistake(kind: str, rng: np.random.Generator, scan: Scan) -> ScanCorrection:
    """Make a random mistake of a kind."""
    if kind == "frames":
        return ScanCorrection(frames=int(rng.integers(1, 8)))
    if kind == "centre":
        half = scan.frame_shape[0] // 2
        corner = (half, half)
        shift = corner if rng.random() < 0.5 else tuple(int(v) for v in rng.integers(2, 9, 2))
        return ScanCorrection(shift=(shift[0], shift[1]))
    if kind == "positions":
        return ScanCorrection(positions=int(rng.integers(1, 8)))
    factor = rng.choice([1e-3, 1e3, 1e-6, 1e6, 0.5, 2.0, float(rng.uniform(1.1, 1.6))])
    return ScanCorrection(scale=float(factor))


def undone(found: ScanCorrection | None, made: ScanCorrection, scan: Scan) -> bool:
    """Whether the correction that was found undoes the mistake that was made."""
    if found is None:
        return False
    image = np.arange(np.prod(scan.frame_shape)).reshape(scan.frame_shape)
    same = np.array_equal(found.apply_to_image(made.apply_to_image(image)), image)
    back = found.apply_to_positions(made.apply_to_positions(scan.positions))
    return same and bool(np.allclose(back, scan.positions, rtol=0, atol=0.3 * scan.step))


def without_positions(reconstruction: Reconstruction) -> Reconstruction:
    """Drop the reconstruction's own positions, so that the scan's are what is judged."""
    return replace(reconstruction, indices=None, positions=None)


def check_right(count: int, rng: np.random.Generator) -> None:
    """Print how many right scans are warned of."""
    alarms: list[tuple[SimulatedScan, FarFieldCheck]] = []
    for k in range(count):
        made = simulate(rng, (1e3, 1e7))
        reconstruction = (made.truth, made.reconstruction)[k % 2]
        found = check_far_field(made.scan, without_positions(reconstruction))
        if found is not None and found.warning is not None:
            alarms.append((made, found))
            print("false alarm:", found)
    print(f"right scans: {len(alarms)} of {count} warned of")


def check_wrong(count: int, rng: np.random.Generator) -> None:
    """Print, for each kind of mistake, how many are found."""
    for kind in KINDS:
        right, seconds = 0, []
        for k in range(count):
            made = simulate(rng, (1e4, 1e7))
            wrong = mistake(kind, rng, made.scan)
            reconstruction = without_positions((made.truth, made.reconstruction)[k % 2])
            began = time.perf_counter()
            found = check_far_field(wrong.apply(made.scan), reconstruction)
            seconds.append(time.perf_counter() - began)
            good = found is not None and undone(found.correction, wrong, made.scan)
            right += good
            if not good:
                print(f"{kind}: {wrong} -> {found}")
        print(
            f"{kind}: {right} of {count} found; {np.median(seconds):.2f} s, "
            f"at most {max(seconds):.2f} s"
        )


def check_large() -> None:
    """Print the time of a check of 26,000 frames of 256 x 256, right and wrong."""
    made = Simulation(points=(20, 20), step=100e-9, frame_size=256, photons=1e6, modes=3).run()
    scan = made.scan
    frames = LazyFrames.from_stack(scan.frames).select(np.arange(26_000) % len(scan))
    large = replace(
        scan,
        frames=frames,
        positions=np.tile(scan.positions, (65, 1)),
        line=None,
    )
    reconstruction = without_positions(made.truth)
    for wrong in (
        ScanCorrection(),
        ScanCorrection(frames=5),
        ScanCorrection(positions=4),
        ScanCorrection(scale=1e3),
    ):
        began = time.perf_counter()
        found = check_far_field(wrong.apply(large), reconstruction)
        seconds = time.perf_counter() - began
        print(f"26,000 frames of 256 x 256, {wrong.description}: {seconds:.2f} s, {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--right", type=int, default=200)
    parser.add_argument("--wrong", type=int, default=100)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    check_right(options.right, rng)
    if options.wrong:
        check_wrong(options.wrong, rng)
    if options.large:
        check_large()


if __name__ == "__main__":
    main()
