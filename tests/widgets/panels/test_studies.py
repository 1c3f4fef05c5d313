"""Studies in a real window: run, numbers, stop, save."""

import csv
from pathlib import Path

import pytest

from napari_ptychonn.reconstruction.availability import why_not
from napari_ptychonn.studies.events import StudyProgressed
from napari_ptychonn.studies.study import Progress
from napari_ptychonn.tasks.events import Loaded
from napari_ptychonn.widgets.panels import studies as studies_panel
from napari_ptychonn.widgets.panels.studies import KINDS

SIZE = KINDS.index("Training size")
WARM = KINDS.index("Warm start")


@pytest.fixture
def loaded(dock, small):
    """A scan with its reconstruction, and a recipe of a moment."""
    dock.take(small)
    dock.train_panel.options.widgets["steps"].value = 4
    return dock


def run(qtbot, dock, values=None):
    panel = dock.studies_panel
    if values is not None:
        panel.values.setText(values)
    assert panel.run.isEnabled(), panel.run.toolTip()
    panel.run.click()
    assert dock.session.running == "studying"
    qtbot.waitUntil(lambda: not dock.session.running, timeout=120_000)


def test_the_section_is_folded_away_and_says_what_is_missing(dock):
    panel = dock.studies_panel
    assert not panel.isVisible()
    assert not panel.run.isEnabled()
    assert panel.run.toolTip() == "Open a scan first."


def test_training_size_from_stop_to_saved_table(qtbot, loaded, tmp_path):
    panel = loaded.studies_panel
    panel.which.setCurrentIndex(SIZE)
    panel.values.setText("60, 100")
    panel.run.click()
    qtbot.waitUntil(lambda: panel.study is not None, timeout=60_000)
    panel.stop.click()
    qtbot.waitUntil(lambda: not loaded.session.running, timeout=60_000)
    assert 1 <= len(panel.study.points) <= 2, "what is finished is kept"
    assert panel.save.isEnabled()

    run(qtbot, loaded, "60, 100")
    assert [p.frames for p in panel.study.points] == [60, 100]
    assert "60" in panel.table.text() and "mosaic, rad" in panel.table.text()
    assert panel.said.text() == panel.study.sentence
    panel.save_study(str(tmp_path / "size.csv"))
    qtbot.waitUntil(lambda: "Saved the study" in panel.said.text(), timeout=30_000)
    with (tmp_path / "size.csv").open(newline="") as file:
        assert [row["frames"] for row in csv.DictReader(file)] == ["60", "100"]
    loaded.take(Loaded(path=Path("again"), scan=loaded.session.scan))
    assert panel.study is None
    assert not panel.save.isEnabled()


def test_what_cannot_be_studied_is_said(shown_errors, qtbot, loaded, monkeypatch):
    told = shown_errors
    panel = loaded.studies_panel
    panel.which.setCurrentIndex(SIZE)
    for values in ("a, b", "0, 100", "100 200"):
        panel.values.setText(values)
        panel.run.click()
        assert told.pop() == f"expected whole numbers such as 1, 2, 5, got '{values}'."
        assert not loaded.session.running
    run(qtbot, loaded, "5000")
    assert "expected training sizes from 10" in panel.said.text()
    assert panel.run.isEnabled()

    # Studies with reconstructions need a model and the engine.
    for kind in (0, WARM):
        panel.which.setCurrentIndex(kind)
        assert panel.run.toolTip() == "Train a model, or load one, first."
    loaded.session.model = object()
    monkeypatch.setattr(studies_panel, "why_not", lambda: "there is no engine.")
    panel.refresh()
    assert panel.run.toolTip() == "there is no engine."
    assert not panel.run.isEnabled()

    panel.show_event(StudyProgressed(progress=Progress(step="×2: ePIE", done=3, total=10)))
    assert (panel.progress.value(), panel.progress.maximum()) == (3, 10)
    assert panel.progress.format() == "×2: ePIE: %v of %m"


@pytest.mark.skipif(bool(why_not()), reason="needs pty-chi")
def test_sparse_sampling_with_the_real_engine(qtbot, loaded, screenshots):
    loaded.train_panel.train.click()
    session, panel = loaded.session, loaded.studies_panel
    qtbot.waitUntil(lambda: session.result is not None and not session.running, timeout=120_000)
    loaded.reconstruct_panel.options.widgets["iterations"].value = 3
    run(qtbot, loaded, "1, 2")
    assert [p.every for p in panel.study.points] == [1, 2]
    loaded.studies_section.heading.setChecked(True)
    assert panel.isVisible()
    panel.grab().save(str(screenshots / "studies.png"))
