"""The window and a training in a process of its own."""

import os
import signal
import sys

import pytest

from napari_ptychonn.processes import beside


@pytest.fixture
def started(monkeypatch):
    """The processes that a training starts."""
    processes = []
    popen = beside.subprocess.Popen

    def noted(command, **options):
        process = popen(command, **options)
        if "train-task" in command:  # files are opened in a process of its own, too
            processes.append(process)
        return process

    monkeypatch.setattr(beside.subprocess, "Popen", noted)
    return processes


@pytest.fixture
def endless(qtbot, window, dock, small_file, started):
    """A training without end in a process of its own, which has told its first losses."""
    session = dock.session
    window.open(small_file, plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: session.region is not None, timeout=10_000)
    dock.train_panel.options.widgets["epochs"].value = 100_000
    dock.train_panel.place.setCurrentText("in its own process")
    dock.train_panel.train.click()
    qtbot.waitUntil(lambda: bool(session.losses), timeout=120_000)
    return session


def test_stop_ends_it_and_predicts_with_the_best_model(
    qtbot, window, dock, endless, started, screenshots
):
    panel = dock.train_panel
    qtbot.waitUntil(lambda: "Epoch" in panel.state.text(), timeout=10_000)
    window.screenshot(str(screenshots / "beside.png"), canvas_only=False, flash=False)
    panel.stop.click()
    qtbot.waitUntil(lambda: endless.result is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not endless.running, timeout=60_000)
    assert [process.poll() for process in started] == [0]
    assert "stopped as asked" in panel.state.text()
    assert endless.model.history
    assert panel.train.isEnabled()


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_one_that_is_killed_is_one_sentence_and_the_model_stays(
    qtbot, dock, endless, started, monkeypatch
):
    said = []
    monkeypatch.setattr("napari_ptychonn.widgets.dock.show_error", said.append)
    os.kill(started[0].pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: not endless.running, timeout=30_000)
    assert len(said) == 1
    assert "ended from outside (SIGKILL)" in said[0]
    assert endless.model.history
    assert dock.train_panel.train.isEnabled()
    assert dock.predict_panel.predict.isEnabled()


def test_several_processes_are_a_choice_with_a_number(qtbot, dock):
    panel = dock.train_panel
    assert (panel.processes(), panel.several.isHidden()) == (0, True)
    panel.place.setCurrentText("in several processes")
    assert (panel.processes(), panel.several.isHidden()) == (2, False)
    panel.several.setValue(5)
    assert panel.processes() == 5
    panel.place.setCurrentText("in its own process")
    assert (panel.processes(), panel.several.isHidden()) == (1, True)
