"""However long a scan is: its frames and predictions are never all in memory."""

import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from napari_ptychonn.data import patch_store as stored
from napari_ptychonn.data.patches import Patches
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.io import read_result, write_result
from napari_ptychonn.io.readers import results
from napari_ptychonn.stitching.mosaic import window_weight
from napari_ptychonn.tasks.predict import PredictTask

COUNT, SIDE, LINE = 3000, 64, 60
WHOLE = 2 * COUNT * SIDE * SIDE * 4
"""Bytes of all predictions: 98 MB."""

MOST = 30e6
"""Bytes: some batches, the mosaic, and what a batch needs while it is stitched."""


class Frames:
    """Frames that are made when somebody looks."""

    dtype = np.dtype(np.uint16)

    def __init__(self, count):
        self.shape = (count, 8, 8)

    def __getitem__(self, key):
        rows, *rest = key if isinstance(key, tuple) else (key,)
        count = len(np.arange(self.shape[0])[rows])
        return np.ones((count, 8, 8), np.uint16)[(slice(None), *rest)]


class Model:
    """As much of a trained model as a prediction asks for; it needs no time."""

    patch_shape = (SIDE, SIDE)
    weight = window_weight(patch_shape)
    residual_limit, probe, provenance = 2.0, None, {}
    preprocessing = SimpleNamespace(frame_shape=None)  # of no scan to compare with

    def pixel_size_in(self, scan):
        return scan.pixel_size

    def held_out(self, scan):
        return None

    def predict(self, scan, indices, *, device, should_stop):
        for start in range(0, len(scan), 128):
            rows = np.arange(start, min(start + 128, len(scan)))
            scan.read(rows)
            shape = (len(rows), SIDE, SIDE)
            phase = np.broadcast_to(np.float32(1e-3) * rows[:, None, None], shape)
            yield Patches(
                indices=rows,
                amplitude=np.ones(shape, np.float32),
                phase=phase.astype(np.float32),
                residual=np.ones(len(rows), np.float32),
            )


def result_of(count, path):
    """Predict, stitch and write a scan, and open what was written."""
    positions = 3.0 * np.stack(np.divmod(np.arange(count), LINE), axis=1)
    scan = Scan(frames=Frames(count), positions=positions, name="long")
    for step in PredictTask(scan=scan, model=Model(), device="cpu").run():
        last = step
    write_result(path, last.result)
    return read_result(path)


def test_memory_is_bounded_from_the_first_frame_to_the_file(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(stored, "IN_MEMORY", 2**22)
    monkeypatch.setattr(results, "READ_AT_ONCE", 2**22)
    monkeypatch.setattr(stored, "TOGETHER", 128)
    result_of(300, tmp_path / "few.h5")  # imports take memory too, but only once
    tracemalloc.start()
    try:
        read = result_of(COUNT, tmp_path / "result.h5")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST < WHOLE / 3
    assert len(read.predictions) == COUNT
    np.testing.assert_allclose(read.predictions[2999].phase, 2.999, rtol=1e-6)
    assert np.isfinite(read.mosaic.phase).mean() > 0.99
