"""Faulty pixels in the window: told, marked, masked and unmasked by the user."""

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image, Points

from napari_ptychonn.app.session import Session
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.data.bad_pixels import BadPixels
from napari_ptychonn.widgets.panels.bad_pixels_control import BadPixelsControl
from napari_ptychonn.widgets.panels.scan import ScanPanel
from napari_ptychonn.widgets.task_controller import TaskController


@pytest.fixture(scope="session")
def faulty_file(small, tmp_path_factory):
    """`small` with two hot pixels and a dead one, and positions in the wrong unit."""
    frames = small.scan.frames.copy()
    frames[:, 3, 4] = np.random.default_rng(0).poisson(5000, len(frames))
    frames[:, 27, 9] = np.random.default_rng(1).poisson(500, len(frames))
    frames[:, 17, 18] = 0
    file = tmp_path_factory.mktemp("faulty") / "faulty.h5"
    return write_scan(file, replace(small.scan, frames=frames), small.reconstruction)


@pytest.fixture
def faulty(small):
    """Three hot pixels, found."""
    frames = small.scan.frames[:32].copy()
    for k, (y, x) in enumerate([(3, 4), (27, 9), (10, 29)]):
        frames[:, y, x] = np.random.default_rng(k).poisson(10 * 30**k, 32)
    return BadPixels.find(frames, total=len(small.scan))


def test_the_control_shows_and_asks(qtbot, faulty):
    control = BadPixelsControl()
    qtbot.addWidget(control)
    asked = []
    control.contrast_chosen.connect(asked.append)
    control.show_pixels(None)
    assert control.isHidden()
    control.show_pixels(faulty)
    assert control.masked.isChecked()
    assert control.masked.text().endswith("(3)")
    assert asked == []
    control.contrast.setValue(1000)
    control.masked.setChecked(False)
    assert asked == [1000.0, None]
    control.show_pixels(faulty.masked_above(None))
    assert control.masked.text().endswith("(0)")
    assert not control.contrast.isEnabled()


def test_the_panel_warns(qtbot, small):
    session = Session()
    panel = ScanPanel(session, TaskController(session))
    qtbot.addWidget(panel)
    session.load_scan(replace(small.scan, check_warnings=("The step is <odd>: is it right?",)))
    panel.refresh()
    assert "The step is &lt;odd&gt;" in panel.warnings.text()
    assert not panel.warnings.isHidden()
    session.load_scan(small.scan)
    panel.refresh()
    assert panel.warnings.isHidden()
    assert panel.mask_control.isHidden()


def test_a_reconstruction_tells_that_steps_are_too_far(qtbot, small):
    session = Session()
    panel = ScanPanel(session, TaskController(session))
    qtbot.addWidget(panel)
    far = replace(small.scan, probe=None, positions=small.scan.positions * 20)
    session.load_scan(far)
    session.reconstruction = small.reconstruction
    panel.refresh()
    assert "times the width of the beam" in panel.warnings.text()


def test_a_running_job_keeps_its_mask(small, faulty):
    session = Session()
    session.load_scan(replace(small.scan, bad_pixels=faulty, valid=faulty.valid))
    session.start_task("training")
    before = session.scan
    session.mask_above(None)
    assert session.scan is before
    session.finish_task()
    session.mask_above(None)
    assert session.scan.valid is None


def test_masking_in_the_window(dock, window, faulty_file, qtbot, screenshots):
    dock.open(str(faulty_file))
    qtbot.waitUntil(
        lambda: dock.session.scan is not None and not dock.session.running, timeout=30_000
    )
    frames, marks = dock.views.layer("diffraction"), dock.views.layer("detector centre")
    assert isinstance(frames, Image)
    assert isinstance(marks, Points)
    assert len(marks.data) == 2 + 3
    assert "2 hot, 1 dead" in dock.scan_panel.warnings.text()
    assert np.isnan(np.asarray(frames.data[0])[3, 4])
    window.screenshot(str(screenshots / "faulty-pixels.png"), canvas_only=False, flash=False)
    region = dock.session.region

    dock.scan_panel.mask_control.masked.setChecked(False)
    assert dock.session.scan.valid is None
    assert dock.scan_panel.warnings.isHidden()
    assert np.isfinite(np.asarray(frames.data[0])).all()
    assert len(marks.data) == 2
    assert dock.session.region is region

    dock.scan_panel.mask_control.masked.setChecked(True)
    assert dock.scan_panel.mask_control.masked.text().endswith("(3)")
    assert len(marks.data) == 5
    excess = dock.session.scan.bad_pixels.excess
    between = np.sqrt(excess[3, 4] * excess[27, 9])
    dock.scan_panel.mask_control.contrast.setValue(max(float(between), 100.0))
    assert dock.scan_panel.mask_control.masked.text().endswith("(1)")
