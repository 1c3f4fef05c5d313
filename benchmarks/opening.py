"""What it costs to read files in a process of their own: `python benchmarks/opening.py`.

The same reader in this process and through the other one, in turns, on files
in a temporary folder (in the page cache, so that no disk is measured).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from rich.console import Console
from rich.table import Table

from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.io.containers.open import open_container
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.sandbox.opening import open_tree

REPEATS = 7
BATCH = 128
LAYOUTS: tuple[tuple[str, int, int, dict[str, Any]], ...] = (
    ("64² bitshuffle/LZ4, frame by frame", 4096, 64, {"chunks": (1, 64, 64)}),
    ("128² bitshuffle/LZ4, frame by frame", 2048, 128, {"chunks": (1, 128, 128)}),
    ("256² bitshuffle/LZ4, frame by frame", 1024, 256, {"chunks": (1, 256, 256)}),
    ("256² gzip, chunks that h5py chose", 512, 256, {"chunks": True, "compression": "gzip"}),
    ("256² not compressed", 1024, 256, {}),
)


def write(path: Path, n: int, size: int, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] - size // 2
    counts = rng.poisson(300 * np.exp(-(y**2 + x**2) / size), (64, size, size)).astype(np.uint16)
    if "chunks" in options and "compression" not in options:
        options = options | dict(hdf5plugin.Bitshuffle())
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", data=np.tile(counts, (n // 64, 1, 1)), **options)


def frames_per_second(*reads: Callable[[], int]) -> list[float]:
    """Medians of several ways that take turns, so that a busy machine slows all of them."""
    rates: list[list[float]] = [[] for _ in reads]
    for turn in range(REPEATS + 1):
        for found, read in zip(rates, reads, strict=True):
            begun = time.perf_counter()
            count = read()
            if turn:  # the first warms up
                found.append(count / (time.perf_counter() - begun))
    return [median(found) for found in rates]


def ways(stack: LazyFrames) -> dict[str, Callable[[], int]]:
    n = len(stack)
    one_by_one = np.random.default_rng(1).permutation(n)[:256]
    scattered = np.sort(np.random.default_rng(2).permutation(n)[: n // 4])

    def singly() -> int:
        return len([stack[int(i)] for i in one_by_one])

    def iterate_batches() -> int:
        return sum(len(stack[i : i + BATCH]) for i in range(0, n, BATCH))

    def some() -> int:
        return len(stack[scattered])

    return {
        "one at a time": singly,
        f"batches of {BATCH}": iterate_batches,
        "a quarter, scattered": some,
    }


def first_open() -> tuple[float, float]:
    """Seconds from a new interpreter to the first frame: in this process, in the other."""
    code = """
import time; begun = time.perf_counter()
from pathlib import Path
{imports}
with {opened} as tree:
    tree.array("frames").source().block((slice(0, 1), slice(0, 64), slice(0, 64)))
print(time.perf_counter() - begun)
"""
    here = "from napari_ptychonn.io.containers.open import open_container"
    there = (
        "from napari_ptychonn.io.sandbox.opening import open_tree\n"
        "from napari_ptychonn.io.location import Location"
    )

    def timed(imports: str, opened: str, path: Path) -> float:
        text = code.format(imports=imports, opened=opened.format(path=str(path)))
        return median(
            float(subprocess.check_output([sys.executable, "-c", text])) for _ in range(REPEATS)
        )

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        write(path, 64, 64, {"chunks": (1, 64, 64)})
        return (
            timed(here, "open_container(Path({path!r}))", path),
            timed(there, "open_tree(Location(file=Path({path!r})))", path),
        )


def main() -> None:
    table = Table("file", "read", "this process, frames/s", "other process, frames/s", "ratio")
    with tempfile.TemporaryDirectory() as folder:
        for name, n, size, options in LAYOUTS:
            path = Path(folder) / "frames.h5"
            write(path, n, size, options)
            with open_container(path) as here, open_tree(Location(file=path)) as there:
                arrays = [tree.array("frames") for tree in (here, there)]
                stacks = [LazyFrames(a.source()) for a in arrays if a is not None]
                for way in ways(stacks[0]):
                    a, b = frames_per_second(*(ways(stack)[way] for stack in stacks))
                    table.add_row(name, way, f"{a:,.0f}", f"{b:,.0f}", f"{b / a:.2f}")
            path.unlink()
    here_s, there_s = first_open()
    console = Console()
    console.print(table)
    console.print(f"New interpreter to first frame: {here_s:.2f} s here, {there_s:.2f} s there.")


if __name__ == "__main__":
    main()
