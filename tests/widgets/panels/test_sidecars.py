"""A reconstruction beside a scan is offered in the dock, and used when its link is followed."""

import numpy as np

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.io import write_reconstruction
from napari_ptychonn.io.sidecars import SidecarSuggestion
from napari_ptychonn.widgets.panels.sidecars_label import SidecarsLabel


def test_links_use_one_each(qtbot, tmp_path):
    label = SidecarsLabel()
    qtbot.addWidget(label)
    assert label.isHidden()
    chosen = []
    label.offer_chosen.connect(chosen.append)
    offers = [
        SidecarSuggestion(file=tmp_path / "a<b>.h5", kind="reconstruction", facts="pixel 10 nm"),
        SidecarSuggestion(file=tmp_path / "m.safetensors", kind="model"),
    ]
    label.show_offers(offers)
    assert not label.isHidden()
    assert "a&lt;b&gt;.h5</b> (pixel 10 nm)" in label.text.text()
    assert "use as model" in label.text.text()
    label.text.linkActivated.emit("1")
    assert chosen == [offers[1]]
    assert "m.safetensors" not in label.text.text()
    label.text.linkActivated.emit("0")
    assert chosen == [offers[1], offers[0]]
    assert label.isHidden()


def test_what_is_found_is_used_only_when_asked_for(
    dock, window, small, tmp_path, qtbot, screenshots
):
    file = write_scan(tmp_path / "scan_516.h5", small.scan)
    write_reconstruction(tmp_path / "scan_516_recon.h5", small.reconstruction)
    np.savetxt(tmp_path / "scan_516_laser.csv", small.scan.positions * 1.1, delimiter=",")
    dock.open(str(file))
    offers = dock.scan_panel.offers
    qtbot.waitUntil(lambda: dock.session.scan is not None, timeout=60_000)
    qtbot.waitUntil(lambda: "scan_516_recon.h5" in offers.text.text(), timeout=60_000)
    qtbot.waitUntil(lambda: not dock.session.running, timeout=30_000)
    assert dock.session.reconstruction is None
    qtbot.waitUntil(lambda: offers.height() > 20 and offers.isVisible(), timeout=60_000)
    qtbot.wait(300)  # for the last layout
    window.screenshot(str(screenshots / "offer.png"), canvas_only=False, flash=False)

    offers.text.linkActivated.emit("0")
    qtbot.waitUntil(lambda: dock.session.reconstruction is not None, timeout=60_000)
    made = dock.session.reconstruction
    assert made is not None
    assert made.source == tmp_path / "scan_516_recon.h5"
    assert made.name in dock.scan_panel.reconstructions.currentText()
    assert "use as positions" in offers.text.text()
    offers.text.linkActivated.emit("0")
    qtbot.waitUntil(lambda: dock.session.positions_source is not None, timeout=30_000)
    qtbot.waitUntil(
        lambda: not dock.session.running and not dock.tasks.runs_in_background("sidecars"),
        timeout=60_000,
    )
    np.testing.assert_allclose(dock.session.scan.positions, small.scan.positions * 1.1, atol=1e-12)
    assert "scan_516_laser.csv" not in offers.text.text()
