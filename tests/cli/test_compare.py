"""`napari-ptychonn compare`."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.io import (
    read_reconstruction,
    read_result,
    read_scan,
    write_reconstruction,
    write_result,
)

N = 90


def test_compare_takes_the_held_out_frames(folder, run):
    ended = run("compare", folder / "RESULT.h5", "--reconstruction", folder / "scan.h5", "--json")
    assert ended.code == 0
    report = json.loads(ended.out)
    assert report["selection"] == "held out"
    assert report["frames"] == 40
    assert 0 < report["single_shot"]["phase_mae"] < 3.2
    assert "constant_phase_mae" in report["single_shot"]


def test_compare_takes_all_frames_of_another_scan(folder, tmp_path, run):
    write_result(tmp_path / "R", replace(read_result(folder / "RESULT.h5"), held_out=None))
    ended = run("compare", tmp_path / "R", "--reconstruction", folder / "scan.h5", "--json")
    assert json.loads(ended.out)["selection"] == "all"
    assert json.loads(ended.out)["frames"] == N


def test_frames_to_compare_can_be_chosen(folder, run):
    common = ("compare", folder / "RESULT.h5", "--reconstruction", folder / "scan.h5")
    ended = run(*common, "--frames", "10:20", "--json")
    assert json.loads(ended.out)["frames"] == 10
    assert run(*common, "--frames", "95:").code == 1


def test_compare_prints_a_table(folder, run):
    ended = run(
        "compare", folder / "RESULT.h5", "--reconstruction", f"{folder}/scan.h5::/degraded_truth"
    )
    assert ended.code == 0
    assert "40 frames (held out)" in ended.out
    assert "mosaic" in ended.out
    assert "resolution (1/2 bit)" in ended.out
    assert "reconstruction: degraded truth (simulated truth" in ended.err


def test_the_labels_themselves_have_no_error(folder, tmp_path, run):
    """The whole way through files: positions, units and half pixels must all agree."""
    from napari_ptychonn.data.patches import cut_patches

    scan = read_scan(folder / "scan.h5")
    placed, positions = read_reconstruction(folder / "scan.h5").align_to(scan)
    result = read_result(folder / "RESULT.h5")
    perfect = cut_patches(placed, positions, result.predictions.indices)
    write_result(tmp_path / "R", replace(result, predictions=perfect))
    ended = run("compare", tmp_path / "R", "--reconstruction", folder / "scan.h5", "--json")
    report = json.loads(ended.out)["single_shot"]
    assert report["phase_mae"] < 1e-4
    assert report["amplitude_mae"] < 1e-4
    assert report["phase_correlation"] > 0.9999


def test_compare_writes_figures_and_tables(folder, tmp_path, run):
    files = [tmp_path / name for name in ("c.png", "c.csv", "c.json")]
    options = [option for file in files for option in ("-o", file)]
    ended = run(
        "compare", folder / "RESULT.h5", "--reconstruction", folder / "scan.h5",
        *options, "--line", "0,-50:0,50", "--json",
    )  # fmt: skip
    assert ended.code == 0
    assert all(f"wrote {file}" in ended.err for file in files)
    assert files[0].read_bytes().startswith(b"\x89PNG")
    report, written = json.loads(ended.out), json.loads(files[2].read_text(encoding="utf-8"))
    assert report["mosaic"] == written["mosaic"]
    assert report["speed_up"] is None, "the truth was not computed here"
    assert "ring_correlation" not in report, "curves go to files"
    assert np.allclose(written["profile"]["line"], [[0.0, -5e-8], [0.0, 5e-8]])
    assert files[1].read_text(encoding="utf-8").startswith("quantity,at,value")


def test_compare_reports_the_speed_up_where_both_times_are_known(folder, tmp_path, run):

    assert read_result(folder / "RESULT.h5").seconds > 0, "measured by predict"
    made = read_reconstruction(folder / "scan.h5")
    timed = replace(made, seconds=30.0, iterations=20, algorithm="ePIE")
    write_reconstruction(tmp_path / "OBJ.h5", timed)
    common = ("compare", folder / "RESULT.h5", "--reconstruction", tmp_path / "OBJ.h5")
    speed = json.loads(run(*common, "--json").out)["speed_up"]
    assert speed["scaled_seconds"] == pytest.approx(600)
    assert speed["factor"] == pytest.approx(600 / speed["prediction_seconds"])
    assert "scaled from 20 iterations measured in 30 s" in run(*common).out


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("-o", "c.txt"), 1, "expected a name that ends in"),
        (("-o", "no/such/c.png"), 1, "does not exist"),
        (("--line", "0,0"), 2, "expected Y0,X0:Y1,X1"),
        (("-o", "c.csv", "--line", "9e9,0:9e9,1"), 1, "does not touch"),
    ],
)
def test_bad_exports_are_refused(folder, tmp_path, monkeypatch, options, code, sentence, run):
    monkeypatch.chdir(tmp_path)
    ended = run("compare", folder / "RESULT.h5", "--reconstruction", folder / "scan.h5", *options)
    assert ended.code == code
    assert sentence in ended.err
    assert ended.out == ""
    assert not list(tmp_path.iterdir())


def test_frames_off_the_object_are_counted(folder, tmp_path, run):

    scan = read_scan(folder / "scan.h5")
    whole = read_reconstruction(folder / "scan.h5")
    cut = replace(whole, object=whole.object[:-6])
    write_scan(tmp_path / "cut.h5", scan, cut)
    ended = run("compare", folder / "RESULT.h5", "--reconstruction", tmp_path / "cut.h5", "--json")
    report = json.loads(ended.out)
    assert report["left_out"] == 9
    assert report["frames"] == 31
    assert "9 of 40 frames" in ended.err


def test_a_pipe_sees_only_the_json(folder, python):
    ended = python(
        "-m", "napari_ptychonn", "compare", folder / "RESULT.h5",
        "--reconstruction", folder / "scan.h5", "--json",
    )  # fmt: skip
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["frames"] == 40
    assert "\x1b" not in ended.stderr
