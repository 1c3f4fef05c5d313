"""Frames a second from a compressed file, through the process that opens files."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from napari_ptychonn import Scan, read_scan
from napari_ptychonn.demo import write_scan
from sections.measuring import Setting, Table, in_turns
from sections.models import scan_of

BATCH = 32


def measure(setting: Setting) -> Table:
    count = 256 if setting.quick else 4096
    with tempfile.TemporaryDirectory() as folder:
        path = write_scan(Path(folder) / "scan.h5", scan_of(count))
        scan = read_scan(path)
        megabytes = count * np.prod(scan.frame_shape) * scan.frames.dtype.itemsize / 1e6

        def read(scan: Scan = scan) -> None:
            for start in range(0, count, BATCH):
                scan.read(np.arange(start, min(start + BATCH, count)))

        repeats = 1 if setting.quick else setting.repeats
        ways = {"read_scan": lambda: read_scan(path), "frames": read}
        times = in_turns(ways, repeats)
        size = path.stat().st_size / 1e6
    whole = times["frames"].seconds
    return Table(
        title="Reading",
        columns=["", "frames/s", "MB/s", "opening, s"],
        rows=[
            [
                f"{count:,} frames of 64x64 in batches of {BATCH}",
                f"{count / whole:,.0f}",
                f"{megabytes / whole:,.0f}",
                f"{times['read_scan'].seconds:.3f}",
            ]
        ],
        notes=[
            f"A file of {size:.1f} MB in the page cache, so no disk is measured; MB are of counts."
        ],
        values={
            "seconds": {name: asdict(t) for name, t in times.items()},
            "frames": count,
            "megabytes": megabytes,
        },
    )
