"""The window and a training in a process of its own."""

import sys

from napari_ptychonn.tasks import training_process as beside
from napari_ptychonn.tasks.epoch_lines import format_epoch

KILLED = """
import os, shutil, signal
shutil.copy({model!r}, {folder!r})
print({line!r}, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_stop_and_a_kill_both_leave_the_best_model_and_the_window(
    shown_errors, qtbot, window, dock, small_file, screenshots, monkeypatch, tmp_path
):
    session, panel = dock.session, dock.train_panel
    epochs, said = [], shown_errors
    session.epoch_finished.connect(epochs.append)
    said = shown_errors
    window.open(small_file, plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: session.region is not None, timeout=60_000)
    panel.options.widgets["epochs"].value = 100_000
    panel.place.setCurrentText("in its own process")
    panel.train.click()
    qtbot.waitUntil(lambda: "Epoch" in panel.state.text(), timeout=120_000)
    window.screenshot(str(screenshots / "beside.png"), canvas_only=False, flash=False)
    panel.stop.click()
    qtbot.waitUntil(lambda: session.result is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not session.running, timeout=60_000)
    assert "stopped" in panel.state.text()
    assert session.model.history
    assert said == []
    assert panel.train.isEnabled()
    if sys.platform == "win32":
        return  # no signals there

    # Another training, whose process is killed after its first epoch.
    stopped = session.model
    stopped.save(tmp_path / beside.MODEL)

    def command(_name, folder, *_options):
        line = format_epoch(epochs[-1], saved=True)
        model = str(tmp_path / beside.MODEL)
        return [sys.executable, "-c", KILLED.format(model=model, folder=folder, line=line)]

    monkeypatch.setattr(beside, "command_line", command)
    panel.train.click()
    qtbot.waitUntil(lambda: bool(said), timeout=30_000)
    qtbot.waitUntil(lambda: not session.running, timeout=30_000)
    assert len(said) == 1
    assert "ended from outside (SIGKILL)" in said[0]
    assert "nded from outside (SIGKILL)" in panel.state.text()
    assert session.model is not stopped
    assert session.model.history == stopped.history
    assert panel.train.isEnabled()
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
