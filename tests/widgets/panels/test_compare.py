"""The comparison in a real window: numbers, curves, differences, the line, the export."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.result import Result
from napari_ptychonn.stitching.mosaic import Mosaic
from napari_ptychonn.tasks.events import Loaded
from napari_ptychonn.viewer.layers import DIFFERENCE, DIFFERENCE_IMAGES, KEY, ROLES

ERROR = 0.1


@pytest.fixture(scope="session")
def result(small):
    """Labels as if they were predictions, 0.1 rad off on the right half of the scan."""
    placed, positions = small.reconstruction.align_to(small.scan)
    labels = cut_patches(placed, positions, np.arange(len(small.scan)), (32, 32))
    right = positions[:, 1] > np.median(positions[:, 1])
    wrong = labels.phase + ERROR * right[:, None, None]
    labels = replace(labels, phase=wrong.astype(np.float32))
    mosaic = Mosaic.covering(positions, labels.shape, placed.pixel_size, anchor=placed.origin)
    mosaic.add(labels, positions)
    return Result(
        predictions=labels,
        positions=positions,
        mosaic=mosaic.image(),
        unit="m",
        probe=placed.probe,
        held_out=np.arange(98, 196),
        name="small",
        seconds=0.5,
    )


@pytest.fixture
def compared(qtbot, dock, small, result):
    """The dock with a scan, its reconstruction (timed), and the result."""
    timed = replace(small.reconstruction, seconds=50.0, iterations=100, algorithm="ePIE")
    dock.take(replace(small, reconstruction=timed))
    dock.take(Loaded(path=Path("result.h5"), result=result))
    qtbot.waitUntil(lambda: dock.session.report is not None, timeout=60_000)
    return dock


def by_role(window, role):
    return next(layer for layer in window.layers if layer.metadata.get(KEY) == role)


def test_numbers_curves_and_speed_are_shown(qtbot, compared, window, small):
    panel = compared.compare_panel
    report = compared.session.report
    assert report.selection == "held out"
    assert report.comparison.frames == 98
    assert panel.sentence.text().startswith("Held out: 98 frames")
    assert str(report.comparison.mosaic.phase_resolution) in panel.mosaic.text()
    assert "PSNR" in panel.mosaic.text()
    # 196 frames on both sides, 100 of 400 iterations in 50 s.
    assert "400 iterations of ePIE would take 200 s: 400×" in panel.speed.text()
    assert "scaled from 100 iterations" in panel.speed.text()
    phase, amplitude, threshold = (c.getData() for c in panel.rings.getPlotItem().listDataItems())
    rings = report.comparison.aligned.rings("phase")
    np.testing.assert_allclose(phase[1], rings.correlation)
    np.testing.assert_allclose(phase[0], rings.frequency * 1e-6)
    assert np.all(amplitude[1] > threshold[1]), "the amplitude is the label's own"
    names = [label.text for _, label in panel.rings.getPlotItem().legend.items]
    assert names[0] == f"phase {rings.resolution}"
    for theme in ("light", "dark"):
        window.theme = theme
        assert panel.profile.backgroundBrush().color().name() == window_colour(theme)
    plot = panel.profile.getPlotItem()
    highest = max(np.nanmax(c.getData()[1]) for c in plot.listDataItems())
    below = plot.vb.mapSceneToView(plot.legend.sceneBoundingRect().bottomLeft())
    assert below.y() > highest, "the legend hides no curve"
    for part in ("speed", "table", "mosaic", "controls", "rings", "profile"):
        assert getattr(panel, part).isVisibleTo(panel), part

    # Another reconstruction gives another comparison.
    session = compared.session
    session.choose_reconstruction(small.reconstruction)
    qtbot.waitUntil(lambda: session.report not in (None, report), timeout=60_000)
    assert session.report.speed is None, "that one was not timed"
    assert not panel.speed.isVisibleTo(panel)


def window_colour(theme):
    from napari.utils.theme import get_theme

    return get_theme(theme).background.as_hex()[:7]


def test_differences_are_shown_in_a_column_when_asked_for_and_exported(
    shown_errors, qtbot, compared, window, tmp_path, monkeypatch
):
    pair, panel = compared.session.report.full_mosaic, compared.compare_panel
    title = by_role(window, "diffraction").name_overlay
    before = title.font_size
    panel.show_difference.click()
    amplitude, phase = (by_role(window, role) for role in DIFFERENCE_IMAGES)
    np.testing.assert_array_equal(phase.data, pair.difference("phase"))
    low, high = phase.contrast_limits
    assert low == -high
    np.testing.assert_allclose(
        phase.scale, by_role(window, "PtychoNN phase").scale, err_msg="same place, same pixels"
    )
    assert amplitude.visible
    assert tuple(window.canvas.grid.shape) == (2, 5)
    assert title.font_size < before
    cells = {
        layer.metadata[KEY]: window.canvas.grid.position(k, window.layers)
        for k, layer in enumerate(window.layers)
    }
    assert [cells[role] for role in DIFFERENCE_IMAGES] == [(0, 4), (1, 4)]
    panel.show_trust.click()
    assert tuple(window.canvas.grid.shape) == (2, 6)
    layers = [layer.metadata[KEY] for layer in window.layers]
    assert layers == list(ROLES), "trust comes before the differences, whatever came first"
    by_role(window, DIFFERENCE[1]).visible = False
    assert not phase.visible
    assert tuple(window.canvas.grid.shape) == (2, 5)
    assert (panel.show_trust.isChecked(), panel.show_difference.isChecked()) == (True, False)

    # Exported by extension.
    said = shown_errors
    for name in ("c.png", "c.pdf", "c.json", "c.csv"):
        asked = [str(tmp_path / name), ""]
        monkeypatch.setattr(
            "napari_ptychonn.widgets.panels.compare.QFileDialog.getSaveFileName",
            lambda *_, asked=asked: asked,
        )
        panel.export.click()
        qtbot.waitUntil(lambda name=name: panel.said.text().endswith(f"{name}."), timeout=60_000)
        qtbot.waitUntil(lambda: not compared.tasks.runs_in_background("save"), timeout=60_000)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF")
    numbers = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert numbers["frames"] == 98
    with (tmp_path / "c.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["quantity", "at", "value"]
    assert not said

    compared.compare_panel.save(str(tmp_path / "c.txt"))
    qtbot.waitUntil(lambda: bool(said), timeout=60_000)
    assert "expected a name that ends in" in said[0]
    qtbot.waitUntil(lambda: not compared.tasks.runs_in_background("save"), timeout=60_000)
    assert not (tmp_path / "c.txt").exists()


def shown_line(window):
    layer = window.layers["training region"]
    lines = [s for s, t in zip(layer.data, layer.shape_type, strict=True) if t == "line"]
    assert len(lines) == 1, "one line at a time"
    return lines[0][:, -2:] * 1e-9


def test_a_line_is_offered_and_another_can_be_drawn(compared, window):
    session, panel = compared.session, compared.compare_panel
    np.testing.assert_allclose(shown_line(window), session.report.line)
    region = session.region

    panel.line.click()
    layer = window.layers["training region"]
    assert layer.mode == "add_line"
    assert window.layers.selection.active is layer
    middle = session.positions.mean(axis=0)
    ends = np.stack([middle - np.array([0, 100e-9]), middle + np.array([0, 100e-9])])
    layer.add([ends * 1e9], shape_type="line")
    assert layer.mode == "pan_zoom"
    np.testing.assert_allclose(session.line, ends)
    np.testing.assert_allclose(shown_line(window), ends)
    assert session.region is region, "a line is no region"
    assert compared.views.drawing.polygons == []

    plain, predicted = (c.getData() for c in panel.profile.getPlotItem().listDataItems())
    assert plain[0][-1] == pytest.approx(0.2)  # µm
    read = session.report.full_mosaic.profile(session.line, "phase")
    np.testing.assert_array_equal(plain[1], read.reference)
    np.testing.assert_array_equal(predicted[1], read.predicted)
    assert np.nanmax(np.abs(read.predicted - read.reference)) > 0.01, "one half is off"
    panel.channel.setCurrentText("amplitude")
    plain, predicted = (c.getData() for c in panel.profile.getPlotItem().listDataItems())
    np.testing.assert_allclose(plain[1], predicted[1], atol=0.02)

    # It stays where it is when the scan point moves, and a region is drawn beside it.
    session.move_to(60)
    np.testing.assert_allclose(shown_line(window), ends)
    top, bottom = middle * 1e9 - 50, middle * 1e9 + 50
    layer.add([[top, [top[0], bottom[1]], bottom, [bottom[0], top[1]]]], shape_type="rectangle")
    np.testing.assert_allclose(shown_line(window), ends)
    assert len(compared.views.drawing.polygons) == 1
    compared.views.drawing.clear()
    np.testing.assert_allclose(shown_line(window), ends)
    assert compared.views.drawing.polygons == []

    # Moved by hand, it moves the profile.
    layer.mode = "select"
    data = list(layer.data)
    row = layer.shape_type.index("line")
    data[row] = data[row] + [[5.0, 0.0], [5.0, 0.0]]
    layer.data = data
    layer.events.data(value=layer.data, action="changed", data_indices=(row,), vertex_indices=((),))
    np.testing.assert_allclose(session.line, ends + np.array([5e-9, 0]))


def test_without_a_reconstruction_there_is_nothing_to_compare(qtbot, dock, small, result):
    dock.take(Loaded(path=Path("scan"), scan=small.scan))
    dock.take(Loaded(path=Path("result.h5"), result=result))
    assert dock.session.report is None
    assert "Predict first" in dock.compare_panel.sentence.text()
    assert not dock.compare_panel.export.isVisibleTo(dock.compare_panel)
