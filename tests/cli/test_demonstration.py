"""The demonstration, small; and the file it writes its scan to."""

import json
import subprocess
import sys

import numpy as np
import pytest

from napari_ptychonn.cli import demonstration as demo
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction, read_result, read_scan
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.simulation.scan import Simulation


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What a demonstration of a few seconds leaves behind, and what it reported."""
    folder = tmp_path_factory.mktemp("demo") / "new"
    reported, tracked = [], []
    small = demo.Demonstration(points=(12, 11), training_lines=7, steps=3)
    files = small.run(folder, reported.append, lambda *a: tracked.append(a), lambda: False)
    return folder, files, reported, tracked


def test_everything_is_left_in_the_folder(left):
    folder, files, _, _ = left
    assert {file.name for file in files} == {file.name for file in folder.iterdir()}
    assert all(file.stat().st_size > 0 for file in files)
    for name in demo.FIGURE_FILES:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_files_agree_with_each_other(left):
    folder, _, _, _ = left
    scan = read_scan(folder / demo.SCAN_FILE)
    result = read_result(folder / demo.RESULT_FILE)
    model = TrainedModel.load(folder / demo.MODEL_FILE)
    np.testing.assert_array_equal(result.held_out, np.arange(77, 132))
    np.testing.assert_array_equal(model.held_out(scan), result.held_out)
    report = json.loads((folder / demo.COMPARISON_FILE).read_text(encoding="utf-8"))
    assert report["frames"] == 55
    assert report["selection"] == "held out"


def test_it_says_that_the_labels_are_no_epie(left):
    _, _, reported, tracked = left
    assert any("not ePIE" in sentence for sentence in reported)
    assert any("held out" in sentence for sentence in reported)
    assert tracked[-1][1] <= tracked[-1][2]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file.x"):
        demo.Demonstration().run(tmp_path / "file" / "x", print, lambda *a: None, lambda: True)


@pytest.mark.parametrize("jitter", [0.0, 4e-9])
def test_a_written_scan_comes_back(tmp_path, jitter):
    simulated = Simulation(points=(7, 6), jitter=jitter, photons=1e4, modes=2).run()
    path = demo.write_scan(tmp_path / "scan.h5", simulated.scan, simulated.reconstruction)
    scan, reconstruction = read_scan(path), read_reconstruction(path)
    np.testing.assert_array_equal(scan.frames[:], simulated.scan.frames)
    np.testing.assert_array_equal(scan.positions, simulated.scan.positions)
    assert scan.unit == "m"
    assert scan.pixel_size == pytest.approx((10e-9, 10e-9))
    assert scan.optics.energy_kev == pytest.approx(8.8)
    placed, positions = reconstruction.align_to(scan)
    expected = simulated.reconstruction
    np.testing.assert_array_equal(placed.object, expected.object)
    np.testing.assert_array_equal(placed.probe, expected.probe)
    np.testing.assert_allclose(placed.origin, expected.origin, atol=1e-13)
    np.testing.assert_allclose(positions, simulated.scan.positions, atol=1e-13)
    assert reconstruction.algorithm == expected.algorithm


def test_a_scan_without_a_reconstruction_can_be_written(tmp_path):
    scan = Simulation(points=(4, 4), photons=1e4).run().scan
    path = demo.write_scan(tmp_path / "scan.h5", scan)
    assert len(read_scan(path)) == 16
    with pytest.raises(InputError):
        read_reconstruction(path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can lack a display")
def test_without_a_display_no_window_is_tried(tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    reported = []
    demo.show_demo(tmp_path, reported.append)
    assert len(reported) == 1
    assert "no display" in reported[0]


def test_the_demonstration_needs_no_qt():
    program = (
        "import sys, napari_ptychonn.cli.demonstration\n"
        "print(sorted({'napari', 'qtpy', 'matplotlib'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout.strip() == "[]", ended.stderr
