"""`napari-ptychonn pretrain`, and its former name."""

from dataclasses import replace

import pytest

from napari_ptychonn.io import read_reconstruction, write_reconstruction
from napari_ptychonn.network.model import TrainedModel

TRAINED = "0:50"


def test_training_resumes_a_pretrained_model(folder, tmp_path, run):
    few = ("--points", "16", "--steps", "2", "--seed", "3")
    ended = run("pretrain", folder / "scan.h5", "-o", tmp_path / "m", *few, "--phase", "-2")
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"{tmp_path / 'm'}: 1 epoch")
    assert "probe: that of degraded truth" in ended.err
    pretrained = TrainedModel.load(tmp_path / "m")
    assert pretrained.provenance["training"]["steps"] == 2
    assert pretrained.provenance["training"]["seed"] == 3
    assert -2 < float(pretrained.state["label_mean"][1]) < 0
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "more",
                "--steps", "2", "--resume", tmp_path / "m")  # fmt: skip
    assert ended.code == 0, ended.err
    model = TrainedModel.load(tmp_path / "more")
    assert len(model.history) == 2
    assert model.provenance["scan"] != pretrained.provenance["scan"]


def test_the_probe_can_come_from_a_reconstruction(folder, tmp_path, run):
    few = ("-o", tmp_path / "m", "--points", "16", "--steps", "1")
    ended = run("pretrain", folder / "model", *few)
    assert (ended.code, ended.out) == (1, "")
    assert "model" in ended.err

    made = read_reconstruction(folder / "scan.h5")
    write_reconstruction(tmp_path / "OBJ.h5", made)
    assert run("pretrain", tmp_path / "OBJ.h5", *few).code == 0
    model = TrainedModel.load(tmp_path / "m")
    assert model.probe.shape == made.probe.shape
    write_reconstruction(tmp_path / "bare.h5", replace(made, probe=None))
    ended = run("pretrain", tmp_path / "bare.h5", *few)
    assert ended.code == 1
    assert "probe" in ended.err
    for wrong in (("--amplitude", "0"), ("--points", "1")):
        assert run("pretrain", folder / "scan.h5", *few, *wrong).code == 2


def test_practise_is_a_hidden_deprecated_alias(folder, tmp_path, run):
    options = ("--points", "16", "--steps", "1", "--seed", "3")
    models = {}
    for command in ("pretrain", "practise"):
        ended = run(command, folder / "scan.h5", "-o", tmp_path / command, *options)
        assert ended.code == 0, ended.err
        assert ended.err.count("DeprecationWarning") == (command == "practise")
        models[command] = TrainedModel.load(tmp_path / command)
    losses = [m.history[0]["train_loss"] for m in models.values()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    listed = run("--help").out
    assert "pretrain" in listed
    assert "practise" not in listed
