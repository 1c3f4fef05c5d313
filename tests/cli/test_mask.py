"""Faulty pixels and doubts on the command line, from a file with hot and dead pixels in it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.io import read_result, read_scan
from napari_ptychonn.simulation.scan import simulate_scan

HOT = [(3, 5), (40, 60), (50, 11), (9, 33), (20, 24)]
DEAD = [(31, 27), (36, 33), (32, 37)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, run):
    """A scan of 8 x 8 points, the same with faulty pixels, and a model of the first."""
    folder = tmp_path_factory.mktemp("mask")
    scan, reconstruction = simulate_scan((8, 8), photons=1e5)
    write_scan(folder / "good.h5", scan, reconstruction)
    frames = scan.frames.copy()
    for y, x in HOT:
        frames[:, y, x] = np.random.default_rng(y).poisson(3000, len(scan))
    for y, x in DEAD:
        frames[:, y, x] = 0
    broken = replace(scan, frames=frames, positions=scan.positions * 1e3)
    write_scan(folder / "faulty.h5", replace(scan, frames=frames), reconstruction)
    write_scan(folder / "micrometres.h5", broken)
    model = folder / "model"
    assert (
        run("train", folder / "good.h5", "--frames", "0:48", "-o", model, "--steps", "8").code == 0
    )
    return folder


def test_they_are_found_in_the_file(folder):
    assert read_scan(folder / "good.h5").valid is None
    scan = read_scan(folder / "faulty.h5")
    assert sorted(map(tuple, np.argwhere(~scan.valid).tolist())) == sorted(HOT + DEAD)
    assert scan.masked_above(None).valid is None
    assert scan.masked_above(1e6).valid is None


def test_info_tells_what_is_wrong(folder, run):
    assert "warning" not in run("info", folder / "good.h5").out
    shown = run("info", folder / "faulty.h5")
    assert (
        "warning: 8 bad detector pixels in 32 of 64 frames examined, masked: "
        "5 hot, 3 dead." in shown.out
    )
    assert shown.err == ""
    as_json = json.loads(run("info", folder / "micrometres.h5", "--json").out)
    assert as_json["masked_pixels"] == 8
    assert any("30 µm apart" in text for text in (*as_json["warnings"], *as_json["notes"]))


def test_training_and_predicting_warn(folder, tmp_path, run):
    ended = run(
        "train", folder / "faulty.h5", "--frames", "0:48", "-o", tmp_path / "m", "--steps", "1"
    )
    assert ended.code == 0
    assert "8 bad detector pixels" in ended.err
    assert ended.out.count("\n") == 1
    quiet = run(
        "train", folder / "faulty.h5", "--frames", "0:48", "-o", tmp_path / "m", "--steps", "1",
        "--no-mask",
    )  # fmt: skip
    assert quiet.code == 0
    assert "bad detector pixel" not in quiet.err


def test_masked_pixels_hardly_change_the_predictions(folder, tmp_path, run):
    """Much less than the same pixels do unmasked, though the model knew nothing of them."""
    phases = {}
    for name, scan, options in (
        ("good", "good.h5", ()),
        ("masked", "faulty.h5", ()),
        ("unmasked", "faulty.h5", ("--no-mask",)),
    ):
        file = tmp_path / f"{name}.h5"
        ended = run("predict", folder / scan, "--model", folder / "model", "-o", file, *options)
        assert ended.code == 0, ended.err
        phases[name] = read_result(file).predictions.phase
    off = {k: np.abs(v - phases["good"]).mean() for k, v in phases.items()}
    spread = phases["good"].std()
    assert off["masked"] < 0.2 * spread
    assert off["masked"] < 0.3 * off["unmasked"]


def test_the_contrast_can_be_chosen(folder, tmp_path, run):
    common = ("predict", folder / "faulty.h5", "--model", folder / "model", "-o", tmp_path / "R")
    assert "5 hot, 3 dead" in run(*common, "--frames", "0:2").err
    assert "bad detector pixel" not in run(*common, "--frames", "0:2", "--mask-contrast", "1e6").err
    assert run(*common, "--mask-contrast", "1").code == 2


def test_frames_are_cropped_and_binned_while_they_are_read(folder, tmp_path, run):
    """A network for summed pixels predicts frames that are summed alike, and no others."""
    scan = folder / "good.h5"
    assert read_scan(scan, crop=48, bin=2).frame_shape == (24, 24)
    common = ("--bin", "2", "--crop", "64")
    made = run("train", scan, "--frames", "0:48", "-o", tmp_path / "m", "--preset", "paper",
               "--steps", "1", *common)  # fmt: skip
    assert made.code == 0, made.err
    predict = ("predict", scan, "--model", tmp_path / "m", "-o", tmp_path / "R", "--frames", "0:9")
    refused = run(*predict)
    assert refused.code == 1
    assert "32x32 pixels" in refused.err
    ended = run(*predict, *common)
    assert ended.code == 0, ended.err
    assert len(read_result(tmp_path / "R").predictions) == 9
    assert run(*predict, "--crop", "4").code == 2
    assert "cannot be cropped to 100" in run(*predict, "--crop", "100").err
