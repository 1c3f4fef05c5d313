"""The whole main job in a real window: drop, draw, train, scrub, click, save, reload."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_ptychonn import drafts
from napari_ptychonn.jobs import Opened
from napari_ptychonn.layers import (
    ALWAYS,
    FRAME_IMAGES,
    KEY,
    MAP_IMAGES,
    RESULT,
    TRUST,
    TRUST_IMAGES,
)

NAMES = list(ALWAYS)


def quick(dock, steps=60, epochs=0):
    options = dock.train_panel.options.widgets
    options["steps"].value, options["epochs"].value = steps, epochs


def opened(qtbot, window, dock, path):
    window.open(path, plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: dock.session.scan is not None, timeout=10_000)
    return dock.session


def finish(qtbot, dock, timeout=60_000):
    qtbot.waitUntil(lambda: dock.session.comparison is not None, timeout=timeout)
    qtbot.waitUntil(lambda: not dock.session.running, timeout=timeout)


def names(window):
    return [layer.metadata.get(KEY, layer.name) for layer in window.layers]


def by_role(window, role):
    return next(layer for layer in window.layers if layer.metadata.get(KEY) == role)


def click(window, position, cell, *, drag=False):
    """What napari sends to the viewer's mouse callbacks, without a mouse."""
    event = SimpleNamespace(type="mouse_press", position=position, viewbox=cell)
    for callback in list(window.mouse_drag_callbacks):
        run = callback(window, event)
        if not hasattr(run, "send") or "Picker" not in type(callback).__name__:
            continue
        next(run)
        event.type = "mouse_move" if drag else "mouse_release"
        for _ in range(2):
            next(run, None)
            event.type = "mouse_release"


def test_from_a_dropped_file_to_the_same_numbers_in_another_window(
    qtbot, window, dock, small_file, make_napari_viewer, tmp_path, screenshots
):
    session = opened(qtbot, window, dock, small_file)
    assert names(window) == NAMES
    assert "simulated truth phase" in window.layers, "what is no ePIE is not called one"
    assert session.region.counts.split(" ")[1] == "train"

    # Draw a rectangle on the ePIE phase map.
    dock.region_panel.rectangle.click()
    shapes = window.layers["training region"]
    assert shapes.mode == "add_rectangle"
    top, left = session.positions.min(axis=0) * 1e9 - 5
    bottom, right = session.positions.max(axis=0) * 1e9 + 5
    shapes.add([[top, left], [top + 0.7 * (bottom - top), right]], shape_type="rectangle")
    assert shapes.mode == "pan_zoom"
    assert dock.region_panel.way == "drawn on the map"
    assert 0 < len(session.region.held_out) < len(session.scan)

    dock.train_panel.train.click()
    finish(qtbot, dock)
    assert len(session.losses) > 1
    assert np.isfinite(window.layers["PtychoNN phase"].data).any()
    assert "phase correlation" in dock.compare_panel.table.text()

    # Slider, markers, frames and session move together.
    window.dims.set_current_step(0, 7)
    assert session.point == 7
    here = session.positions[7] * 1e9
    for marker in ("here (amplitude)", "here (phase)"):
        np.testing.assert_allclose(window.layers[marker].data[0], here)
    np.testing.assert_allclose(window.layers["scan points"].data[-1], here)
    np.testing.assert_allclose(shapes.data[-1].mean(axis=0), here, atol=1e-3)

    click(window, (0, *(session.positions[30] * 1e9 + 2)), (1, 1))
    assert session.point == 30
    click(window, (0, *(session.positions[50] * 1e9)), (0, 1))
    assert session.point == 30, "a frame's cell is no map"
    click(window, (0, *(session.positions[50] * 1e9)), (1, 1), drag=True)
    assert session.point == 30, "a drag is no click"

    picture = window.screenshot(canvas_only=False, flash=False)
    assert picture[..., :3].std() > 5

    dock.save_model(str(tmp_path / "model.safetensors"))
    dock.save_result(str(tmp_path / "result.h5"))
    numbers = session.comparison.as_dict()

    other = make_napari_viewer(show=True)
    _, again = other.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    opened(qtbot, other, again, small_file)
    other.open(tmp_path / "result.h5", plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: again.session.comparison is not None, timeout=10_000)
    assert again.session.comparison.as_dict()["single_shot"] == pytest.approx(
        numbers["single_shot"], rel=1e-6
    )
    other.open(tmp_path / "model.safetensors", plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: again.session.model is not None, timeout=10_000)
    again.session.adopt_report(None)
    again.predict_panel.predict.click()
    finish(qtbot, again)
    assert again.session.comparison.as_dict()["single_shot"] == pytest.approx(
        numbers["single_shot"], rel=1e-5
    )


