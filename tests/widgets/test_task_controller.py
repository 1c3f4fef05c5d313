"""What arrives late must not reach another scan."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.app.session import Session
from napari_ptychonn.data.bad_pixels import BadPixels
from napari_ptychonn.tasks.events import ReconstructionLoaded
from napari_ptychonn.widgets.task_controller import TaskController

NONE_BAD = BadPixels.find(
    np.full((20, 32, 32), 5, np.uint16), np.ones((32, 32), np.bool_), total=20
)


class Slow:
    """Loads a reconstruction once it is released."""

    activity = "opening"

    def __init__(self, reconstruction):
        self.released = threading.Event()
        self.reconstruction = reconstruction

    def run(self, _should_stop):
        self.released.wait(60)
        yield ReconstructionLoaded(reconstruction=self.reconstruction)


@pytest.mark.parametrize("meanwhile", ["nothing", "mask", "another scan"])
def test_a_late_reconstruction_reaches_its_own_scan_only(qtbot, small, meanwhile):
    session = Session()
    tasks = TaskController(session)
    session.load_scan(replace(small.scan, bad_pixels=NONE_BAD))
    task = Slow(small.reconstruction)
    tasks.start_background("reconstruction", task)
    if meanwhile == "mask":
        session.mask_above(None)
        assert session.scan is not small.scan
    if meanwhile == "another scan":
        session.load_scan(replace(small.scan, name="another"))
    task.released.set()
    qtbot.waitUntil(lambda: not tasks.runs_in_background("reconstruction"), timeout=60_000)
    assert (session.reconstruction is None) == (meanwhile == "another scan")
    tasks.close()
