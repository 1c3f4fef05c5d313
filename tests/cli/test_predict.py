"""`napari-ptychonn predict`."""

import signal

import numpy as np

from napari_ptychonn.io import read_result
from napari_ptychonn.network.model import TrainedModel

N = 90


def in_small_batches(monkeypatch):
    predict = TrainedModel.predict
    monkeypatch.setattr(
        TrainedModel, "predict", lambda *a, **k: predict(*a, **{**k, "batch_size": 30})
    )


def test_ctrl_c_writes_what_is_predicted(folder, tmp_path, monkeypatch, run):
    in_small_batches(monkeypatch)
    monkeypatch.setattr(
        "napari_ptychonn.cli.predict.progress_tracker",
        lambda _: lambda *_: signal.raise_signal(signal.SIGINT),
    )
    handler = signal.getsignal(signal.SIGINT)
    ended = run("predict", folder / "scan.h5", "--model", folder / "model", "-o", tmp_path / "R")
    assert ended.code == 130
    assert f"30 of {N} frames" in ended.err
    written = read_result(tmp_path / "R")
    np.testing.assert_array_equal(written.predictions.indices, np.arange(30))
    assert np.isfinite(written.mosaic.phase).any()
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_prediction_stopped_at_once_writes_nothing(folder, tmp_path, monkeypatch, run):
    monkeypatch.setattr(TrainedModel, "predict", lambda *_, **__: iter(()))
    ended = run("predict", folder / "scan.h5", "--model", folder / "model", "-o", tmp_path / "R")
    assert ended.code == 130
    assert not list(tmp_path.iterdir())


def test_predict_writes_every_frame(folder):
    result = read_result(folder / "RESULT.h5")
    np.testing.assert_array_equal(np.sort(result.predictions.indices), np.arange(N))
    np.testing.assert_array_equal(result.held_out, np.arange(50, N))


def test_predict_some_frames(folder, tmp_path, run):
    ended = run(
        "predict", folder / "scan.h5", "--model", folder / "model",
        "-o", tmp_path / "R", "--frames", "-6::2",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.out.startswith(f"{tmp_path / 'R'}: 3 frames")
    assert "predicting on" in ended.err
    assert read_result(tmp_path / "R").uncertainty.sentence in ended.err
    np.testing.assert_array_equal(read_result(tmp_path / "R").predictions.indices, [84, 86, 88])


def test_a_file_that_is_no_model_is_named(folder, tmp_path, run):
    ended = run("predict", folder / "scan.h5", "--model", folder / "scan.h5", "-o", tmp_path / "R")
    assert ended.code == 1
    assert ended.err.startswith("error: ")
    assert "scan.h5" in ended.err