def test_the_top_row_is_per_frame_and_the_bottom_row_are_maps(qtbot, window, dock, small_file):
    opened(qtbot, window, dock, small_file)
    grid, layers = window.canvas.grid, window.layers
    cells = {layer.metadata[KEY]: grid.position(k, layers) for k, layer in enumerate(layers)}
    assert [cells[role] for role in FRAME_IMAGES] == [(0, k) for k in range(4)]
    assert [cells[role] for role in MAP_IMAGES] == [(1, k) for k in range(4)]
    assert all(cells[NAMES[k]] == cells[NAMES[k + 1]] for k in range(0, len(NAMES), 2))


def test_trust_is_shown_in_a_column_when_asked_for(qtbot, window, dock, small_file):
    session = opened(qtbot, window, dock, small_file)
    grid, layers = window.canvas.grid, window.layers
    dock.train()
    finish(qtbot, dock)
    trust = session.result.trust
    panel = dock.compare_panel
    assert panel.trust.text() == trust.sentence
    features = by_role(window, "scan points").features
    np.testing.assert_array_equal(features["spread"][trust.indices], trust.spread)
    assert names(window) == NAMES

    window.layers.selection.active = by_role(window, "PtychoNN phase")
    panel.show_trust.click()
    assert [name for name in names(window) if name not in TRUST] == NAMES
    assert window.layers.selection.active is by_role(window, "PtychoNN phase")
    spread, residual = (by_role(window, role) for role in TRUST_IMAGES)
    np.testing.assert_array_equal(spread.data, session.result.mosaic.spread)
    np.testing.assert_array_equal(residual.data, trust.residual_map)
    np.testing.assert_allclose(residual.scale, by_role(window, "PtychoNN phase").scale)
    assert residual.metadata[RESULT] is session.result
    assert all(by_role(window, role).visible for role in TRUST)
    cells = {layer.metadata[KEY]: grid.position(k, layers) for k, layer in enumerate(layers)}
    for row, images in enumerate((FRAME_IMAGES, MAP_IMAGES)):
        assert [cells[role] for role in (*images, TRUST_IMAGES[row])] == [
            (row, k) for k in range(5)
        ]
    click(window, (0, *(session.positions[30] * 1e9 + 2)), (0, 4))
    assert session.point == 30, "a map like the others"
    np.testing.assert_allclose(by_role(window, TRUST[1]).data[0], session.positions[30] * 1e9)

    spread.visible = False
    assert not residual.visible, "the eye of one hides both"
    assert tuple(grid.shape) == (2, 4)
    assert not panel.show_trust.isChecked()
    panel.show_trust.click()
    assert residual.visible
    assert tuple(grid.shape) == (2, 5)

    # Deleted layers come back when they are asked for again.
    for role in TRUST:
        window.layers.remove(by_role(window, role))
    panel.show_trust.setChecked(False)
    panel.show_trust.click()
    assert by_role(window, TRUST_IMAGES[0]) is not spread
    assert grid.position(window.layers.index(by_role(window, TRUST[3])), window.layers) == (1, 4)


def test_units_are_nanometres_and_pairs_share_contrast(qtbot, window, dock, small_file):
    opened(qtbot, window, dock, small_file)
    units = {tuple(str(u) for u in layer.units[-2:]) for layer in window.layers}
    assert units == {("nanometer", "nanometer")}
    by_role(window, "ePIE phase").contrast_limits = (-0.5, 0.5)
    assert tuple(window.layers["single-shot phase"].contrast_limits) == (-0.5, 0.5)


