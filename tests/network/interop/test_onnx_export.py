"""A network for programs that run ONNX, where the packages for it are installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_ptychonn.errors import InputError
from napari_ptychonn.network.interop.onnx_export import write_onnx
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.ptychonn import PtychoNN
from napari_ptychonn.stitching.mosaic import window_weight


def model(options: NetworkOptions) -> TrainedModel:
    torch.manual_seed(0)
    return TrainedModel(
        options=options,
        preprocessing=Preprocessing(
            frame_shape=(64, 64), window=(0, 0, 64, 64), bin=1, scaling="sqrt"
        ),
        state=PtychoNN(options).state_dict(),
        pixel_size=(1.0, 1.0),
        unit="pixel",
        weight=window_weight((64, 64)),
    )


def test_without_the_packages_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"napari-ptychonn\[onnx\]"):
        write_onnx(tmp_path / "a.onnx", model(NetworkOptions.preset("paper")))


@pytest.mark.parametrize("preset", ["paper", "paper-keras"])
def test_it_computes_the_same(preset: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    made = model(NetworkOptions.preset(preset))  # type: ignore[arg-type]
    write_onnx(tmp_path / "a.onnx", made)
    session = runtime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    frames = np.random.default_rng(0).random((5, 1, 64, 64), np.float32)
    amplitude, phase = session.run(["amplitude", "phase"], {"frames": frames})
    with torch.no_grad():
        expected = made.network()(torch.from_numpy(frames))
    np.testing.assert_allclose(amplitude, expected[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(phase, expected[1].numpy(), atol=1e-5)
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["preparation"])["scaling"] == "sqrt"
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]


def test_a_network_with_a_beam_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(InputError, match="Fourier transform"):
        write_onnx(tmp_path / "a.onnx", model(NetworkOptions()))
