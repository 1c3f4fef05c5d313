"""The whole main job in a real window: drop, draw, train, scrub, click, save, reload."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_ptychonn.tasks.events import Loaded
from napari_ptychonn.viewer.layers import (
    ALWAYS,
    FRAME_IMAGES,
    KEY,
    MAP_IMAGES,
    RESULT,
    TRUST,
    TRUST_IMAGES,
)
from napari_ptychonn.widgets.common.scroll_column import ScrollColumn

NAMES = list(ALWAYS)


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
    qtbot, window, dock, small_file, make_napari_viewer, tmp_path, screenshots, opened, finish
):
    session = opened(window, dock, small_file)
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
    finish(dock)
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

    dock.save_panel.save_model(str(tmp_path / "model.safetensors"))
    dock.save_panel.save_result(str(tmp_path / "result.h5"))
    qtbot.waitUntil(
        lambda: "Saved the result as result.h5" in dock.save_panel.said.text(), timeout=60_000
    )
    numbers = session.report.comparison.as_dict()

    other = make_napari_viewer(show=True)
    _, again = other.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    opened(other, again, small_file)
    other.open(tmp_path / "result.h5", plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: again.session.report is not None, timeout=60_000)
    assert again.session.report.comparison.as_dict()["single_shot"] == pytest.approx(
        numbers["single_shot"], rel=1e-6
    )
    other.open(tmp_path / "model.safetensors", plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: again.session.model is not None, timeout=60_000)
    again.session.set_report(None)
    again.predict_panel.predict.click()
    finish(again)
    assert again.session.report.comparison.as_dict()["single_shot"] == pytest.approx(
        numbers["single_shot"], rel=1e-5
    )


def test_the_top_row_is_per_frame_and_the_bottom_row_are_maps(
    qtbot, window, dock, small_file, opened
):
    session = opened(window, dock, small_file)
    grid, layers = window.canvas.grid, window.layers
    cells = {layer.metadata[KEY]: grid.position(k, layers) for k, layer in enumerate(layers)}
    assert [cells[role] for role in FRAME_IMAGES] == [(0, k) for k in range(4)]
    assert [cells[role] for role in MAP_IMAGES] == [(1, k) for k in range(4)]
    assert all(cells[NAMES[k]] == cells[NAMES[k + 1]] for k in range(0, len(NAMES), 2))

    # Units are nanometres, and pairs share their contrast.
    units = {tuple(str(u) for u in layer.units[-2:]) for layer in layers}
    assert units == {("nanometer", "nanometer")}
    by_role(window, "ePIE phase").contrast_limits = (-0.5, 0.5)
    assert tuple(layers["single-shot phase"].contrast_limits) == (-0.5, 0.5)

    # A cell without a reconstruction says so, wherever the slider goes.
    patches, note = by_role(window, "ePIE phase here"), by_role(window, "beam on ePIE").text
    there = [bool(np.isfinite(patches.data[k]).any()) for k in range(len(session.scan))]
    for point in (there.index(True), there.index(False), there.index(True)):
        session.move_to(point)
        assert note.visible is not there[point]

    # No section of the dock is lower than what it says.
    sections = dock.findChild(ScrollColumn).widget()
    needed = sections.layout().minimumSize
    qtbot.waitUntil(lambda: sections.height() >= needed().height(), timeout=60_000)
    for theme in ("light", "dark"):
        window.theme = theme
        qtbot.wait(50)
        assert window.screenshot(canvas_only=False, flash=False)[..., :3].std() > 5


def test_trust_is_shown_in_a_column_when_asked_for(window, dock, small_file, opened, finish):
    session = opened(window, dock, small_file)
    grid, layers = window.canvas.grid, window.layers
    dock.train_panel.run()
    finish(dock)
    trust = session.result.uncertainty
    panel = dock.compare_panel
    assert panel.uncertainty.text() == trust.sentence
    features = by_role(window, "scan points").features
    np.testing.assert_array_equal(features["spread"][trust.indices], trust.overlap_std)
    assert names(window) == NAMES

    window.layers.selection.active = by_role(window, "PtychoNN phase")
    panel.show_trust.click()
    assert [name for name in names(window) if name not in TRUST] == NAMES
    assert window.layers.selection.active is by_role(window, "PtychoNN phase")
    spread, residual = (by_role(window, role) for role in TRUST_IMAGES)
    np.testing.assert_array_equal(spread.data, session.result.mosaic.overlap_std)
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
    window.layers.selection = {by_role(window, role) for role in TRUST}
    window.layers.remove_selected()
    panel.show_trust.setChecked(False)
    panel.show_trust.click()
    assert by_role(window, TRUST_IMAGES[0]) is not spread
    assert grid.position(window.layers.index(by_role(window, TRUST[3])), window.layers) == (1, 4)


def test_a_dock_opened_later_adopts_what_was_dropped(qtbot, window, small_file):
    window.open(small_file, plugin="napari-ptychonn")
    assert "diffraction" in names(window)
    _, dock = window.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    qtbot.waitUntil(lambda: dock.session.reconstruction is not None, timeout=60_000)
    assert names(window) == NAMES


def test_a_training_that_fails_is_started_again_and_another_scan_keeps_the_model(
    shown_errors, qtbot, window, dock, small_file, small, monkeypatch, opened, finish
):
    import torch

    session, panel = opened(window, dock, small_file), dock.train_panel
    said = shown_errors

    def fail(*_args: Any, **_options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")
        yield

    with monkeypatch.context() as patched:
        patched.setattr("napari_ptychonn.network.training.epochs.train_in_group", fail)
        dock.train_panel.run()
        qtbot.waitUntil(lambda: not session.running, timeout=60_000)
    assert said == ["Not enough memory: choose a smaller batch size or another device."]
    assert panel.train.isEnabled()

    # Pressing Train twice trains once.
    started = []
    session.running_changed.connect(started.append)
    panel.train.click()
    panel.train.click()
    dock.train_panel.run()
    finish(dock)
    assert started.count("training") == 1

    model = session.model
    dock.take(Loaded(path=Path("other"), scan=small.scan))
    assert session.model is model
    assert session.predictions is None
    assert panel.state.text() == "", "that training was of another scan"
    assert names(window) == NAMES


def test_a_network_is_ready_before_anything_is_reconstructed(
    qtbot, window, dock, small, screenshots, quick, finish
):
    dock.take(Loaded(path=Path("alone"), scan=small.scan))
    session, panel = dock.session, dock.train_panel
    assert session.reconstruction is None
    panel.labels.setCurrentText("simulated samples")
    panel.pretraining.widgets["points"].value = 64
    quick(dock, steps=20)
    panel.train.click()
    qtbot.waitUntil(lambda: session.result is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not session.running, timeout=60_000)
    assert session.model.provenance["scan"] == f"pretraining for {small.scan.name}"
    assert len(session.result.predictions) == len(small.scan)
    assert session.result.held_out is None, "nothing of the scan was trained on"
    window.screenshot(str(screenshots / "practice.png"), canvas_only=False, flash=False)

    # Later there is a reconstruction: training goes on with it.
    dock.take(Loaded(path=Path("later"), reconstruction=small.reconstruction))
    practised = session.model
    panel.labels.setCurrentText("reconstruction")
    panel.resume.click()
    qtbot.waitUntil(lambda: session.model is not practised, timeout=60_000)
    finish(dock)
    assert len(session.model.history) > len(practised.history)
    assert session.model.provenance["scan"] == small.scan.name


def test_layers_deleted_while_training_do_no_harm(
    qtbot, window, dock, small_file, quick, opened, finish
):
    session = opened(window, dock, small_file)
    quick(dock, steps=300)
    dock.train_panel.run()
    others = "here (phase)", "scan points", "training region"
    for deleted in (FRAME_IMAGES, MAP_IMAGES, others):
        qtbot.wait(60)
        window.layers.selection = {by_role(window, role) for role in deleted}
        window.layers.remove_selected()
        assert not {*deleted} & {*names(window)}
        session.move_to((session.point + 1) % len(session.scan))
    dock.region_panel.rectangle.click()
    assert "training region" in names(window)
    window.layers.clear()
    finish(dock)


def test_a_bad_file_says_one_sentence_and_adds_nothing(window, dock, tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100)
    window.open(bad, plugin="napari-ptychonn")
    assert len(said) == 1
    assert "bad.h5" in said[0]
    assert len(window.layers) == 0
