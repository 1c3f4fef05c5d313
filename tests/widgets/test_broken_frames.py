"""Scrubbing through a file that crashes the library that reads it: the window stays."""

import numpy as np
import pytest

from napari_ptychonn.io.sandbox import process as child

CRASHES_AT_13 = """
import os
from napari_ptychonn.io.sandbox import server as service
from napari_ptychonn.io.containers.hdf5.source import Hdf5Source

read = Hdf5Source.block

def block(self, key):
    if key[0].start == 13:
        os.abort()
    return read(self, key)

Hdf5Source.block = block
service.main()
"""


@pytest.fixture
def crashes(monkeypatch):
    """Switch the process that opens files to one that crashes at frame 13."""
    yield lambda: (
        child.end_all(),
        monkeypatch.setattr(child, "_PROGRAM", ("-P", "-c", CRASHES_AT_13)),
    )
    child.end_all()


def shown(layer):
    return np.array(layer._slice.image.view)  # noqa: SLF001  (what is on screen, not the data)


def test_the_window_shows_the_other_frames(qtbot, window, dock, small_file, crashes):
    window.open(small_file, plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: dock.session.scan is not None, timeout=20_000)
    frames = next(layer for layer in window.layers if layer.data.shape[1:] == (32, 32))
    crashes()
    window.dims.set_current_step(0, 12)
    before = shown(frames)
    assert np.isfinite(before).any()
    with pytest.warns(UserWarning, match=r"Frame 13 is not shown: .*small\.h5.*crashed"):
        window.dims.set_current_step(0, 13)
    assert np.isnan(shown(frames)).all()
    window.dims.set_current_step(0, 12)
    np.testing.assert_array_equal(shown(frames), before)
    assert dock.session.scan is not None
