from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

from napari_ptychonn.network.inference import precision
from napari_ptychonn.network.inference.precision import (
    Trial,
    compare_precisions,
    fastest_accurate,
    native_precisions,
    tf32_mode,
)


def test_the_fastest_that_is_exact_enough_is_taken():
    trials = (
        Trial(precision="float32", error=0.0, seconds=3e-4),
        Trial(precision="bfloat16", error=4e-3, seconds=2e-4),
        Trial(precision="float16", error=float("nan"), seconds=1e-4),
    )
    assert fastest_accurate(trials).precision == "bfloat16"
    assert fastest_accurate(trials[:1]).precision == "float32"
    worse = Trial(precision="bfloat16", error=2e-2, seconds=2e-4)
    assert fastest_accurate((trials[0], worse)).precision == "float32"


def test_float32_is_always_there():
    assert native_precisions("cpu")[0] == "float32"
    assert native_precisions("mps") == ("float32",)


def test_the_error_is_relative_to_what_varies(monkeypatch):
    monkeypatch.setattr(precision, "native_precisions", lambda device: ("float32", "bfloat16"))
    varying = torch.tensor([[[1.0, 3.0]]])

    def make(kind):
        off = 0.1 if kind == "bfloat16" else 0.0
        return lambda frames: (varying + off, 100 + varying, None)

    exact, rough = compare_precisions(make, "cpu", torch.zeros(1, 1, 1, 2))
    assert (exact.precision, exact.error) == ("float32", 0.0)
    assert rough.error == pytest.approx(0.1 / float(varying.std()), rel=1e-5)


@pytest.fixture
def cudnn(monkeypatch):
    flags = SimpleNamespace(allow_tf32=True)
    monkeypatch.setattr(precision.torch.backends, "cudnn", flags)
    return flags


def test_tf32_is_switched_only_while_a_prediction_runs(cudnn):
    with tf32_mode("float32", "cuda"):
        assert cudnn.allow_tf32 is False
        with tf32_mode("float32", "cuda"):  # as from another thread
            pass
        assert cudnn.allow_tf32 is False
    assert cudnn.allow_tf32 is True
    for kind, device in (("float32", "cpu"), ("float16", "cuda")):
        with tf32_mode(kind, device):
            assert cudnn.allow_tf32 is True


def test_a_prediction_in_float32_does_not_run_beside_one_in_tf32(cudnn):
    seen = []

    def predict(kind):
        with tf32_mode(kind, "cuda"):
            seen.append((kind, cudnn.allow_tf32))

    with ThreadPoolExecutor(1) as pool:
        with tf32_mode("tf32", "cuda"):
            waiting = pool.submit(predict, "float32")
            predict("tf32")
            assert not waiting.done()
        waiting.result(60)
    assert seen == [("tf32", True), ("float32", False)]
    assert cudnn.allow_tf32 is True
