"""A training task written to a folder and read again."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.tasks.task_folder import ARRAYS, FRAMES
from napari_ptychonn.tasks.train import TrainTask


@pytest.fixture
def task(train_task):
    task = train_task(epochs=2)
    valid = np.ones((32, 32), bool)
    valid[3, 4] = False
    region = TrainingRegion.from_indices(task.scan, slice(2, 40))
    return replace(task, scan=replace(task.scan, valid=valid), region=region)


def test_a_folder_keeps_what_training_needs(task, tmp_path):
    assert task.save(tmp_path)
    back = TrainTask.load(tmp_path)
    assert (back.training, back.network, back.device) == (task.training, task.network, "cpu")
    assert back.resume is None
    assert back.scan.fingerprint == task.scan.fingerprint
    assert (back.scan.unit, back.scan.pixel_size) == (task.scan.unit, task.scan.pixel_size)
    assert back.scan.optics == task.scan.optics
    np.testing.assert_array_equal(back.scan.valid, task.scan.valid)
    np.testing.assert_array_equal(back.scan.positions, task.scan.positions)
    for name in ("train", "validation", "gap", "held_out"):
        np.testing.assert_array_equal(getattr(back.region, name), getattr(task.region, name))
    used = np.union1d(task.region.train, task.region.validation)
    np.testing.assert_array_equal(back.scan.read(used), task.scan.read(used))
    made, again = task.reconstruction, back.reconstruction
    np.testing.assert_array_equal(again.object, made.object)
    np.testing.assert_array_equal(again.probe, made.probe)
    assert (again.origin, again.algorithm, again.name) == (made.origin, made.algorithm, made.name)


def test_a_folder_keeps_the_model_to_resume(task, model, tmp_path):
    assert replace(task, resume=model).save(tmp_path)
    assert TrainTask.load(tmp_path).resume.history == model.history


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes there")
def test_frames_outside_the_region_take_no_disk_space(task, tmp_path):
    few = TrainingRegion.from_indices(task.scan, slice(0, 8))
    replace(task, region=few).save(tmp_path)
    file = tmp_path / FRAMES
    assert file.stat().st_size > task.scan.frames.nbytes
    assert file.stat().st_blocks * 512 < 0.5 * file.stat().st_size


def test_a_full_disk_is_an_input_error(task, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match="TMPDIR"):
        task.save(tmp_path)


def test_writing_frames_can_be_stopped(task, tmp_path):
    assert not task.save(tmp_path, lambda: True)


def test_a_folder_of_something_else_is_an_input_error(task, tmp_path):
    with pytest.raises(InputError) as caught:
        TrainTask.load(tmp_path)
    assert caught.value.file == tmp_path
    task.save(tmp_path)
    (tmp_path / ARRAYS).write_bytes(b"no arrays")
    with pytest.raises(InputError) as caught:
        TrainTask.load(tmp_path)
    assert caught.value.file == tmp_path
