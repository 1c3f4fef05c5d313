"""Comparisons as files: whole, complete, and the same numbers in each."""

import csv
import json

import numpy as np
import pytest

from napari_ptychonn import plots
from napari_ptychonn.comparison.report import Report
from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.result import Result
from napari_ptychonn.errors import InputError
from napari_ptychonn.plots import report_export as exports
from napari_ptychonn.stitching.mosaic import Mosaic


@pytest.fixture(scope="module")
def report(toy):
    placed, positions = toy.reconstruction.align_to(toy.scan)
    patches = cut_patches(placed, positions, np.arange(144))
    mosaic = Mosaic.covering(positions, patches.shape, placed.pixel_size, anchor=placed.origin)
    mosaic.add(patches, positions)
    result = Result(
        predictions=patches,
        positions=positions,
        mosaic=mosaic.image(),
        unit="m",
        held_out=np.arange(72, 144),
        name="toy",
    )
    return Report.from_result(result, toy.truth)


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")]
)
def test_a_picture_is_what_its_extension_says(report, tmp_path, name, start):
    assert exports.write_report(tmp_path / name, report) == tmp_path / name
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [name], "nothing temporary is left"


def test_the_page_shows_what_the_report_says(report):
    line = ((0.0, -1e-7), (0.0, 1e-7))
    figure = plots.plot_comparison(report, line)
    titles = [axes.get_title() or axes.get_title("left") for axes in figure.axes]
    assert titles[:3] == [report.reference, "PtychoNN mosaic", "difference"]
    rings = figure.axes[6]
    assert rings.get_title("left") == "Fourier ring correlation"
    legend = [text.get_text() for text in rings.get_legend().get_texts()]
    assert legend[0] == f"phase: {report.comparison.mosaic.phase_resolution}"
    phase = report.comparison.aligned.rings("phase")
    np.testing.assert_allclose(rings.lines[0].get_ydata(), phase.correlation)
    profile = figure.axes[7]
    assert profile.lines[0].get_xdata()[-1] == pytest.approx(0.2)  # µm
    difference = figure.axes[5].images[0]
    low, high = difference.get_clim()
    assert low == -high
    cells = {cell.get_text().get_text() for cell in figure.axes[9].tables[0].get_celld().values()}
    assert f"{report.comparison.single_shot.phase_mae:.3f}" in cells
    assert "held-out frames (72)" in figure.get_supxlabel()


def test_csv_and_json_hold_the_same(report, tmp_path):
    exports.write_report(tmp_path / "a.json", report)
    exports.write_report(tmp_path / "a.csv", report)
    numbers = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert numbers == json.loads(json.dumps(report.numbers() | report.curves()))
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = {row["quantity"]: row["value"] for row in rows if not row["at"]}
    assert float(table["single_shot.phase_mae"]) == numbers["single_shot"]["phase_mae"]
    assert float(table["mosaic.alignment.shift.y"]) == numbers["mosaic"]["alignment"]["shift"][0]
    assert table["mosaic.phase_resolution.unit"] == "m"
    assert table["speed_up"] == "", "not measured"
    curve = [row for row in rows if row["quantity"] == "ring_correlation.phase"]
    assert [float(row["at"]) for row in curve] == numbers["ring_correlation"]["frequency"]
    assert [float(row["value"]) for row in curve] == numbers["ring_correlation"]["phase"]
    profile = [row for row in rows if row["quantity"] == "profile.phase.predicted"]
    assert len(profile) == len(numbers["profile"]["distance"])


def test_an_unknown_extension_is_refused(report, tmp_path):
    with pytest.raises(InputError, match=r"ends in one of \.png, \.pdf"):
        exports.write_report(tmp_path / "a.docx", report)


def test_a_failing_export_leaves_the_old_file(report, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(
        plots, "plot_comparison", lambda *_: (_ for _ in ()).throw(ValueError("no"))
    )
    with pytest.raises(ValueError, match="no"):
        exports.write_report(path, report)
    assert path.read_bytes() == b"old"
    with pytest.raises(InputError, match="folder does not exist"):
        exports.write_report(tmp_path / "none" / "a.csv", report)


def test_a_line_beside_everything_is_refused(report, tmp_path):
    with pytest.raises(InputError, match="does not touch"):
        exports.write_report(tmp_path / "a.csv", report, ((1.0, 1.0), (1.0, 2.0)))
    assert not list(tmp_path.iterdir())
