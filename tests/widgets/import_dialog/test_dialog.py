"""Choosing datasets in a real window: a file that nobody knows, and one that was read mirrored."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.io import read_scan
from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.layouts import user as user_layouts
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.mapping.mapping import DatasetMapping, DatasetRef
from napari_ptychonn.io.mapping.ranking import Ranking
from napari_ptychonn.io.sandbox import process as child
from napari_ptychonn.viewer.layers import ALWAYS, KEY
from napari_ptychonn.widgets.import_dialog.file_tree import BROKEN, VALUE, FileTree
from napari_ptychonn.widgets.import_dialog.mapping_form import MappingForm
from napari_ptychonn.widgets.import_dialog.role_row import FROM_FILE, TYPED

CRASHES = """
import os
from napari_ptychonn.io.containers.hdf5 import tree as hdf5
from napari_ptychonn.io.sandbox import server as service

hdf5.hdf5_entries = lambda tree, path: os.abort()
service.main()
"""


@pytest.fixture(autouse=True)
def _own_layouts(tmp_path, monkeypatch):
    """An empty folder of the user's own layouts."""
    monkeypatch.setattr(user_layouts, "layouts_folder", lambda: tmp_path / "config")
    user_layouts.user_layouts.cache_clear()
    yield
    user_layouts.user_layouts.cache_clear()


@pytest.fixture
def strange(small, tmp_path):
    """Write the small scan as an endstation with names of its own: y upwards, in µm."""

    def write(name, *, kept=slice(None)):
        scan, made = small.scan, small.reconstruction
        with h5py.File(tmp_path / name, "w") as file:
            file["exp/cam/stack"] = scan.frames[kept]
            file["exp/cam/lost"] = h5py.ExternalLink("part_2.h5", "/data")
            file["exp/stage/samy"] = -scan.positions[kept, 0] * 1e6
            file["exp/stage/samx"] = scan.positions[kept, 1] * 1e6
            file["exp/stage/timestamp"] = np.arange(len(scan))[kept] * 0.1
            file["exp/geometry/img_pixel"] = np.array(made.pixel_size) * 1e9
            file["exp/rec/obj_estimate"] = made.object
            file["exp/rec/beam"] = made.probe
        return tmp_path / name

    return write


def ready(qtbot, dock):
    qtbot.waitUntil(
        lambda: dock.files.dialog is not None and dock.files.dialog.is_ready, timeout=60_000
    )
    return dock.files.dialog


def said(qtbot, dialog, words, timeout=60_000):
    qtbot.waitUntil(lambda: words in dialog.state.text(), timeout=timeout)


