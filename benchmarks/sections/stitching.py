"""Seconds to stitch patches that lie between the pixels."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from napari_ptychonn.data.patches import Patches
from napari_ptychonn.stitching.mosaic import Mosaic
from sections.measuring import Setting, Table, in_turns

WHOLE, SIZE, STEP = 26_000, 64, 3.0


def measure(setting: Setting) -> Table:
    # Memory for all of them is not needed to know how long they take.
    count = 500 if setting.quick else WHOLE // 4
    rng = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(count)))
    positions = STEP * np.stack(np.divmod(np.arange(count), side), axis=1)
    positions += rng.uniform(-0.5, 0.5, positions.shape)
    patches = Patches(
        indices=np.arange(count),
        amplitude=rng.uniform(0.5, 1, (count, SIZE, SIZE)).astype(np.float32),
        phase=rng.uniform(-1, 1, (count, SIZE, SIZE)).astype(np.float32),
    )

    def stitch() -> None:
        mosaic = Mosaic.covering(positions, (SIZE, SIZE), (1.0, 1.0))
        mosaic.add(patches, positions)
        mosaic.image()

    repeats = 1 if setting.quick else setting.repeats
    times = in_turns({"stitch": stitch}, repeats)["stitch"]
    whole = times.seconds * WHOLE / count
    return Table(
        title="Stitching",
        columns=["", f"{count:,} patches, s", f"{WHOLE:,} patches, s", "CPU s", "patches/s"],
        rows=[
            [
                f"{SIZE}x{SIZE} between pixels",
                f"{times.seconds:.2f}",
                f"{whole:.2f}",
                f"{times.processor_seconds * WHOLE / count:.2f}",
                f"{count / times.seconds:,.0f}",
            ]
        ],
        notes=[f"{count:,} were measured; the time for {WHOLE:,} is scaled from it."],
        values={"seconds": asdict(times), "patches": count, "scaled_seconds": whole},
    )
