"""A scan that contradicts its reconstruction, in the scan panel: named, and corrected."""

import numpy as np
import pytest

from napari_ptychonn.app.session import Session
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.io import read_scan
from napari_ptychonn.io.layouts import user
from napari_ptychonn.widgets.panels.scan import ScanPanel
from napari_ptychonn.widgets.task_controller import TaskController


@pytest.fixture
def panel(qtbot):
    session = Session()
    tasks = TaskController(session)
    made = ScanPanel(session, tasks)
    qtbot.addWidget(made)
    yield made
    tasks.close()


@pytest.mark.parametrize("text", ["frames-transpose", "positions-flip-x", "frames-shift=32:32"])
def test_one_button_corrects_the_scan(qtbot, panel, toy, text):
    session, label = panel._session, panel.consistency  # noqa: SLF001
    session.load_scan(ScanCorrection.parse(text).apply(toy.scan), reconstruction=toy.reconstruction)
    qtbot.waitUntil(lambda: not label.button.isHidden(), timeout=120_000)
    label.button.click()
    qtbot.waitUntil(lambda: not label.isHidden() and label.button.isHidden(), timeout=120_000)
    np.testing.assert_array_equal(session.scan.frames[:], toy.scan.frames)
    np.testing.assert_allclose(session.scan.positions, toy.scan.positions, atol=1e-15)
    assert session.reconstruction is not None


def test_what_agrees_has_no_button(qtbot, panel, toy):
    panel._session.load_scan(toy.scan, reconstruction=toy.reconstruction)  # noqa: SLF001
    label = panel.consistency
    qtbot.waitUntil(lambda: not label.isHidden(), timeout=120_000)
    assert label.button.isHidden()
    panel._session.load_scan(toy.scan)  # noqa: SLF001
    assert label.isHidden()


def test_a_correction_is_kept_for_files_like_this_one(
    qtbot, window, dock, small, opened, tmp_path, monkeypatch
):
    monkeypatch.setattr(user, "layouts_folder", lambda: tmp_path / "layouts")
    user.user_layouts.cache_clear()
    mirrored = ScanCorrection.parse("positions-flip-x").apply(small.scan)
    path = write_scan(tmp_path / "mirrored.h5", mirrored, small.reconstruction)
    session = opened(window, dock, path)
    label = dock.scan_panel.consistency
    qtbot.waitUntil(lambda: not label.keep_button.isHidden(), timeout=120_000)
    label.keep_button.click()
    qtbot.waitUntil(lambda: not session.running and bool(user.user_layouts()), timeout=120_000)
    try:
        (kept,) = user.user_layouts()
        assert kept.correction == "positions-flip-x"
        assert read_scan(path).warnings == ()
        np.testing.assert_allclose(read_scan(path).positions, small.scan.positions, atol=1e-13)
        qtbot.waitUntil(
            lambda: np.allclose(session.scan.positions, small.scan.positions, atol=1e-13),
            timeout=60_000,
        )
        assert session.reconstruction is not None
    finally:
        user.user_layouts.cache_clear()
