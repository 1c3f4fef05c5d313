import json
from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.comparison.report import Report
from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.result import Result
from napari_ptychonn.stitching.mosaic import Mosaic, window_weight


@pytest.fixture
def result(toy):
    """The truth as if a network had predicted it, frames 72 … 143 held out."""
    placed, positions = toy.truth.align_to(toy.scan)
    patches = cut_patches(placed, positions, np.arange(144))
    mosaic = Mosaic.covering(
        positions, patches.shape, placed.pixel_size, window_weight(patches.shape), placed.origin
    )
    mosaic.add(patches, positions)
    return Result(
        predictions=patches,
        positions=positions,
        mosaic=mosaic.image(),
        unit="m",
        held_out=np.arange(72, 144),
        name="toy",
        seconds=0.5,
    )


def test_held_out_frames_give_the_numbers_and_all_the_maps(toy, result):
    report = Report.from_result(result, toy.truth)
    assert (report.selection, report.comparison.frames) == ("held out", 72)
    assert report.full_mosaic.mask.sum() > 1.5 * report.comparison.aligned.mask.sum()
    assert report.comparison.mosaic.phase_resolution.reached == "grid"
    assert report.reference == toy.truth.title


def test_without_held_out_frames_all_give_both(toy, result):
    report = Report.from_result(replace(result, held_out=None), toy.truth)
    assert (report.selection, report.comparison.frames) == ("all", 144)
    assert report.full_mosaic is report.comparison.aligned, "aligned once"


def test_frames_that_were_asked_for_are_compared(toy, result):
    report = Report.from_result(result, toy.truth, np.arange(10, 30))
    assert (report.selection, report.comparison.frames) == ("frames", 20)


def test_the_offered_line_lies_in_what_is_compared(toy, result):
    report = Report.from_result(result, toy.truth)
    (y, _), _ = report.line
    held_out = result.positions[72:, 0]
    assert held_out.min() < y < held_out.max()


def test_the_speed_is_told_only_when_both_times_are_known(toy, result):
    assert Report.from_result(result, toy.truth).speed is None
    timed = replace(toy.truth, seconds=20.0, iterations=40)
    speed = Report.from_result(result, timed).speed
    assert speed.factor == pytest.approx(20 * 10 / 0.5)
    assert speed.reconstruction_frames == 144
    assert Report.from_result(replace(result, seconds=None), timed).speed is None
    assert Report.from_result(result, replace(timed, iterations=None)).speed is None


def test_everything_is_plain_json(toy, result):
    report = Report.from_result(result, replace(toy.truth, seconds=20.0, iterations=40))
    numbers = json.loads(json.dumps(report.numbers(), allow_nan=False))
    assert numbers["unit"] == "m"
    assert numbers["mosaic"]["phase_resolution"] == {
        "half_period": pytest.approx(10e-9),
        "reached": "grid",
        "unit": "m",
    }
    assert numbers["speed_up"]["factor"] == pytest.approx(400)
    off_the_map = ((-1e-5, 0.0), (0.0, 0.0))
    curves = json.loads(json.dumps(report.curves(off_the_map), allow_nan=False))
    assert curves["profile"]["phase"]["predicted"][0] is None
    rings = curves["ring_correlation"]
    assert len(rings["frequency"]) == len(rings["phase"]) == len(rings["threshold"])