def test_a_dock_opened_later_adopts_what_was_dropped(qtbot, window, small_file):
    window.open(small_file, plugin="napari-ptychonn")
    assert "diffraction" in names(window)
    _, dock = window.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    qtbot.waitUntil(lambda: dock.session.reconstruction is not None, timeout=10_000)
    assert names(window) == NAMES


def test_a_second_scan_replaces_the_views_and_keeps_the_model(
    qtbot, window, dock, small_file, small
):
    session = opened(qtbot, window, dock, small_file)
    dock.train()
    finish(qtbot, dock)
    model = session.model
    dock.adopt(Opened(path=Path("other"), scan=small.scan))
    assert session.model is model
    assert session.predictions is None
    assert dock.train_panel.state.text() == "", "that training was of another scan"
    assert names(window) == NAMES


def test_a_network_is_ready_before_anything_is_reconstructed(
    qtbot, window, dock, small, screenshots
):
    dock.adopt(Opened(path=Path("alone"), scan=small.scan))
    session, panel = dock.session, dock.train_panel
    assert session.reconstruction is None
    panel.teacher.setCurrentText("made-up samples")
    panel.practice.widgets["points"].value = 64
    quick(dock, steps=20)
    panel.train.click()
    qtbot.waitUntil(lambda: session.result is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not session.running, timeout=60_000)
    assert session.model.provenance["scan"] == f"practice for {small.scan.name}"
    assert len(session.result.predictions) == len(small.scan)
    assert session.result.held_out is None or len(session.result.held_out) == len(small.scan)
    window.screenshot(str(screenshots / "practice.png"), canvas_only=False, flash=False)

    # Later there is a reconstruction: training goes on with it.
    dock.adopt(Opened(path=Path("later"), reconstruction=small.reconstruction))
    practised = session.model
    panel.teacher.setCurrentText("the reconstruction")
    panel.resume.click()
    qtbot.waitUntil(lambda: session.model is not practised, timeout=60_000)
    finish(qtbot, dock)
    assert len(session.model.history) > len(practised.history)
    assert session.model.provenance["scan"] == small.scan.name


def test_pressing_train_twice_trains_once(qtbot, window, dock, small_file):
    session = opened(qtbot, window, dock, small_file)
    started = []
    session.run_changed.connect(started.append)
    dock.train_panel.train.click()
    dock.train_panel.train.click()
    dock.train()
    finish(qtbot, dock)
    assert started.count("training") == 1


def test_stop_keeps_the_best_model(qtbot, window, dock, small_file):
    session = opened(qtbot, window, dock, small_file)
    quick(dock, epochs=10_000)
    dock.train()
    qtbot.waitUntil(lambda: bool(session.losses), timeout=30_000)
    began = time.monotonic()
    dock.train_panel.stop.click()
    qtbot.waitUntil(lambda: session.running != "training", timeout=10_000)
    assert time.monotonic() - began < 3
    finish(qtbot, dock)
    assert session.model is not None
    assert dock.train_panel.train.isEnabled()


def test_layers_deleted_while_training_do_no_harm(qtbot, window, dock, small_file):
    session = opened(qtbot, window, dock, small_file)
    quick(dock, steps=300)
    dock.train()
    for name in (*NAMES[::2], "here (phase)", "scan points", "training region"):
        qtbot.wait(60)
        window.layers.remove(by_role(window, name))
        session.move_to((session.point + 1) % len(session.scan))
    dock.region_panel.rectangle.click()
    assert "training region" in names(window)
    window.layers.clear()
    finish(qtbot, dock)