def test_an_unknown_file_is_chosen_opened_and_remembered(
    qtbot, window, dock, strange, small, screenshots
):
    session, wanted = dock.session, small.scan.positions
    window.open(strange("run_1.h5"), plugin="napari-ptychonn")
    dialog = ready(qtbot, dock)
    assert "no scan positions" in dialog.why.text()
    form = dialog.form
    assert form.rows["frames"].pick == DatasetRef(path="exp/cam/stack")
    assert form.rows["positions"].pick == DatasetRef(path="exp/stage/samy")
    assert form.rows["position_x"].pick == DatasetRef(path="exp/stage/samx")

    # The tree is read as far as it is unfolded; what is missing is red.
    tree = dialog.tree
    assert tree.item("exp/cam/lost") is None
    qtbot.waitUntil(lambda: tree.item("exp/cam") is not None, timeout=60_000)
    tree.item("exp/cam").setExpanded(True)
    qtbot.waitUntil(lambda: tree.item("exp/cam/lost") is not None, timeout=60_000)
    assert tree.item("exp/cam/lost").foreground(0).color() == BROKEN
    assert "part_2.h5, which is missing" in tree.item("exp/cam/lost").text(VALUE)

    tree.setCurrentItem(tree.item("exp/cam/lost"))
    assert "which is missing" in dialog.selected.text()
    assert not dialog.use.isEnabled()
    tree.setCurrentItem(tree.item("exp/cam/stack"))
    assert dialog.use.menu().actions()[0].text() == "Frames"

    form.rows["positions"].unit.setCurrentText("µm")
    form.rows["pixel"].unit.setCurrentText("nm")
    form.flip_y.click()
    assert not dialog.open_button.isEnabled(), "what was shown is of the choice before"
    ready(qtbot, dock)
    np.testing.assert_allclose(np.ptp(dialog.seen.positions, axis=0), np.ptp(wanted, axis=0))
    x, y = dialog.preview.map.points.getData()
    assert len(x) == len(y) == len(wanted)
    assert dialog.preview.map.image.image is not None, "positions are shown over the object"
    assert dialog.preview.frame.image.image.shape == (32, 32)
    assert "196 positions" in dialog.preview.of_map.text()
    energy = form.rows["energy"]
    energy.box.setCurrentIndex(energy.box.findText(TYPED))
    assert not dialog.open_button.isEnabled()
    energy.number.setText("8.8")
    ready(qtbot, dock)
    dialog.name.setText("Our endstation")
    picture = dialog.grab()
    assert picture.save(str(screenshots / "picker.png"))
    dialog.open_button.click()

    qtbot.waitUntil(lambda: session.scan is not None and not session.running, timeout=60_000)
    assert dock.files.dialog is None
    np.testing.assert_allclose(session.scan.positions, wanted, atol=1e-15)
    assert session.scan.pixel_size == pytest.approx(small.reconstruction.pixel_size)
    assert session.reconstruction is not None
    assert [layer.metadata.get(KEY) for layer in window.layers] == list(ALWAYS)
    points = next(one for one in window.layers if one.metadata.get(KEY) == "scan points")
    np.testing.assert_allclose(points.data[: len(wanted)], session.positions * 1e9, rtol=1e-6)
    assert "Our endstation" in dock.scan_panel.notes.text()

    # The next file of that kind is recognised by itself.
    again = read_scan(strange("run_2.h5", kept=slice(0, 100)))
    np.testing.assert_allclose(again.positions, wanted[:100], atol=1e-15)
    assert again.optics.energy_kev == pytest.approx(8.8), "as typed"


def test_mirrored_positions_are_corrected_in_a_file_that_was_recognised(
    qtbot, window, dock, small, tmp_path
):
    session, wanted = dock.session, small.scan.positions
    mirrored = replace(small.scan, positions=wanted * [1, -1])
    path = write_scan(tmp_path / "mirrored.h5", mirrored, small.reconstruction)
    window.open(path, plugin="napari-ptychonn")
    qtbot.waitUntil(lambda: session.scan is not None, timeout=60_000)
    names = session.reconstruction_names

    dock.scan_panel.choose.click()
    dialog = ready(qtbot, dock)
    assert not dialog.why.isVisible()
    before = dialog.form.choice
    assert before.picks == before.recognised | {"object": before.picks["object"]}
    dialog.form.flip_x.click()
    ready(qtbot, dock).open_button.click()
    qtbot.waitUntil(lambda: session.layout is not None and not session.running, timeout=60_000)
    np.testing.assert_allclose(session.scan.positions, wanted)
    assert session.scan.pixel_size == mirrored.pixel_size
    assert not user_layouts.user_layouts(), "without a name nothing is remembered"

    # Other reconstructions of the file, and another look, go by what was chosen.
    dock.scan_panel.choose_reconstruction(f"{path}::{names[0]}")
    assert session.reconstruction is not None
    dock.scan_panel.choose.click()
    assert ready(qtbot, dock).form.flip_x.isChecked()
    window.window.remove_dock_widget(dock)
    assert dock.files.dialog is None, "without the dock nobody listens"


