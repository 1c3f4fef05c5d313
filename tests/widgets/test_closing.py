"""Stop, close, come back: what runs ends at once, and nothing that was trained is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from napari_ptychonn.app import autosave as drafts


def test_stop_and_closing_the_dock_end_the_training_and_keep_the_best_model(
    qtbot, window, dock, small_file, quick, opened, finish
):
    session = opened(window, dock, small_file)
    quick(dock, epochs=10_000)
    dock.train_panel.run()
    qtbot.waitUntil(lambda: bool(session.losses), timeout=30_000)
    began = time.monotonic()
    dock.train_panel.stop.click()
    qtbot.waitUntil(lambda: session.running != "training", timeout=60_000)
    assert time.monotonic() - began < 3
    finish(dock)
    assert session.model is not None
    assert dock.train_panel.train.isEnabled()

    dock.train_panel.run()
    assert not session.losses
    qtbot.waitUntil(lambda: bool(session.losses), timeout=30_000)
    window.window.remove_dock_widget(dock)
    from superqt.utils import GeneratorWorker

    qtbot.waitUntil(lambda: not GeneratorWorker._worker_set, timeout=60_000)  # noqa: SLF001
    window.dims.set_current_step(0, 3)
    assert session.point != 3, "a closed dock listens to nothing"
    (draft,) = drafts.drafts()
    assert "was left unsaved" in draft.sentence
    assert draft.epochs == len(session.model.history)


def test_what_was_not_saved_is_offered_until_it_is(
    qtbot, window, small_file, tmp_path, screenshots, quick, opened, finish
):
    dock = open_dock(window)
    assert not dock.autosave_banner.isVisibleTo(dock)
    session = opened(window, dock, small_file)
    quick(dock, epochs=1)
    dock.train_panel.run()
    finish(dock)
    made = session.model
    window.window.remove_dock_widget(dock)

    dock = open_dock(window)
    assert dock.autosave_banner.isVisibleTo(dock)
    assert "(1 epoch) was left unsaved" in dock.autosave_banner.sentence.text()
    window.screenshot(screenshots / "draft.png", canvas_only=False, flash=False)
    dock.autosave_banner.use.click()
    qtbot.waitUntil(lambda: dock.session.model is not None, timeout=30_000)
    assert dock.session.model.history == made.history
    assert not dock.autosave_banner.isVisibleTo(dock)
    window.window.remove_dock_widget(dock)

    dock = open_dock(window)
    assert len(drafts.drafts()) == 1, "used, but still not saved"
    dock.autosave_banner.use.click()
    qtbot.waitUntil(lambda: dock.session.model is not None, timeout=30_000)
    dock.save_panel.save_model(str(tmp_path / "model.safetensors"))
    qtbot.waitUntil(lambda: not drafts.drafts(), timeout=60_000)
    qtbot.waitUntil(lambda: not dock.tasks.runs_in_background("save"), timeout=60_000)
    window.window.remove_dock_widget(dock)
    assert not drafts.drafts()

    # Two more, and a user who wants neither.
    drafts.keep(made)
    drafts.keep(made)
    dock = open_dock(window)
    dock.autosave_banner.discard.click()
    assert dock.autosave_banner.isVisibleTo(dock), "the older one"
    dock.autosave_banner.discard.click()
    assert not dock.autosave_banner.isVisibleTo(dock)
    assert not drafts.drafts()


def open_dock(window):
    _, dock = window.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    dock.train_panel.network.widgets["size"].value = 32
    dock.train_panel.network.widgets["width"].value = 4
    return dock


def test_opening_the_dock_is_quick_and_imports_no_torch(tmp_path):
    program = (
        "import sys, time, napari\n"
        "viewer = napari.Viewer(show=False)\n"
        "began = time.perf_counter()\n"
        "from napari_ptychonn.widgets.dock import PtychoNNDock\n"
        "imported = time.perf_counter() - began\n"
        "dock = PtychoNNDock(viewer)\n"
        "made = time.perf_counter() - began - imported\n"
        "print(imported, made, sorted({'torch', 'pyqtgraph', 'h5py'} & set(sys.modules)))\n"
        "viewer.close()\n"
    )
    imported, made, heavy = run(program, tmp_path).stdout.split(" ", 2)
    assert heavy.strip() == "[]"
    assert float(made) < 3, "0.15 s on an idle machine"
    assert float(imported) < 10


CLOSE_WHILE_TRAINING = """
import sys, time, napari, torch
from qtpy.QtCore import QTimer
torch.set_num_threads(1)
from napari_ptychonn.tasks.load import simulate_sample as simulated
from napari_ptychonn.widgets.dock import PtychoNNDock
viewer = napari.Viewer()
dock = PtychoNNDock(viewer)
viewer.window.add_dock_widget(dock, name="PtychoNN")
dock.take(simulated((10, 10)))
dock.train_panel.network.widgets["width"].value = 4
dock.train_panel.options.widgets["epochs"].value = 10_000
dock.train_panel.run()
def close():
    if not dock.session.losses:
        QTimer.singleShot(100, close)
        return
    global closed
    closed = time.monotonic()
    viewer.close()
QTimer.singleShot(100, close)
napari.run()
print("closed in", time.monotonic() - closed)
"""


def test_closing_the_window_while_training_exits_at_once_and_cleanly(tmp_path):
    ended = run(CLOSE_WHILE_TRAINING, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    closed = float(ended.stdout.split("closed in")[1])
    assert closed < 10, "1.5 s on an idle machine, and for ever if it waited for the training"
    state = Path(os.environ["XDG_STATE_HOME"], "napari-ptychonn", "drafts")
    assert [*state.glob("*.safetensors")] or sys.platform != "linux", "the model is kept"


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / "program.py"
    script.write_text(program)
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )
