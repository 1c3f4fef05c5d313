"""Forms, sections, the region panel and the mouse, each on its own."""

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_ptychonn.app.session import Session
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import PRESETS, NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.pretraining import Pretraining
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.stitching.uncertainty import Uncertainty
from napari_ptychonn.tasks.events import Failed, ObjectPreview
from napari_ptychonn.widgets.canvas.point_picker import Picker
from napari_ptychonn.widgets.canvas.region_drawing import RegionDrawing
from napari_ptychonn.widgets.common.options_form import OptionsForm
from napari_ptychonn.widgets.common.section import Section
from napari_ptychonn.widgets.common.task_runner import TaskRunner
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel
from napari_ptychonn.widgets.panels.compare import ComparePanel
from napari_ptychonn.widgets.panels.region import RegionPanel
from napari_ptychonn.widgets.panels.scan import ScanPanel
from napari_ptychonn.widgets.panels.train import TrainPanel, duration
from napari_ptychonn.widgets.task_controller import TaskController


@pytest.mark.parametrize("options", [TrainingOptions, NetworkOptions, EngineOptions, Pretraining])
def test_a_form_says_what_the_dataclass_says(qapp, options):
    form = OptionsForm(options)
    assert form.value == options()
    for field in fields(options):
        widget = form.widgets[field.name]
        assert widget.tooltip, field.name
        assert widget.label != field.name, field.name
        assert not getattr(widget, "text", ""), "its name stands before it already"


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("options", [TrainingOptions, NetworkOptions])
def test_a_form_takes_and_gives_back_every_preset(qapp, options, name):
    form = OptionsForm(options)
    form.value = options.preset(name)
    assert form.value == options.preset(name)


def test_a_folded_section_takes_no_room(qtbot):
    section = Section("More", WrappedLabel("text"), expanded=False)
    qtbot.addWidget(section)
    section.show()
    folded = section.sizeHint().height()
    section.heading.click()
    assert section.sizeHint().height() > folded


@pytest.fixture
def session(toy):
    made = Session()
    made.load_scan(toy.scan)
    made.choose_reconstruction(toy.reconstruction)
    return made


@pytest.fixture
def panel(qtbot, session, bare_controllers, monkeypatch):
    tasks, canvas = bare_controllers(session)
    drawn = []
    monkeypatch.setattr(RegionDrawing, "polygons", drawn)
    made = RegionPanel(session, tasks, canvas)
    made.drawn = drawn
    qtbot.addWidget(made)
    made.propose()
    yield made
    canvas.close()


def test_three_quarters_of_the_lines_are_proposed(panel, session, toy):
    assert panel.way == "scan lines"
    assert session.region.description == "lines 0:9"
    assert len(session.region.held_out) == 36
    assert "36&nbsp;held&nbsp;out" in panel.count.text()


def test_each_way_makes_its_region(panel, session):
    panel.set_way("frames")
    panel.last_frame.setValue(60)
    assert session.region.description == "frames 0:60"
    panel.set_way("every k-th frame")
    panel.every.setValue(3)
    assert len(session.region.held_out) == 96
    panel.split.setCurrentIndex(1)
    panel.fraction.setValue(0)
    assert len(session.region.validation) == 0


def test_a_drawing_becomes_the_region(panel, session, toy):
    low, high = toy.scan.positions.min(axis=0) - 1e-9, toy.scan.positions.max(axis=0) + 1e-9
    middle = (low[0] + high[0]) / 2
    panel.drawn.append(
        np.array([[low[0], low[1]], [low[0], high[1]], [middle, high[1]], [middle, low[1]]])
    )
    panel.use_drawing()
    assert panel.way == "drawn on the map"
    assert len(session.region.held_out) == 72


def test_a_region_that_makes_no_sense_is_explained(panel, session):
    panel.set_way("drawn on the map")
    assert session.region is None
    assert "Draw" in panel.count.text()
    panel.set_way("frames")
    panel.first_frame.setValue(50)
    panel.last_frame.setValue(50)
    assert session.region is None
    assert "at least 2" in panel.count.text()


def test_the_scan_panel_says_what_was_recognised(qtbot, session):
    panel = ScanPanel(session, TaskController(session))
    qtbot.addWidget(panel)
    text = panel.recognised.text()
    assert "144 frames of 64×64" in text
    assert "pixel 10 nm" in text
    assert "step 30 nm" in text
    assert "8.8 keV" in text
    assert session.reconstruction.name in panel.reconstructions.currentText()


def test_train_can_be_pressed_when_everything_is_there(qtbot, session, panel):
    train = TrainPanel(session, TaskController(session), "dark")
    qtbot.addWidget(train)
    assert train.train.isEnabled()
    session.choose_region(None)
    train.refresh()
    assert not train.train.isEnabled()
    assert "region" in train.train.toolTip()


