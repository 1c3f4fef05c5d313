import json

import pytest

from napari_ptychonn.network.inference import batch_autotune as pace
from napari_ptychonn.network.inference.predictor import Predictor
from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.network.ptychonn import PtychoNN
from napari_ptychonn.optics.far_field import FarField


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "cache" / "pace.json"
    monkeypatch.setattr(pace, "pace_file", lambda: path)
    return path


@pytest.fixture(scope="module")
def predictor():
    options = NetworkOptions(size=16, width=4, refinements=0)
    return Predictor(PtychoNN(options, FarField.blank((1, 16, 16))))


def test_a_few_frames_are_not_worth_measuring(file, predictor):
    assert pace.batch_size(predictor, (16, 16), 100) == pace.ON_CPU[1]
    assert not file.exists()


def test_what_was_measured_is_remembered(file, predictor, monkeypatch):
    measured = []

    def seconds(predictor, frame_shape, size):
        measured.append(size)
        return {16: 2.0, 32: 3.0, 64: 1.0}[size]

    monkeypatch.setattr(pace, "_seconds", seconds)
    assert pace.batch_size(predictor, (16, 16), pace.ENOUGH) == 64
    assert pace.batch_size(predictor, (16, 16), 10) == 64
    assert measured == list(pace.ON_CPU)
    assert list(json.loads(file.read_text()).values()) == [64]


def test_measuring_really_predicts(file, predictor, monkeypatch):
    monkeypatch.setattr(pace, "ON_CPU", (2, 3))
    monkeypatch.setattr(pace, "ENOUGH", 1)
    assert pace.batch_size(predictor, (16, 16), 1) in (2, 3)
    assert next(iter(json.loads(file.read_text()).values())) in (2, 3)


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"a": 1}'])
def test_a_damaged_file_is_measured_anew(file, predictor, content, monkeypatch):
    monkeypatch.setattr(pace, "_seconds", lambda predictor, shape, size: size)
    file.parent.mkdir()
    file.write_text(content)
    assert pace.batch_size(predictor, (16, 16), pace.ENOUGH) == 16


def test_a_value_that_makes_no_sense_is_not_believed(file, predictor, monkeypatch):
    monkeypatch.setattr(pace, "_seconds", lambda predictor, shape, size: size)
    pace.batch_size(predictor, (16, 16), pace.ENOUGH)
    key = next(iter(json.loads(file.read_text())))
    file.write_text(json.dumps({key: 10**9}))
    assert pace.batch_size(predictor, (16, 16), 10) == pace.ON_CPU[1]


def test_a_folder_that_cannot_be_written_is_no_error(predictor, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(pace, "pace_file", lambda: tmp_path / "file" / "pace.json")
    monkeypatch.setattr(pace, "_seconds", lambda predictor, shape, size: size)
    assert pace.batch_size(predictor, (16, 16), pace.ENOUGH) == 16
