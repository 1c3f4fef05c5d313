"""The state behind the dock: who is told what, and what outlives what."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_ptychonn.app.session import Session
from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.tasks.events import EpochEnded


@pytest.fixture
def session(toy):
    made = Session()
    made.load_scan(toy.scan, ("epie", "other"))
    made.choose_reconstruction(toy.reconstruction)
    return made


@pytest.fixture
def predictions():
    zeros = np.zeros((2, 8, 8), np.float32)
    return Predictions(indices=np.array([0, 1]), amplitude=zeros, phase=zeros)


def test_less_of_each_frame_keeps_the_reconstruction_of_whole_ones(session, toy):
    session.move_to(5)
    session.crop_and_bin(32, 1)
    assert (session.crop, session.bin) == (32, 1)
    assert session.scan.frame_shape == (32, 32)
    assert session.point == 0
    assert session.reconstruction.probe.shape[-2:] == (32, 32)
    assert session.reconstruction.pixel_size == pytest.approx(session.scan.pixel_size)
    session.crop_and_bin(None, 2)
    assert session.reconstruction.pixel_size == pytest.approx(session.scan.pixel_size)
    made_of_less = session.reconstruction
    session.choose_reconstruction(made_of_less)
    assert session.reconstruction.probe is made_of_less.probe
    with pytest.raises(InputError, match="cannot be cropped"):
        session.crop_and_bin(8, 2)
    assert session.bin == 2
    session.crop_and_bin(None, 1)
    assert session.scan is toy.scan
    assert session.reconstruction is None, "it is of summed pixels"


def test_nothing_is_read_again_while_something_uses_the_scan(session, toy):
    session.start_task("training")
    session.crop_and_bin(32, 1)
    assert session.scan is toy.scan


def test_a_scan_starts_over_but_keeps_the_model(session, toy, predictions):
    model = object()
    session.set_model(model)
    session.choose_region(TrainingRegion.from_indices(toy.scan, slice(0, 50)))
    session.show_predictions(predictions, None)
    session.move_to(5)
    session.load_scan(toy.scan)
    assert session.model is model
    assert session.predictions is None
    assert session.region is None
    assert session.reconstruction is None
    assert session.point == 0
    assert session.reconstruction_names == ()


def test_a_reconstruction_is_placed_under_the_scan(session, toy):
    np.testing.assert_allclose(session.positions, toy.scan.positions)
    assert session.reconstruction.unit == toy.scan.unit


def test_a_reconstruction_of_another_scan_changes_nothing(session, toy):
    before = session.reconstruction
    far = Reconstruction(
        object=np.ones((9, 9), np.complex64),
        indices=np.array([10_000]),
        positions=np.zeros((1, 2)),
        unit="m",
    )
    with pytest.raises(InputError):
        session.choose_reconstruction(far)
    assert session.reconstruction is before


def test_moving_tells_once_and_stays_inside_the_scan(session):
    told = []
    session.point_moved.connect(told.append)
    for point in (3, 3, -1, 10_000):
        session.move_to(point)
    assert told == [3]


def test_only_one_thing_runs_at_a_time(session):
    told = []
    session.running_changed.connect(told.append)
    assert session.start_task("training")
    assert not session.start_task("predicting")
    session.finish_task()
    session.finish_task()
    assert told == ["training", ""]


def test_epochs_become_a_curve_and_the_best_model(session):
    session.start_task("training")
    models, told = [object(), object()], []
    session.model_changed.connect(lambda: told.append(session.model))
    for number, best in enumerate((models[0], models[0], models[1]), 1):
        epoch = SimpleNamespace(
            number=number, train_loss=1 / number, validation_loss=None, best=best
        )
        session.apply(EpochEnded(epoch=epoch))
    assert [p.number for p in session.losses] == [1, 2, 3]
    assert told == models


def test_previews_leave_what_they_do_not_have(session, predictions):
    session.show_predictions(predictions, None)
    session.show_predictions(None, "mosaic")
    assert session.predictions is predictions
    assert session.mosaic == "mosaic"
