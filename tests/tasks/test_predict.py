from dataclasses import asdict, replace

import numpy as np
import pytest

from napari_ptychonn.data import patch_store
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_result, write_result
from napari_ptychonn.io.readers import results
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.tasks import predict
from napari_ptychonn.tasks.events import PredictionEnded, PredictionProgress
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.tasks.reconstruct import ReconstructTask


@pytest.fixture
def task(small, model):
    return PredictTask(
        scan=small.scan, model=model, reconstruction=small.reconstruction, device="cpu"
    )


def test_a_prediction_ends_with_result_and_comparison(task, small, region):
    *_, last = task.run()
    assert isinstance(last, PredictionEnded)
    assert len(last.result.predictions) == task.total == len(small.scan)
    np.testing.assert_array_equal(last.result.held_out, region.held_out)
    assert last.comparison.frames == len(region.held_out)


def test_the_seconds_of_a_prediction_exclude_those_of_drawing_it(task, model, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(predict.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(predict, "PROGRESS_PAUSE", 0.0)
    whole = next(model.predict(task.scan, np.arange(20), device="cpu"))

    class SlowModel:
        def __getattr__(self, name):
            return getattr(model, name)

        def predict(self, *_, **__):
            for k in range(0, 20, 5):
                now[0] += 1.0
                yield whole[k : k + 5]

    slow = replace(task, model=SlowModel(), reconstruction=None, indices=np.arange(20))
    for event in slow.run():
        if isinstance(event, PredictionProgress):
            now[0] += 100.0
    assert event.result.seconds == pytest.approx(4.0)


def test_a_prediction_needs_no_reconstruction(task):
    *_, last = replace(task, reconstruction=None, indices=np.arange(20)).run()
    assert last.comparison is None
    assert len(last.result.predictions) == 20


def test_predictions_in_a_file_equal_those_in_memory(task, tmp_path, monkeypatch):
    """Kept in a file, compared, written and read again."""
    *_, few = task.run()
    monkeypatch.setattr(patch_store, "IN_MEMORY", 0)
    monkeypatch.setattr(patch_store, "TOGETHER", 50)
    monkeypatch.setattr(results, "READ_AT_ONCE", 0)
    first, *_, many = task.run()
    assert isinstance(first.predictions, patch_store.LazyPatches)
    assert isinstance(many.result.predictions, patch_store.LazyPatches)
    write_result(tmp_path / "result.h5", many.result)
    read = read_result(tmp_path / "result.h5")
    assert isinstance(read.predictions, patch_store.LazyPatches)
    write_result(tmp_path / "result.h5", read)  # over the very file that it is read from
    expected = few.result
    for found in (many.result, read, read_result(tmp_path / "result.h5")):
        for name in ("indices", "amplitude", "phase", "residual"):
            np.testing.assert_array_equal(
                getattr(found.predictions[:], name), getattr(expected.predictions[:], name)
            )
        np.testing.assert_array_equal(found.mosaic.phase, expected.mosaic.phase)
        np.testing.assert_array_equal(
            found.uncertainty.overlap_std, expected.uncertainty.overlap_std
        )
        np.testing.assert_allclose(
            found.uncertainty.residual_map, expected.uncertainty.residual_map, rtol=1e-6
        )
    assert asdict(many.comparison.single_shot) == pytest.approx(
        asdict(few.comparison.single_shot), rel=1e-4
    )


def test_a_prediction_stopped_at_once_has_no_result(task):
    assert list(task.run(lambda: True)) == []


@pytest.mark.parametrize("indices", [[0, 144], [-1]])
def test_scan_points_that_do_not_exist_are_refused(task, small, indices):
    for build in (
        lambda chosen: replace(task, indices=chosen),
        lambda chosen: ReconstructTask(scan=small.scan, options=EngineOptions(), indices=chosen),
    ):
        with pytest.raises(InputError) as caught:
            build(np.asarray(indices))
        assert (caught.value.expected, caught.value.got) == ((0, 143), indices[-1])
