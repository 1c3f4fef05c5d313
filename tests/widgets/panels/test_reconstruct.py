"""From a scan with no reconstruction to the mosaic beside it, in one window."""

import os
import signal

import numpy as np
import pytest

from napari_ptychonn.app.session import Session
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.io import read_reconstruction
from napari_ptychonn.reconstruction import iterations as iteration
from napari_ptychonn.reconstruction import why_not
from napari_ptychonn.reconstruction.worker_process import WorkerProcess
from napari_ptychonn.viewer.layers import KEY
from napari_ptychonn.widgets.panels.reconstruct import ReconstructPanel
from napari_ptychonn.widgets.task_controller import TaskController

needs_engine = pytest.mark.skipif(bool(why_not()), reason=why_not() or "pty-chi is there")


@pytest.fixture(scope="module")
def bare_file(small, tmp_path_factory):
    """The small scan, and nothing else."""
    return write_scan(tmp_path_factory.mktemp("bare") / "bare.h5", small.scan)


@pytest.fixture
def children(monkeypatch):
    """The child processes that were started."""
    started = []

    class Watched(WorkerProcess):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(iteration, "WorkerProcess", Watched)
    return started


def by_role(window, role):
    return next(layer for layer in window.layers if layer.metadata.get(KEY) == role)


def wait(qtbot, condition):
    qtbot.waitUntil(lambda: bool(condition()), timeout=100_000)


@needs_engine
@pytest.mark.timeout(600)
def test_from_a_bare_scan_to_the_mosaic_in_one_sitting(
    shown_errors, qtbot, window, dock, bare_file, children, monkeypatch, tmp_path, screenshots
):
    said = shown_errors
    session, panel = dock.session, dock.reconstruct_panel
    assert not panel.reconstruct.isEnabled()
    window.open(bare_file, plugin="napari-ptychonn")
    wait(qtbot, lambda: session.scan is not None)
    assert session.reconstruction is None
    assert dock.reconstruct_section.heading.isChecked(), "it is what comes next"
    assert not dock.train_panel.train.isEnabled()
    assert not panel.resume.isEnabled()
    # What is asked of the machine is as in a small training; it shall not end by itself.
    panel.options.widgets["iterations"].value = 100_000
    dock.train_panel.device.setCurrentText("cpu")

    # Start, look, kill.
    panel.reconstruct.click()
    panel.reconstruct.click()
    wait(qtbot, lambda: len(session.errors) >= 3)
    assert len(children) == 1, "pressing twice starts once"
    live = by_role(window, "ePIE phase")
    assert live.name == "ePIE phase"
    wait(qtbot, lambda: live.data.shape == session.object_so_far.object.shape)
    assert np.ptp(live.data) > 0.1
    assert session.reconstruction is None, "not chosen before its end"
    os.kill(children[0].pid, signal.SIGKILL)
    wait(qtbot, lambda: not session.running)
    assert len(said) == 1
    assert "ended from outside" in said[0]
    assert "is kept" in panel.state.text()
    assert session.reconstruction.iterations >= 1

    # Go on, stop.
    before = session.reconstruction.iterations
    panel.resume.click()
    wait(qtbot, lambda: session.errors and session.errors[-1].number >= before + 25)
    assert session.errors[0].number == before + 1
    picture = window.screenshot(canvas_only=False, flash=False)
    assert picture[..., :3].std() > 5
    panel.stop.click()
    wait(qtbot, lambda: not session.running)
    assert session.reconstruction.iterations == session.errors[-1].number
    region = session.region
    chosen = np.concatenate([region.train, region.validation, region.gap])
    np.testing.assert_array_equal(session.reconstruction.indices, np.sort(chosen))
    assert panel.plot is not None

    # Save, train, predict.
    dock.save_panel.save_reconstruction(str(tmp_path / "object.h5"))
    wait(qtbot, lambda: "Saved the reconstruction" in dock.save_panel.said.text())
    saved = read_reconstruction(tmp_path / "object.h5")
    assert saved.iterations == session.reconstruction.iterations
    assert dock.train_panel.train.isEnabled()
    dock.train_panel.train.click()
    wait(qtbot, lambda: session.result is not None and not session.running)
    assert len(session.result.predictions) == len(session.scan)
    assert np.isfinite(by_role(window, "PtychoNN phase").data).any()
    assert panel.beginning.isEnabled(), "the mosaic can be begun with"
    panel.beginning.setCurrentText("the PtychoNN mosaic")
    assert panel.start().algorithm == "PtychoNN"
    assert len(said) == 1


def test_without_the_engine_the_panel_says_how_to_get_it(qtbot, monkeypatch):
    monkeypatch.setattr("napari_ptychonn.reconstruction.availability.find_spec", lambda name: None)
    session = Session()
    panel = ReconstructPanel(session, TaskController(session), "dark")
    qtbot.addWidget(panel)
    assert 'pip install "napari-ptychonn[epie]"' in panel.state.text()
    assert not panel.form.isEnabled()
    assert not panel.reconstruct.isEnabled()
    assert panel.reconstruct.toolTip() == panel.missing


def test_the_frames_are_those_of_the_region_or_all(qtbot, small):
    from napari_ptychonn.data.region import TrainingRegion

    session = Session()
    session.load_scan(small.scan)
    session.choose_region(TrainingRegion.from_indices(small.scan, slice(0, 100)))
    panel = ReconstructPanel(session, TaskController(session), "dark")
    qtbot.addWidget(panel)
    np.testing.assert_array_equal(panel.indices(), np.arange(100))
    panel.which.setCurrentText("all frames")
    assert panel.indices() is None
