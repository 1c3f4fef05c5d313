"""A whole scan: file → mosaic with its trust maps, in a warm process."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

from napari_ptychonn import read_scan
from napari_ptychonn.core.simulate import Simulation
from napari_ptychonn.demo import write_scan
from napari_ptychonn.jobs import Predicted, predict_job
from sections.measuring import Setting, Table, in_turns
from sections.models import model

PAPER = 161 * 161


def measure(setting: Setting) -> Table:
    ny, nx = (12, 12) if setting.quick else setting.points
    trained = model("default")
    with tempfile.TemporaryDirectory() as folder:
        path = write_scan(Path(folder) / "scan.h5", Simulation(points=(ny, nx)).run().scan)

        def whole() -> None:
            *_, last = predict_job(
                read_scan(path), trained, None, None, setting.device, lambda: False
            )
            assert isinstance(last, Predicted)

        times = in_turns({"whole": whole}, 1 if setting.quick else setting.repeats)["whole"]
    took, count = times.seconds, ny * nx
    return Table(
        title="Whole scan, file → mosaic",
        columns=["", "s", "frames/s", "CPU ms/frame", f"{PAPER:,} frames, s"],
        rows=[
            [
                f"{ny}x{nx} points, 64x64, default network",
                f"{took:.2f}",
                f"{count / took:,.0f}",
                f"{1e3 * times.processor_seconds / count:.2f}",
                f"{took * PAPER / count:.1f}",
            ]
        ],
        notes=[f"The time for 161x161 points is scaled from {count:,} frames."],
        values={"seconds": asdict(times), "frames": count},
    )