def test_a_failing_job_says_one_sentence_and_leaves_the_dock_ready(
    qtbot, window, dock, small_file, monkeypatch
):
    import torch

    session = opened(qtbot, window, dock, small_file)
    said: list[str] = []
    monkeypatch.setattr("napari_ptychonn.widgets.dock.show_error", said.append)

    def fail(*_args: Any, **_options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")
        yield

    monkeypatch.setattr("napari_ptychonn.core.training.train", fail)
    dock.train()
    qtbot.waitUntil(lambda: not session.running, timeout=10_000)
    assert said == ["Not enough memory: choose a smaller batch size or another device."]
    assert dock.train_panel.train.isEnabled()


def test_a_bad_file_says_one_sentence_and_adds_nothing(window, dock, tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100)
    window.open(bad, plugin="napari-ptychonn")
    assert len(said) == 1
    assert "bad.h5" in said[0]
    assert len(window.layers) == 0


def test_closing_the_dock_while_training_ends_the_training(qtbot, window, dock, small_file):
    session = opened(qtbot, window, dock, small_file)
    quick(dock, epochs=10_000)
    dock.train()
    qtbot.waitUntil(lambda: bool(session.losses), timeout=30_000)
    window.window.remove_dock_widget(dock)
    from superqt.utils import GeneratorWorker

    qtbot.waitUntil(lambda: not GeneratorWorker._worker_set, timeout=5_000)  # noqa: SLF001
    window.dims.set_current_step(0, 3)
    assert session.point != 3, "a closed dock listens to nothing"
    (draft,) = drafts.drafts()
    assert "was left unsaved" in draft.sentence
    assert draft.epochs == len(session.model.history)


def test_what_was_not_saved_is_offered_until_it_is(
    qtbot, window, small_file, tmp_path, screenshots
):
    dock = open_dock(window)
    assert not dock.draft_offer.isVisibleTo(dock)
    session = opened(qtbot, window, dock, small_file)
    quick(dock, epochs=1)
    dock.train()
    finish(qtbot, dock)
    made = session.model
    window.window.remove_dock_widget(dock)

    dock = open_dock(window)
    assert dock.draft_offer.isVisibleTo(dock)
    assert "(1 epoch) was left unsaved" in dock.draft_offer.sentence.text()
    window.screenshot(screenshots / "draft.png", canvas_only=False, flash=False)
    dock.draft_offer.use.click()
    qtbot.waitUntil(lambda: dock.session.model is not None, timeout=30_000)
    assert dock.session.model.history == made.history
    assert not dock.draft_offer.isVisibleTo(dock)
    window.window.remove_dock_widget(dock)

    dock = open_dock(window)
    assert len(drafts.drafts()) == 1, "used, but still not saved"
    dock.draft_offer.use.click()
    qtbot.waitUntil(lambda: dock.session.model is not None, timeout=30_000)
    dock.save_model(str(tmp_path / "model.safetensors"))
    assert not drafts.drafts()
    window.window.remove_dock_widget(dock)
    assert not drafts.drafts()


def test_a_draft_can_be_discarded(qtbot, window, dock, small_file):
    session = opened(qtbot, window, dock, small_file)
    quick(dock, epochs=1)
    dock.train()
    finish(qtbot, dock)
    window.window.remove_dock_widget(dock)
    drafts.keep(session.model)
    dock = open_dock(window)
    dock.draft_offer.discard.click()
    assert dock.draft_offer.isVisibleTo(dock), "the older one"
    dock.draft_offer.discard.click()
    assert not dock.draft_offer.isVisibleTo(dock)
    assert not drafts.drafts()


def open_dock(window):
    _, dock = window.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    dock.train_panel.network.widgets["size"].value = 32
    dock.train_panel.network.widgets["width"].value = 4
    return dock


def test_both_themes_have_readable_pictures(qtbot, window, dock, small_file):
    opened(qtbot, window, dock, small_file)
    for theme in ("light", "dark"):
        window.theme = theme
        qtbot.wait(50)
        assert window.screenshot(canvas_only=False, flash=False)[..., :3].std() > 5


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
from napari_ptychonn.jobs import simulated
from napari_ptychonn.widgets.dock import PtychoNNDock
viewer = napari.Viewer()
dock = PtychoNNDock(viewer)
viewer.window.add_dock_widget(dock, name="PtychoNN")
dock.adopt(simulated((10, 10)))
dock.train_panel.network.widgets["width"].value = 4
dock.train_panel.options.widgets["epochs"].value = 10_000
dock.train()
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
    assert float(ended.stdout.split("closed in")[1]) < 3
    state = Path(os.environ["XDG_STATE_HOME"], "napari-ptychonn", "drafts")
    assert [*state.glob("*.safetensors")] or sys.platform != "linux", "the model is kept"


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / "program.py"
    script.write_text(program)
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )
