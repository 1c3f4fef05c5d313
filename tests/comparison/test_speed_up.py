from dataclasses import replace

import pytest

from napari_ptychonn.comparison.speed_up import SpeedUp

SPEED = SpeedUp(
    prediction_seconds=0.4,
    prediction_frames=516,
    reconstruction_seconds=180.0,
    reconstruction_frames=516,
    measured_iterations=400,
)


def test_what_was_measured_is_told_as_measured():
    assert SPEED.factor == pytest.approx(450)
    assert SPEED.sentence == (
        "Prediction of 516 frames took 0.4 s; 400 iterations of ePIE took 180 s: 450×."
    )


def test_iterations_and_frames_are_scaled_and_it_says_so():
    part = replace(
        SPEED, reconstruction_seconds=9.0, measured_iterations=40, reconstruction_frames=258
    )
    assert part.scaled_seconds == pytest.approx(180)
    assert part.sentence.endswith(
        "400 iterations of ePIE would take 180 s: 450× "
        "(scaled from 40 iterations of 258 frames measured in 9 s)."
    )
    fewer = replace(SPEED, reconstruction_frames=258)
    assert fewer.sentence.endswith(
        "would take 360 s: 900× (scaled from 258 frames measured in 180 s)."
    )


def test_a_slow_prediction_is_told_too():
    assert replace(SPEED, prediction_seconds=360.0).sentence.endswith("took 180 s: 0.5×.")
