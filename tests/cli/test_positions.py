"""`--positions FILE[::DATASET]`, wherever a scan is given."""

import json

import h5py
import numpy as np
import pytest

from napari_ptychonn.io import (
    read_result,
    read_scan,
)

N = 90
TRAINED = "0:50"


class TestPositionsOfAnotherFile:
    """`--positions FILE[::DATASET]`, wherever a scan is given."""

    @pytest.fixture
    def stage(self, folder, tmp_path):
        with h5py.File(tmp_path / "stage.h5", "w") as file:
            places = read_scan(folder / "scan.h5").positions
            file["laser/pos_um"] = places * 1e6 + 3.0
            file["short"] = places[:50]
        return tmp_path / "stage.h5"

    def test_info(self, folder, stage, run):
        told = run("info", folder / "scan.h5", "--positions", f"{stage}::laser/pos_um", "--json")
        assert told.code == 0
        told = json.loads(told.out)
        assert "Positions come from stage.h5, as chosen." in told["notes"]
        assert told["positions"] == N

    def test_train_predict_and_convert(self, folder, stage, tmp_path, run):
        scan, model, result = folder / "scan.h5", tmp_path / "model", tmp_path / "RESULT.h5"
        option = ("--positions", f"{stage}::/laser/pos_um")
        trained = run("train", scan, "--frames", TRAINED, "-o", model, "--steps", "2", *option)
        assert trained.code == 0, trained.err
        predicted = run("predict", scan, "--model", model, "-o", result, *option)
        assert predicted.code == 0, predicted.err
        places = read_scan(scan, positions=option[1]).positions
        moved = read_result(result).positions - places
        assert np.ptp(moved, axis=0).max() < 1e-12
        made = tmp_path / "training.h5"
        assert run("convert", scan, "--scan", scan, "-o", made, *option).code == 0
        written = read_scan(made).positions - places
        assert np.ptp(written, axis=0).max() < 1e-12, "training data count from the object's corner"

    @pytest.mark.parametrize("command", ["info", "predict", "reconstruct", "train"])
    def test_too_few_are_one_sentence(self, folder, stage, tmp_path, command, run):
        options = {
            "info": (),
            "predict": ("--model", folder / "model", "-o", tmp_path / "out"),
            "reconstruct": ("-o", tmp_path / "out"),
            "train": ("--frames", "0:50", "-o", tmp_path / "out"),
        }[command]
        if command == "reconstruct":
            pytest.importorskip("ptychi")
        told = run(command, folder / "scan.h5", *options, "--positions", f"{stage}::short")
        assert told.code == 1
        assert told.err == (
            f"error: {stage}: has 50 positions, which are not those of the {N} frames of scan.h5.\n"
        )
        assert not (tmp_path / "out").exists()

    def test_what_has_no_frames_cannot_be_placed(self, folder, stage, run):
        for name in ("RESULT.h5", "model"):
            told = run("info", folder / name, "--positions", stage)
            assert told.code == 1
            assert "holds no frames that stage.h5 could place" in told.err

    def test_without_a_scan_there_is_nothing_to_place(self, folder, stage, tmp_path, run):
        told = run("convert", folder / "RESULT.h5", "-o", tmp_path / "a.cxi", "--positions", stage)
        assert told.code == 1
        assert "give the scan, too" in told.err