def test_positions_of_another_file(qtbot, window, dock, strange, small, tmp_path, monkeypatch):
    wanted, session = small.scan.positions, dock.session
    with h5py.File(tmp_path / "interferometer.h5", "w") as file:
        file["laser"], file["encoder"] = wanted, wanted * 1.1
        file["short"] = wanted[:9]
    np.savetxt(tmp_path / "few.csv", wanted[:9], delimiter=",")
    named = []
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(named[-1]), ""))
    dock.files.map_datasets(strange("run.h5"))
    dialog = ready(qtbot, dock)
    form, row = dialog.form, dialog.form.rows["positions"]
    form.flip_y.click()

    named.append(tmp_path / "few.csv")
    form.from_file.click()
    said(qtbot, dialog, "has 9 positions, which are not those of the 196 frames of run.h5.")
    assert not dialog.open_button.isEnabled()
    assert row.box.currentText() == "few.csv (another file)"
    assert not form.rows["position_x"].box.isEnabled(), "this file's own do not count now"
    assert not form.flip_y.isChecked(), "how this file's own are turned does not either"

    named.append(tmp_path / "missing.h5")
    form.from_file.click()
    said(qtbot, dialog, "does not exist")

    named.append(tmp_path / "interferometer.h5")
    form.from_file.click()
    qtbot.waitUntil(lambda: "interferometer.h5" in str(form.place), timeout=60_000)
    texts = [row.box.itemText(k) for k in range(1, 4)]
    assert texts[:2] == ["interferometer.h5::/encoder", "interferometer.h5::/laser"]
    assert "few.csv" not in texts[2], "of other files only the last is offered"
    row.box.setCurrentIndex(2)
    ready(qtbot, dock)
    form.rows["pixel"].unit.setCurrentText("nm")
    ready(qtbot, dock).open_button.click()
    qtbot.waitUntil(lambda: session.scan is not None and not session.running, timeout=60_000)
    np.testing.assert_allclose(session.scan.positions, wanted)
    assert session.positions_source == f"{tmp_path / 'interferometer.h5'}::/laser"

    # Another look shows the same.
    dock.scan_panel.choose.click()
    assert ready(qtbot, dock).form.place == session.positions_source
    row = dock.files.dialog.form.rows["positions"]
    row.box.setCurrentIndex(row.box.findData("exp/stage/samy"))
    assert dock.files.dialog.form.place is None
    dock.files.dialog.reject()


def test_what_is_missing_is_one_sentence_and_there_is_nothing_to_open(qtbot, window, dock, strange):
    dock.open(str(strange("run.h5")))
    dialog = ready(qtbot, dock)
    rows = dialog.form.rows
    rows["frames"].box.setCurrentIndex(0)
    assert dialog.state.text() == "Choose the dataset that holds the diffraction frames."
    assert not dialog.open_button.isEnabled()
    rows["frames"].box.setCurrentIndex(1)
    ready(qtbot, dock)
    rows["position_x"].box.setCurrentIndex(0)
    said(qtbot, dialog, "Choose the x positions: exp/stage/samy holds one coordinate only.")
    assert not dialog.open_button.isEnabled()
    rows["positions"].box.setCurrentIndex(0)
    said(qtbot, dialog, "Found 196 frames but no scan positions")
    assert not dialog.open_button.isEnabled()
    assert dialog.preview.frame.image.image is not None, "frames can be seen without positions"

    dock.session.start_task("training")
    rows["positions"].box.setCurrentIndex(1)
    ready(qtbot, dock).open_button.click()
    assert dialog.state.text() == "PtychoNN is training; stop it first."
    dock.session.finish_task()
    dialog.reject()
    assert dock.session.scan is None


def test_a_file_that_crashes_its_library_is_a_sentence_in_the_dialog(
    qtbot, window, dock, strange, monkeypatch
):
    path = strange("run.h5")
    child.end_all()
    monkeypatch.setattr(child, "_PROGRAM", ("-P", "-c", CRASHES))
    try:
        dock.files.map_datasets(path)
        said(qtbot, dock.files.dialog, "crashed (SIGABRT), in a process of its own")
        assert not dock.files.dialog.open_button.isEnabled()
        assert not dock.files.dialog.form.isEnabled()
        dock.files.dialog.reject()
    finally:
        child.end_all()


def stack(path, *shape, kind="float64"):
    return Entry(path=path, kind="array", shape=shape, type=kind)


