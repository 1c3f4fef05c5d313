"""`napari-ptychonn train`: in one process and in several."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from napari_ptychonn.network.model import TrainedModel

TRAINED = "0:50"


def test_status_goes_to_stderr_and_the_summary_to_stdout(folder, tmp_path, run):
    model = tmp_path / "model.any"
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", model, "--epochs", "1")
    assert ended.code == 0
    assert ended.out.count("\n") == 1
    assert str(model) in ended.out
    assert "degraded truth" in ended.err  # which reconstruction
    assert "frames 0:50" in ended.err
    assert "40 held out" in ended.err
    assert "cpu" in ended.err or "cuda" in ended.err or "mps" in ended.err
    assert "\x1b" not in ended.err
    assert "%" not in ended.err


def test_a_model_records_frames_and_options(folder):
    model = TrainedModel.load(folder / "model")
    used = {i for part in ("train", "validation", "gap") for i in model.provenance[part]}
    assert used == set(range(50))
    assert model.provenance["training"]["steps"] == 2
    assert model.provenance["training"]["seed"] == 0


@pytest.fixture
def asked(monkeypatch):
    """Options of the training task, which trains nothing."""
    caught = {}

    def epochs(task, should_stop, team=None):
        caught.update(region=task.region, options=task.training, network=task.network)
        return iter(())

    monkeypatch.setattr("napari_ptychonn.tasks.train.TrainTask.epochs", epochs)
    return caught


@pytest.mark.parametrize("preset", ["paper", "paper-keras"])
def test_presets_of_the_paper(folder, tmp_path, asked, preset, run):
    ended = run(
        "train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m",
        "--preset", preset, "--seed", "3",
    )  # fmt: skip
    assert ended.code == 1
    assert asked["options"].epochs == 75
    assert asked["options"].schedule == "plateau"
    assert asked["options"].seed == 3
    assert asked["network"].normalisation == "none"
    assert len(asked["region"].gap) == 0  # random validation has none
    assert len(asked["region"].validation) == 5


def test_validation_can_be_chosen(folder, tmp_path, asked, run):
    common = ("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m")
    run(*common, "--validation", "random")
    assert np.diff(asked["region"].validation).max() > 1
    run(*common, "--preset", "paper", "--validation", "blocks", "--epochs", "4")
    np.testing.assert_array_equal(asked["region"].validation, np.arange(45, 50))
    assert asked["options"].epochs == 4


def test_resume_extends_the_history(folder, tmp_path, run):
    before = TrainedModel.load(folder / "model")
    ended = run(
        "train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "more",
        "--steps", "2", "--resume", folder / "model",
    )  # fmt: skip
    assert ended.code == 0
    after = TrainedModel.load(tmp_path / "more")
    assert len(after.history) > len(before.history)
    assert after.history[: len(before.history)] == before.history


def test_ctrl_c_keeps_the_best_model(folder, tmp_path, monkeypatch, run):
    def interrupted(epoch):
        signal.raise_signal(signal.SIGINT)
        return ""

    handler = signal.getsignal(signal.SIGINT)
    model = tmp_path / "model"
    # One epoch, the interrupt, one last epoch: a second signal would be final.
    monkeypatch.setattr(
        "napari_ptychonn.cli.train._format_epoch",
        lambda epoch: interrupted(epoch) if epoch.number == 1 else "",
    )
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", model, "--steps", "100000")
    assert ended.code == 0
    assert len(TrainedModel.load(model).history) == 2
    assert signal.getsignal(signal.SIGINT) is handler


def test_two_processes_train_one_model(folder, tmp_path, python):
    ended = python(
        "-m", "napari_ptychonn", "train", folder / "scan.h5", "--frames", TRAINED,
        "-o", tmp_path / "m", "--steps", "2", "--processes", "2", "--device", "cpu", "--progress",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"{tmp_path / 'm'}: 1 epoch, best validation")
    assert ended.stderr.count("reconstruction:") == 1, "only one of them reports"
    (epoch,) = map(json.loads, ended.stdout.splitlines())
    assert "on cpu" in epoch["messages"][0]
    assert "2 processes" in epoch["messages"][0]
    assert (epoch["step"], epoch["steps"], epoch["remaining"], epoch["saved"]) == (2, 2, 0, True)
    together, alone = TrainedModel.load(tmp_path / "m"), TrainedModel.load(folder / "model")
    losses = [model.history[0]["train_loss"] for model in (together, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_several_processes_report_a_missing_file_once(tmp_path, run):
    ended = run("train", tmp_path / "none.h5", "--frames", ":", "-o", tmp_path / "m",
                "--processes", "2")  # fmt: skip
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("none.h5") == 1


def test_torchrun_starts_processes_itself(folder, tmp_path, monkeypatch, run):
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m",
                "--processes", "2")  # fmt: skip
    assert ended.code == 1
    assert "omit --processes" in ended.err


def test_a_process_that_loses_the_others_exits_with_3(folder, tmp_path, monkeypatch, run):
    from napari_ptychonn.errors import LostProcessError

    def lost(*_arguments, **_options):
        raise LostProcessError("another process is gone.")

    monkeypatch.setattr("napari_ptychonn.tasks.train.TrainTask.epochs", lost)
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m")
    assert (ended.code, ended.err.splitlines()[-1]) == (3, "error: another process is gone.")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_terminal_sees_progress(folder, tmp_path):
    import pty

    primary, secondary = pty.openpty()
    command = [sys.executable, "-m", "napari_ptychonn", "train", str(folder / "scan.h5")]
    command += ["--frames", TRAINED, "-o", str(tmp_path / "m"), "--steps", "2"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=secondary, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(secondary)
        seen = b""
        try:
            while chunk := os.read(primary, 4096):
                seen += chunk
        except OSError:  # Linux ends a closed terminal with an error
            pass
        printed, _ = process.communicate(timeout=60)
    os.close(primary)
    assert process.returncode == 0
    assert b"training" in seen
    assert b"\x1b[" in seen
    assert b"\x1b" not in printed
