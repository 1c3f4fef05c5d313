"""One file into another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptychonn.cli.app import main
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction, read_scan, write_reconstruction
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.network.ptychonn import PtychoNN
from napari_ptychonn.tasks.convert import convert


@pytest.fixture
def scan(toy, tmp_path):
    return write_scan(tmp_path / "scan.h5", toy.scan, toy.reconstruction)


@pytest.fixture
def weights(tmp_path):
    """A state dict with the names of the published notebook."""
    names = {"amplitude": "decoder1", "phase": "decoder2", "encoder": "encoder"}
    state = {}
    for name, value in PtychoNN(NetworkOptions.preset("paper")).state_dict().items():
        part, _, rest = name.partition(".")
        if part in names:
            state[f"{names[part]}.{rest}"] = value
    torch.save(state, tmp_path / "best_model.pth")
    return tmp_path / "best_model.pth"


@pytest.mark.parametrize("ending", [".cxi", ".nxs", ".ptyr", ".npz"])
def test_a_reconstruction_in_another_form(ending, toy, tmp_path):
    source = tmp_path / "object.h5"
    write_reconstruction(source, replace(toy.reconstruction, name="star"))
    (written,) = convert(str(source), tmp_path / f"object{ending}")
    back = read_reconstruction(written)
    np.testing.assert_allclose(back.object, toy.reconstruction.object, atol=1e-6)
    assert back.origin == pytest.approx(toy.reconstruction.origin)


def test_training_data_from_the_command_line(scan, toy, tmp_path, capsys):
    output = tmp_path / "training.h5"
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(scan), "--scan", str(scan), "-o", str(output)])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == str(output)
    assert len(read_scan(output)) == len(toy.scan)


def test_published_weights_become_a_model(scan, weights, tmp_path):
    (written,) = convert(str(weights), tmp_path / "model", scan=str(scan))
    model = TrainedModel.load(written)
    predicted = next(iter(model.predict(read_scan(scan), np.arange(2), device="cpu")))
    assert predicted.amplitude.shape == (2, 64, 64)


def test_weights_without_a_scan(weights, tmp_path):
    with pytest.raises(InputError, match="give the scan"):
        convert(str(weights), tmp_path / "model")


def test_a_model_becomes_onnx_and_nothing_else(scan, weights, tmp_path):
    (model,) = convert(str(weights), tmp_path / "model", scan=str(scan))
    with pytest.raises(InputError, match="written as ONNX"):
        convert(str(model), tmp_path / "model.h5")


def test_the_source_is_not_overwritten(scan):
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(scan), "-o", str(scan)])
    assert ended.value.code == 1
