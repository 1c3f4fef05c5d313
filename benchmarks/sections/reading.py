"""Frames per second from a compressed file: through the reader process, and by HDF5 alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_ptychonn import Scan, read_scan
from napari_ptychonn.cli.demonstration import write_scan
from sections.measuring import Setting, Table, in_turns
from sections.models import scan_of

BATCH = 32
FRAMES = "diffraction"


def measure(setting: Setting) -> Table:
    count = 256 if setting.quick else 4096
    with tempfile.TemporaryDirectory() as folder:
        path = write_scan(Path(folder) / "scan.h5", scan_of(count))
        scan = read_scan(path)
        megabytes = count * np.prod(scan.frame_shape) * scan.frames.dtype.itemsize / 1e6

        def read(scan: Scan = scan) -> None:
            for start in range(0, count, BATCH):
                scan.read(np.arange(start, min(start + BATCH, count)))

        def batches(read_one: Callable[[tuple[slice, ...]], Any]) -> None:
            frame = tuple(slice(0, length) for length in scan.frame_shape)
            for start in range(0, count, BATCH):
                read_one((slice(start, min(start + BATCH, count)), *frame))

        repeats = 1 if setting.quick else setting.repeats
        with h5py.File(path) as file:
            data = file[FRAMES]
            ways = {
                "read_scan": lambda: read_scan(path),
                "frames": read,
                "HDF5": lambda: batches(data.__getitem__),
            }
            times = in_turns(ways, repeats)
        size = path.stat().st_size / 1e6
    named = {
        f"{count:,} frames of 64x64 in batches of {BATCH}": "frames",
        "by HDF5 in this process": "HDF5",
    }
    return Table(
        title="Reading",
        columns=["", "frames/s", "MB/s", "opening, s"],
        rows=[
            [
                what,
                f"{count / times[way].seconds:,.0f}",
                f"{megabytes / times[way].seconds:,.0f}",
                f"{times['read_scan'].seconds:.3f}" if way == "frames" else "",
            ]
            for what, way in named.items()
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
