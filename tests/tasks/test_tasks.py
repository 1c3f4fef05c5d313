"""What runs in the background, without a window."""

import itertools
from dataclasses import asdict
from functools import partial

import numpy as np
import pytest

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.comparison.report import compare_result
from napari_ptychonn.data import patch_store as stored
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_result, write_reconstruction, write_result
from napari_ptychonn.io.readers import results
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.tasks import predict, preview
from napari_ptychonn.tasks.events import (
    EpochEnded,
    PredictionEnded,
    PredictionProgress,
    TrainingPreview,
)
from napari_ptychonn.tasks.load import LoadTask, load_file
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.tasks.train import TrainTask

NETWORK = NetworkOptions(size=32, width=4)


def never():
    return False


@pytest.fixture(scope="module")
def small():
    return Simulation(points=(12, 12), frame_size=32).run()


@pytest.fixture(scope="module")
def region(small):
    return TrainingRegion.from_indices(small.scan, slice(0, 100))


def training(small, region, should_stop=never, **options):
    return TrainTask(
        scan=small.scan,
        reconstruction=small.reconstruction,
        region=region,
        training=TrainingOptions(rescans=0.0, batch_size=16, **options),
        network=NETWORK,
        device="cpu",
        shown_point=lambda: 5,
    ).run(should_stop)


def predicting(small, model, reconstruction=None, indices=None, should_stop=never):
    return PredictTask(
        scan=small.scan,
        model=model,
        reconstruction=reconstruction,
        indices=indices,
        device="cpu",
    ).run(should_stop)


@pytest.fixture(scope="module")
def model(small, region):
    return [v for v in training(small, region, steps=40) if isinstance(v, EpochEnded)][
        -1
    ].epoch.best


def test_training_yields_epochs_and_previews(small, region, monkeypatch):
    monkeypatch.setattr(preview, "PREVIEW_PAUSE", 0.0)
    monkeypatch.setattr(preview, "PREVIEW_SHARE", 0.9)
    values = list(training(small, region, steps=100))
    previews = [v for v in values if isinstance(v, TrainingPreview)]
    assert isinstance(values[0], EpochEnded)
    assert previews
    whole = next(p for p in previews if p.mosaic is not None)
    assert len(whole.predictions) == len(small.scan)
    assert np.isfinite(whole.mosaic.phase).any()


