"""Frames are cropped and binned from the window, and what was chosen stays where it belongs."""

import numpy as np

from napari_ptychonn.widgets.panels.crop_bin_control import WHOLE, CropBinControl


def test_the_control_shows_and_asks(qtbot):
    control = CropBinControl()
    qtbot.addWidget(control)
    asked = []
    control.reading_chosen.connect(lambda *chosen: asked.append(chosen))
    control.show_reading((64, 48), None, 1)
    assert control.crop.text() == WHOLE
    assert control.crop.maximum() == 48
    assert not control.read.isEnabled()
    control.crop.setValue(32)
    control.bin.setValue(2)
    control.show_reading((64, 48), None, 1)  # something else was refreshed
    assert control.chosen == (32, 2)
    control.read.click()
    assert asked == [(32, 2)]
    control.show_reading((64, 48), 32, 2)
    assert not control.read.isEnabled()
    control.crop.setValue(control.crop.minimum())
    control.read.click()
    assert asked[1:] == [(None, 2)]


def test_a_scan_is_read_again(dock, small_file, qtbot):
    dock.open(str(small_file))
    session, control = dock.session, dock.scan_panel.reading_control
    qtbot.waitUntil(lambda: session.reconstruction is not None, timeout=60_000)
    qtbot.waitUntil(
        lambda: not session.running and not dock.tasks.runs_in_background("sidecars"),
        timeout=60_000,
    )
    whole = session.scan
    control.crop.setValue(24)
    control.read.click()
    assert session.scan.frame_shape == (24, 24)
    assert "24×24" in dock.scan_panel.recognised.text()
    np.testing.assert_array_equal(session.scan.frames[3], whole.frames[3][4:28, 4:28])
    assert session.reconstruction.probe.shape[-2:] == (24, 24)
    np.testing.assert_allclose(session.reconstruction.pixel_size, session.scan.pixel_size)
    control.crop.setValue(8)
    control.bin.setValue(2)
    control.read.click()
    assert session.scan.frame_shape == (24, 24), "4 pixels are too few"
    qtbot.waitUntil(lambda: not dock.tasks.runs_in_background("sidecars"), timeout=60_000)