class TestForm:
    @pytest.fixture
    def form(self, qtbot):
        made = MappingForm()
        qtbot.addWidget(made)
        ranking = Ranking(
            arrays=(
                stack("frames", 20, 16, 16, kind="uint16"),
                stack("few_frames", 5, 16, 16, kind="uint16"),
                stack("pos_y", 20),
                stack("pos_x", 20),
                stack("few_y", 5),
                stack("few_x", 5),
                stack("both", 20, 2),
            ),
            numbers=(replace(stack("energy_kev", kind="float64"), value="8.8"),),
        )
        made.start(ranking, ranking.completed(DatasetMapping(base=Layout(name="", require=()))))
        return made

    def test_it_starts_with_what_is_plausible(self, form):
        assert form.rows["frames"].pick == DatasetRef(path="frames")
        assert form.rows["positions"].pick == DatasetRef(path="pos_y")
        assert form.rows["energy"].pick == DatasetRef(path="energy_kev", unit="keV")
        assert form.missing is None

    def test_x_is_only_asked_for_beside_y(self, form):
        form.use("positions", "both")
        assert not form.rows["position_x"].box.isEnabled()
        assert "position_x" not in form.choice.picks
        form.use("positions", "few_y")
        assert form.rows["position_x"].box.isEnabled()

    def test_other_frames_rank_the_positions_anew(self, form):
        assert form.rows["positions"].box.itemData(1) == "pos_y"
        form.use("frames", "few_frames")
        assert form.rows["positions"].box.itemData(1) == "few_y"
        assert form.rows["positions"].pick == DatasetRef(path="pos_y"), "what was chosen stays"

    def test_directions_and_units_become_the_choice(self, form):
        for box in (form.flip_y, form.flip_x, form.swap, form.rows_up, form.columns):
            box.click()
        form.zero.setCurrentIndex(form.zero.findData("corner"))
        form.amplitude.click()
        form.rows["positions"].unit.setCurrentText("nm")
        choice = form.choice
        assert (choice.flip, choice.swap, choice.orientation) == ("yx", True, 3)
        assert (choice.zero_frequency, choice.amplitude) == ("corner", True)
        assert choice.picks["positions"].unit == "nm"
        form.start(Ranking(arrays=(stack("frames", 20, 16, 16),)), choice)
        assert form.choice == choice, "a choice is shown as it is, even of what is not there"

    def test_a_change_is_told_once(self, form):
        told = []
        form.changed.connect(lambda: told.append(form.choice))
        form.rows["frames"].box.setCurrentIndex(2)
        form.transpose.click()
        assert len(told) == 2
        assert form.rows["energy"].unit.itemText(0) == FROM_FILE

    def test_a_typed_number_and_a_dataset_exclude_each_other(self, form):
        row = form.rows["energy"]
        assert not row.number.isVisibleTo(form)
        row.box.setCurrentIndex(row.box.findText(TYPED))
        assert row.number.isVisibleTo(form)
        assert row.unit.findText(FROM_FILE) < 0, "a typed number has the unit that is chosen"
        assert row.unit.currentText() == "keV"
        assert form.missing == "Photon energy: type a number, in keV, or choose where it is."
        row.number.setText("8,8")
        assert form.choice.picks["energy"] == DatasetRef(number=8.8, unit="keV")
        assert form.missing is None
        row.unit.setCurrentText("eV")
        assert "8.8 eV cannot be" in form.missing
        row.number.setText("8.8 or so")
        assert "type a number" in form.missing
        form.use("energy", "energy_kev")
        assert not row.number.isVisibleTo(form)
        assert row.unit.itemText(0) == FROM_FILE
        assert form.choice.picks["energy"] == DatasetRef(path="energy_kev", unit="keV")

    @pytest.mark.parametrize(
        ("role", "unit"), [("distance", "m"), ("pitch", "µm"), ("pixel", "nm")]
    )
    def test_what_can_be_typed_has_its_usual_unit(self, form, role, unit):
        row = form.rows[role]
        row.box.setCurrentIndex(row.box.findText(TYPED))
        row.number.setText("12")
        choice = form.choice
        assert choice.picks[role] == DatasetRef(number=12.0, unit=unit)
        form.start(Ranking(arrays=(stack("frames", 20, 16, 16),)), choice)
        assert form.choice == choice
        assert row.number.text() == "12"

    def test_a_line_of_the_tree_can_be_used_as_what_it_may_be(self, form):
        assert form.roles_of(stack("both", 20, 2)) == ("positions",)
        assert "energy" in form.roles_of(replace(stack("run@e"), kind="attribute", value="8"))
        assert form.roles_of(Entry(path="group", kind="group")) == ()


def test_a_line_that_cannot_be_unfolded_says_why(qtbot, tmp_path):
    tree = FileTree()
    qtbot.addWidget(tree)
    tree.show_file(tmp_path, [Entry(path="a", kind="group", leaf=False), stack("b", 3)])
    asked = []
    tree.below_wanted.connect(asked.append)
    tree.item("a").setExpanded(True)
    assert asked == ["a"]
    tree.show_problem("a", "it is damaged.")
    assert tree.item("a").child(0).text(VALUE) == "it is damaged."
    tree.item("a").setExpanded(False)
    tree.item("a").setExpanded(True)
    assert asked == ["a"], "read once"