def test_previews_stay_within_their_share(monkeypatch):
    now = itertools.count(step=0.01)
    monkeypatch.setattr(preview.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(preview, "PREVIEW_PAUSE", 0.0)
    allowance, dear = preview.PreviewBudget(), 0

    def make():
        for _ in range(100):
            next(now)
        return iter(())

    for _ in range(4000):
        if allowance.affords_mosaic():
            allowance.make_mosaic(make)
            dear += 1
    assert dear > 1
    assert dear * 1.0 <= preview.PREVIEW_SHARE * next(now) + 1.0


def test_a_glance_predicts_the_point_that_is_looked_at(small, region, monkeypatch):
    monkeypatch.setattr(preview, "PREVIEW_PAUSE", 0.0)
    monkeypatch.setattr(preview.PreviewBudget, "affords_mosaic", lambda _: False)
    monkeypatch.setattr(preview.PreviewBudget, "affords_point", lambda _: True)
    previews = [v for v in training(small, region, steps=50) if isinstance(v, TrainingPreview)]
    assert previews
    assert all(p.predictions.indices.tolist() == [5] for p in previews)
    assert all(p.mosaic is None for p in previews)


def test_stopping_ends_with_the_best_model(small, region):
    asked = itertools.count()
    values = list(training(small, region, lambda: next(asked) > 30, epochs=10_000))
    assert isinstance(values[-1], EpochEnded)
    assert values[-1].epoch.best is not None


def test_prediction_ends_with_result_and_numbers(small, model, region):
    values = list(predicting(small, model, small.reconstruction))
    last = values[-1]
    assert isinstance(last, PredictionEnded)
    assert len(last.result.predictions) == len(small.scan)
    np.testing.assert_array_equal(last.result.held_out, region.held_out)
    assert last.comparison.frames == len(region.held_out)


def test_the_seconds_of_a_prediction_are_not_those_of_showing_it(small, model, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(predict.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(predict, "PROGRESS_PAUSE", 0.0)
    whole = next(model.predict(small.scan, np.arange(20), device="cpu"))

    class Slow:
        def __getattr__(self, name):
            return getattr(model, name)

        def predict(self, *_, **__):
            for k in range(0, 20, 5):
                now[0] += 1.0
                yield whole[k : k + 5]

    for step in predicting(small, Slow(), indices=np.arange(20)):
        if isinstance(step, PredictionProgress):
            now[0] += 100.0
    assert step.result.seconds == pytest.approx(4.0)


def test_prediction_needs_no_reconstruction(small, model):
    *_, last = predicting(small, model, indices=np.arange(20))
    assert last.comparison is None
    assert len(last.result.predictions) == 20


def test_many_predictions_are_the_same_from_a_file(small, model, tmp_path, monkeypatch):
    """Kept in a file, compared, written and read again: nothing changes but where they are."""
    job = partial(predicting, small, model, small.reconstruction)
    *_, few = job()
    monkeypatch.setattr(stored, "IN_MEMORY", 0)
    monkeypatch.setattr(stored, "TOGETHER", 50)
    monkeypatch.setattr(results, "READ_AT_ONCE", 0)
    first, *_, many = job()
    assert isinstance(first.predictions, stored.LazyPatches)
    assert isinstance(many.result.predictions, stored.LazyPatches)
    write_result(tmp_path / "result.h5", many.result)
    read = read_result(tmp_path / "result.h5")
    assert isinstance(read.predictions, stored.LazyPatches)
    write_result(tmp_path / "result.h5", read)  # over the very file that it is read from
    wanted = few.result
    for found in (many.result, read, read_result(tmp_path / "result.h5")):
        for name in ("indices", "amplitude", "phase", "residual"):
            np.testing.assert_array_equal(
                getattr(found.predictions[:], name), getattr(wanted.predictions[:], name)
            )
        np.testing.assert_array_equal(found.mosaic.phase, wanted.mosaic.phase)
        np.testing.assert_array_equal(found.uncertainty.overlap_std, wanted.uncertainty.overlap_std)
        np.testing.assert_allclose(
            found.uncertainty.residual_map, wanted.uncertainty.residual_map, rtol=1e-6
        )
    assert asdict(many.comparison.single_shot) == pytest.approx(
        asdict(few.comparison.single_shot), rel=1e-4
    )


def test_a_prediction_stopped_at_once_has_no_result(small, model):
    assert not list(predicting(small, model, should_stop=lambda: True))


def test_comparison_of_a_foreign_result_takes_all_frames(small, model):
    from dataclasses import replace

    *_, last = predicting(small, model, small.reconstruction)
    foreign = replace(last.result, held_out=None)
    compared = compare_result(foreign, small.reconstruction)
    assert compared.frames == len(small.scan)


def test_each_kind_of_file_is_opened_as_what_it_is(small, model, tmp_path):
    *_, last = predicting(small, model, small.reconstruction)
    scan = write_scan(tmp_path / "scan.h5", small.scan, small.reconstruction)
    model.save(tmp_path / "model.safetensors")
    write_result(tmp_path / "result.h5", last.result)
    write_reconstruction(tmp_path / "object.h5", small.reconstruction)
    (opened,) = LoadTask(path=str(scan)).run()
    assert len(opened.scan) == len(small.scan)
    assert opened.reconstruction is not None
    assert len(opened.reconstruction_names) == 1
    assert load_file(tmp_path / "model.safetensors").model is not None
    assert load_file(tmp_path / "result.h5").result is not None
    assert load_file(tmp_path / "object.h5").reconstruction is not None


def test_a_file_of_no_known_kind_is_an_input_error(tmp_path):
    (tmp_path / "notes.h5").write_text("not HDF5")
    with pytest.raises(InputError, match=r"notes\.h5"):
        load_file(tmp_path / "notes.h5")