def test_made_up_samples_need_a_probe_and_nothing_else(qtbot, toy):
    session = Session()
    train = TrainPanel(session, TaskController(session), "dark")
    qtbot.addWidget(train)
    assert train.made_up.isHidden()
    train.labels.setCurrentText("simulated samples")
    assert not train.made_up.isHidden()
    assert train.train.toolTip() == "Open a scan first."
    session.load_scan(replace(toy.scan, probe=None))
    train.refresh()
    assert not train.train.isEnabled()
    assert "probe is needed" in train.train.toolTip()
    session.load_scan(toy.scan)
    train.refresh()
    assert train.train.isEnabled()
    train.labels.setCurrentText("reconstruction")
    assert not train.train.isEnabled()


def test_presets_fill_the_forms(qtbot, session):
    train = TrainPanel(session, TaskController(session), "dark")
    qtbot.addWidget(train)
    train.preset.setCurrentText("paper")
    assert train.options.value == TrainingOptions.preset("paper")
    assert train.network.value == NetworkOptions.preset("paper")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text


def picked_by(mode, cell, moves):
    picked = []
    picker = Picker(np.array([[0.0, 0.0], [10.0, 0.0]]), lambda cell: cell == (1, 0), picked.append)
    active = SimpleNamespace(mode=mode)
    viewer = SimpleNamespace(layers=SimpleNamespace(selection=SimpleNamespace(active=active)))
    event = SimpleNamespace(type="mouse_press", position=(4, 9.0, 1.0), viewbox=cell)
    run = picker(viewer, event)
    next(run)
    for _ in range(moves):
        event.type = "mouse_move"
        next(run)
    event.type = "mouse_release"
    next(run, None)
    return picked


def test_a_click_on_a_map_picks_the_nearest_point():
    assert picked_by("pan_zoom", (1, 0), moves=0) == [1]


@pytest.mark.parametrize(
    ("mode", "cell", "moves"),
    [
        ("pan_zoom", (1, 0), 2),
        ("pan_zoom", (0, 0), 0),
        ("pan_zoom", None, 0),
        ("add_rectangle", (1, 0), 0),
    ],
)
def test_drags_other_cells_and_drawing_tools_pick_nothing(mode, cell, moves):
    assert picked_by(mode, cell, moves) == []


def test_the_comparison_says_how_far_to_trust_the_result(qtbot, bare_controllers):
    session = Session()
    panel = ComparePanel(session, *bare_controllers(session))
    qtbot.addWidget(panel)
    assert panel.uncertainty.isHidden()
    trust = Uncertainty(
        indices=np.arange(3),
        overlap_std=np.zeros(3, np.float32),
        diffraction_residual=np.array([1, 1, 4], np.float32),
        residual_limit=2.0,
    )
    session.result = SimpleNamespace(uncertainty=trust, held_out=None, warnings=())
    panel.refresh()
    assert not panel.uncertainty.isHidden(), "needs no reconstruction"
    assert panel.uncertainty.text() == trust.sentence
    assert panel.uncertainty.toolTip()
    session.result = SimpleNamespace(uncertainty=None, held_out=None, warnings=())
    panel.refresh()
    assert panel.uncertainty.isHidden(), "a result of an older version"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("the file is odd."), "the file is odd."),
        (RuntimeError("boom\nmore"), "Something went wrong (RuntimeError: boom)"),
        (MemoryError(), "Not enough memory"),
    ],
)
def test_every_error_of_a_job_arrives_as_a_sentence_and_ends_it(qtbot, error, sentence):
    received, ended = [], []

    class Fails:
        activity = "training"

        def run(self, _should_stop):
            yield ObjectPreview()
            raise error

    TaskRunner(Fails(), received.append, lambda: ended.append(True)).start()
    qtbot.waitUntil(lambda: bool(ended), timeout=60_000)
    assert isinstance(received[0], ObjectPreview)
    assert isinstance(received[1], Failed)
    assert received[1].reason.startswith(sentence)
    assert ended == [True]


def test_an_abandoned_worker_says_nothing_more(qtbot):
    received, ended = [], []

    class Endless:
        activity = "training"

        def run(self, should_stop):
            while not should_stop():
                yield ObjectPreview()

    runner = TaskRunner(Endless(), received.append, lambda: ended.append(True))
    runner.start()
    qtbot.waitUntil(lambda: bool(received), timeout=60_000)
    runner.abandon()
    seen = len(received)
    qtbot.wait(100)
    assert len(received) == seen
    assert not ended
