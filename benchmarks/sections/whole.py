"""A whole scan: file → mosaic with its trust maps, in a warm process."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from napari_ptychonn import read_scan
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.tasks.events import PredictionEnded
from napari_ptychonn.tasks.predict import PredictTask
from sections.limits import convolution_flops, matmul_rate, of_the_limit
from sections.measuring import Setting, Table, in_turns
from sections.models import model

PAPER = 161 * 161
FRAMES = "diffraction"


def measure(setting: Setting) -> Table:
    ny, nx = (12, 12) if setting.quick else setting.points
    trained, count = model("default"), ny * nx

    def whole(path: Path) -> None:
        *_, last = PredictTask(scan=read_scan(path), model=trained, device=setting.device).run()
        assert isinstance(last, PredictionEnded)

    with tempfile.TemporaryDirectory() as folder:
        packed = write_scan(Path(folder) / "gzip.h5", Simulation(points=(ny, nx)).run().scan)
        files = {"gzip": packed, "bitshuffle and LZ4": _as_detectors_pack(packed)}
        ways = {name: lambda path=path: whole(path) for name, path in files.items()}
        times = in_turns(ways, 1 if setting.quick else setting.repeats)
        scan = read_scan(packed)
        precision = trained.predictor(setting.device, scan, np.arange(count)).precision
        flops = convolution_flops(trained.network(), scan.frame_shape)
    rate = matmul_rate(setting.device, precision)
    rows = [
        [
            f"{ny}x{nx} points, 64x64, {name}",
            f"{t.seconds:.2f}",
            f"{count / t.seconds:,.0f}",
            f"{1e3 * t.processor_seconds / count:.2f}",
            f"{t.seconds * PAPER / count:.1f}",
            of_the_limit(count / t.seconds, flops, rate),
        ]
        for name, t in times.items()
    ]
    return Table(
        title="Whole scan, file → mosaic",
        columns=["", "s", "frames/s", "CPU ms/frame", f"{PAPER:,} frames, s", "of the limit"],
        rows=rows,
        notes=[
            f"Default network; the time for 161x161 points is scaled from {count:,} frames.",
            "The limit is that of predicting: convolutions alone, at the "
            f"{rate / 1e9:,.0f} GFLOP/s of a matrix product in {precision}.",
        ],
        values={
            "seconds": {n: asdict(t) for n, t in times.items()},
            "frames": count,
            "matmul_flops": rate,
            "convolution_flops": flops,
        },
    )


def _as_detectors_pack(path: Path) -> Path:
    """The same scan, its frames packed as by the detectors of many beamlines."""
    other = Path(shutil.copy(path, path.with_name("bitshuffle.h5")))
    with h5py.File(other, "r+") as file:
        counts, about = file[FRAMES][...], dict(file[FRAMES].attrs)
        del file[FRAMES]
        chunks = (1, *counts.shape[1:])
        packed = file.create_dataset(FRAMES, data=counts, chunks=chunks, **hdf5plugin.Bitshuffle())
        packed.attrs.update(about)
    return other
