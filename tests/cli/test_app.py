"""The contract that scripts rely on: exit codes, what is on stdout, and what is not."""

import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import typer

from napari_ptychonn.cli import app as cli
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.cli.options import parse_frames
from napari_ptychonn.io import read_result, read_scan, write_result
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.simulation.scan import simulate_scan

N = 90
TRAINED = "0:50"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scan of 10 x 9 points, a model trained on 50 of them for a moment, and its result."""
    folder = tmp_path_factory.mktemp("cli")
    write_scan(folder / "scan.h5", *simulate_scan((10, 9), photons=1e5))
    here = [str(folder / name) for name in ("scan.h5", "model", "RESULT.h5")]
    assert run("train", here[0], "--frames", TRAINED, "-o", here[1], "--steps", "2").code == 0
    assert run("predict", here[0], "--model", here[1], "-o", here[2]).code == 0
    return folder


def run(*arguments):
    """Run the command line in this process."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(a) for a in arguments])
        except SystemExit as end:
            code = end.code or 0
    return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue())


def python(*arguments, **options):
    """Run a real process."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:387", slice(0, 387)),
        ("0:387:2", slice(0, 387, 2)),
        (":", slice(None)),
        ("-10:", slice(-10, None)),
        ("::-1", slice(None, None, -1)),
    ],
)
def test_frames_are_python_slices(text, expected):
    assert parse_frames(text) == expected


@pytest.mark.parametrize("text", ["", "5", "a:b", "1:2:3:4", "0:9:0", "1.5:3"])
def test_what_is_no_slice_is_wrong_usage(text):
    with pytest.raises(typer.BadParameter, match="expected A:B or A:B:K"):
        parse_frames(text)


def test_version():
    assert run("--version").out.startswith("napari-ptychonn ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "x.h5", "-o", "m"),
        ("train", "x.h5", "--frames", "5", "-o", "m"),
        ("train", "x.h5", "--frames", "0:5", "-o", "m", "--preset", "best"),
        ("train", "x.h5", "--frames", "0:5", "-o", "m", "--epochs", "1", "--steps", "9"),
        ("train", "x.h5", "--frames", "0:5", "-o", "m", "--epochs", "0"),
        ("predict", "x.h5"),
        ("reconstruct", "x.h5"),  # no -o
    ],
)
def test_wrong_usage_exits_with_2(arguments):
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err


def test_a_missing_file_is_one_sentence_and_exit_code_1(tmp_path):
    ended = python("-m", "napari_ptychonn", "info", tmp_path / "nothing.h5")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert "nothing.h5" in ended.stderr


def test_names_may_be_relative_to_where_the_user_is(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for arguments in (
        ("info", "scan.h5"),
        ("predict", "scan.h5", "--model", "model", "--frames", "0:9", "-o", "few.h5"),
        ("compare", "few.h5", "--reconstruction", "scan.h5"),
    ):
        ended = run(*arguments)
        assert ended.code == 0, ended.err
    (folder / "few.h5").unlink()


def test_help_and_info_import_no_torch_and_no_qt(folder):
    program = (
        "import sys\n"
        "from napari_ptychonn.cli.app import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code\n"
        "print({'torch', 'qtpy', 'napari', 'matplotlib'} & set(sys.modules), file=sys.stderr)"
    )
    for arguments in (["--help"], ["train", "--help"], ["info", folder / "scan.h5"]):
        ended = python("-c", program, *arguments)
        assert ended.stderr.strip().endswith("set()"), ended.stderr


def test_info_for_a_person(folder):
    ended = run("info", folder / "scan.h5")
    assert ended.code == 0
    assert "90" in ended.out
    assert "degraded_truth" in ended.out


def test_info_of_a_model_counts_long_lists(folder):
    ended = run("info", folder / "model")
    assert ended.code == 0
    assert "entries" in ended.out
    assert max(map(len, ended.out.splitlines())) < 300


def test_info_as_json_is_one_object(folder):
    for name in ("scan.h5", "model", "RESULT.h5"):
        ended = run("info", folder / name, "--json")
        assert ended.code == 0
        assert isinstance(json.loads(ended.out), dict)


def test_train_says_what_it_does_on_stderr_only(folder, tmp_path):
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


def test_train_records_what_it_was_asked_for(folder):
    model = TrainedModel.load(folder / "model")
    used = {i for part in ("train", "validation", "gap") for i in model.provenance[part]}
    assert used == set(range(50))
    assert model.provenance["training"]["steps"] == 2
    assert model.provenance["training"]["seed"] == 0


@pytest.fixture
def asked(monkeypatch):
    """Catch what the training is asked for, and train nothing."""
    caught = {}

    def train(scan, reconstruction, region, options, network, **others):
        caught.update(others, region=region, options=options, network=network)
        return iter(())

    monkeypatch.setattr("napari_ptychonn.network.training.epochs.train", train)
    return caught


@pytest.mark.parametrize("preset", ["paper", "paper-keras"])
def test_the_papers_presets(folder, tmp_path, asked, preset):
    ended = run(
        "train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m",
        "--preset", preset, "--seed", "3",
    )  # fmt: skip
    assert "stopped before there was any model" in ended.err
    assert ended.code == 1
    assert asked["options"].epochs == 75
    assert asked["options"].schedule == "plateau"
    assert asked["options"].seed == 3
    assert asked["network"].normalisation == "none"
    assert len(asked["region"].gap) == 0  # random validation has none
    assert len(asked["region"].validation) == 5


def test_validation_can_be_chosen(folder, tmp_path, asked):
    common = ("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m")
    run(*common, "--validation", "random")
    assert np.diff(asked["region"].validation).max() > 1
    run(*common, "--preset", "paper", "--validation", "blocks", "--epochs", "4")
    np.testing.assert_array_equal(asked["region"].validation, np.arange(45, 50))
    assert asked["options"].epochs == 4


def test_train_goes_on(folder, tmp_path):
    before = TrainedModel.load(folder / "model")
    ended = run(
        "train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "more",
        "--steps", "2", "--resume", folder / "model",
    )  # fmt: skip
    assert ended.code == 0
    after = TrainedModel.load(tmp_path / "more")
    assert len(after.history) > len(before.history)
    assert after.history[: len(before.history)] == before.history


def test_ctrl_c_keeps_the_best_model(folder, tmp_path, monkeypatch):
    def interrupted(epoch):
        signal.raise_signal(signal.SIGINT)
        return ""

    monkeypatch.setattr("napari_ptychonn.cli.train._told_epoch", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    model = tmp_path / "model"
    # One epoch, the interrupt, one last epoch: a second signal would be final.
    monkeypatch.setattr(
        "napari_ptychonn.cli.train._told_epoch",
        lambda epoch: interrupted(epoch) if epoch.number == 1 else "",
    )
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", model, "--steps", "100000")
    assert ended.code == 0
    assert "stopping" in ended.err
    assert TrainedModel.load(model).history
    assert signal.getsignal(signal.SIGINT) is handler


def test_practice_needs_no_reconstruction_of_the_sample_and_training_goes_on(folder, tmp_path):
    few = ("--points", "16", "--steps", "2", "--seed", "3")
    ended = run("practise", folder / "scan.h5", "-o", tmp_path / "m", *few, "--phase", "-2")
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"{tmp_path / 'm'}: 1 epochs")
    assert "made-up samples" in ended.err
    assert "beam: the probe of degraded truth" in ended.err
    practised = TrainedModel.load(tmp_path / "m")
    assert practised.provenance["training"]["steps"] == 2
    assert practised.provenance["training"]["seed"] == 3
    assert -2 < float(practised.state["label_mean"][1]) < 0
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "more",
                "--steps", "2", "--resume", tmp_path / "m")  # fmt: skip
    assert ended.code == 0, ended.err
    model = TrainedModel.load(tmp_path / "more")
    assert len(model.history) == 2
    assert model.provenance["scan"] != practised.provenance["scan"]


def test_practice_takes_its_beam_from_a_reconstruction_too(folder, tmp_path):
    few = ("-o", tmp_path / "m", "--points", "16", "--steps", "1")
    ended = run("practise", folder / "model", *few)
    assert (ended.code, ended.out) == (1, "")
    assert "model" in ended.err
    from napari_ptychonn.io import read_reconstruction, write_reconstruction

    made = read_reconstruction(folder / "scan.h5")
    write_reconstruction(tmp_path / "OBJ.h5", made)
    assert run("practise", tmp_path / "OBJ.h5", *few).code == 0
    model = TrainedModel.load(tmp_path / "m")
    assert model.probe.shape == made.probe.shape
    write_reconstruction(tmp_path / "bare.h5", replace(made, probe=None))
    ended = run("practise", tmp_path / "bare.h5", *few)
    assert ended.code == 1
    assert "needs a probe" in ended.err
    for wrong in (("--amplitude", "0"), ("--points", "1")):
        assert run("practise", folder / "scan.h5", *few, *wrong).code == 2


def test_two_processes_train_one_model(folder, tmp_path):
    ended = python(
        "-m", "napari_ptychonn", "train", folder / "scan.h5", "--frames", TRAINED,
        "-o", tmp_path / "m", "--steps", "2", "--processes", "2", "--device", "cpu", "--progress",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"{tmp_path / 'm'}: 1 epochs, best validation")
    assert ended.stderr.count("reconstruction:") == 1, "one of them speaks"
    (epoch,) = map(json.loads, ended.stdout.splitlines())
    assert epoch["messages"][0] == "training on cpu: as asked, 2 processes together"
    assert (epoch["step"], epoch["steps"], epoch["remaining"], epoch["saved"]) == (2, 2, 0, True)
    together, alone = TrainedModel.load(tmp_path / "m"), TrainedModel.load(folder / "model")
    losses = [model.history[0]["train_loss"] for model in (together, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_what_several_processes_cannot_read_is_said_once(tmp_path):
    ended = run("train", tmp_path / "none.h5", "--frames", ":", "-o", tmp_path / "m",
                "--processes", "2")  # fmt: skip
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("none.h5") == 1


def test_torchrun_starts_processes_itself(folder, tmp_path, monkeypatch):
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m",
                "--processes", "2")  # fmt: skip
    assert ended.code == 1
    assert "omit --processes" in ended.err


def test_one_that_loses_the_others_says_so_by_its_exit_code(folder, tmp_path, monkeypatch):
    from napari_ptychonn.errors import LostProcessError

    def lost(*_arguments, **_options):
        raise LostProcessError("another process is gone.")

    monkeypatch.setattr("napari_ptychonn.network.training.epochs.train", lost)
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m")
    assert (ended.code, ended.err.splitlines()[-1]) == (3, "error: another process is gone.")


def test_a_failure_in_mid_training_keeps_the_model(folder, tmp_path, monkeypatch):
    def fail(epoch):
        raise RuntimeError("the GPU fell off the bus\nand more")

    monkeypatch.setattr("napari_ptychonn.cli.train._told_epoch", fail)
    monkeypatch.setattr("platformdirs.user_log_path", lambda *a, **k: tmp_path / "logs")
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m")
    assert ended.code == 1
    assert "error: RuntimeError: the GPU fell off the bus (" in ended.err
    assert "Traceback" not in ended.err
    log = tmp_path / "logs" / "napari-ptychonn.log"
    assert str(log) in ended.err
    assert "Traceback" in log.read_text(encoding="utf-8")
    TrainedModel.load(tmp_path / "m")


def in_small_batches(monkeypatch):
    predict = TrainedModel.predict
    monkeypatch.setattr(
        TrainedModel, "predict", lambda *a, **k: predict(*a, **{**k, "batch_size": 30})
    )


def test_ctrl_c_writes_what_is_predicted(folder, tmp_path, monkeypatch):
    in_small_batches(monkeypatch)
    monkeypatch.setattr(cli, "tracker", lambda _: lambda *_: signal.raise_signal(signal.SIGINT))
    handler = signal.getsignal(signal.SIGINT)
    ended = run("predict", folder / "scan.h5", "--model", folder / "model", "-o", tmp_path / "R")
    assert ended.code == 130
    assert f"stopped as asked: 30 of {N} frames are predicted" in ended.err
    written = read_result(tmp_path / "R")
    np.testing.assert_array_equal(written.predictions.indices, np.arange(30))
    assert np.isfinite(written.mosaic.phase).any()
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_prediction_stopped_at_once_writes_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(TrainedModel, "predict", lambda *_, **__: iter(()))
    ended = run("predict", folder / "scan.h5", "--model", folder / "model", "-o", tmp_path / "R")
    assert ended.code == 130
    assert "stopped before anything was predicted" in ended.err
    assert not list(tmp_path.iterdir())


def test_predict_writes_every_frame(folder):
    result = read_result(folder / "RESULT.h5")
    np.testing.assert_array_equal(np.sort(result.predictions.indices), np.arange(N))
    np.testing.assert_array_equal(result.held_out, np.arange(50, N))


def test_predict_some_frames(folder, tmp_path):
    ended = run(
        "predict", folder / "scan.h5", "--model", folder / "model",
        "-o", tmp_path / "R", "--frames", "-6::2",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.out.startswith(f"{tmp_path / 'R'}: 3 frames")
    assert "predicting on" in ended.err
    assert read_result(tmp_path / "R").uncertainty.sentence in ended.err
    np.testing.assert_array_equal(read_result(tmp_path / "R").predictions.indices, [84, 86, 88])


def test_compare_takes_the_held_out_frames(folder):
    ended = run("compare", folder / "RESULT.h5", "--reconstruction", folder / "scan.h5", "--json")
    assert ended.code == 0
    report = json.loads(ended.out)
    assert report["selection"] == "held out"
    assert report["frames"] == 40
    assert 0 < report["single_shot"]["phase_mae"] < 3.2
    assert "constant_phase_mae" in report["single_shot"]


def test_compare_takes_all_frames_of_another_scan(folder, tmp_path):
    write_result(tmp_path / "R", replace(read_result(folder / "RESULT.h5"), held_out=None))
    ended = run("compare", tmp_path / "R", "--reconstruction", folder / "scan.h5", "--json")
    assert json.loads(ended.out)["selection"] == "all"
    assert json.loads(ended.out)["frames"] == N


def test_compare_takes_the_frames_asked_for(folder):
    common = ("compare", folder / "RESULT.h5", "--reconstruction", folder / "scan.h5")
    ended = run(*common, "--frames", "10:20", "--json")
    assert json.loads(ended.out)["frames"] == 10
    assert run(*common, "--frames", "95:").code == 1


def test_compare_for_a_person(folder):
    ended = run(
        "compare", folder / "RESULT.h5", "--reconstruction", f"{folder}/scan.h5::/degraded_truth"
    )
    assert ended.code == 0
    assert "40 frames (held out)" in ended.out
    assert "mosaic" in ended.out
    assert "resolution (1/2 bit)" in ended.out
    assert "reconstruction: degraded truth (simulated truth" in ended.err


def test_comparing_the_labels_themselves_gives_nothing_to_complain_about(folder, tmp_path):
    """The whole way through files: positions, units and half pixels must all agree."""
    from napari_ptychonn.data.patches import cut_patches
    from napari_ptychonn.io import read_reconstruction, read_scan

    scan = read_scan(folder / "scan.h5")
    placed, positions = read_reconstruction(folder / "scan.h5").align_to(scan)
    result = read_result(folder / "RESULT.h5")
    perfect = cut_patches(placed, positions, result.predictions.indices)
    write_result(tmp_path / "R", replace(result, predictions=perfect))
    ended = run("compare", tmp_path / "R", "--reconstruction", folder / "scan.h5", "--json")
    report = json.loads(ended.out)["single_shot"]
    assert report["phase_mae"] < 1e-4
    assert report["amplitude_mae"] < 1e-4
    assert report["phase_correlation"] > 0.9999


def test_compare_writes_figures_and_tables(folder, tmp_path):
    files = [tmp_path / name for name in ("c.png", "c.csv", "c.json")]
    options = [option for file in files for option in ("-o", file)]
    ended = run(
        "compare", folder / "RESULT.h5", "--reconstruction", folder / "scan.h5",
        *options, "--line", "0,-50:0,50", "--json",
    )  # fmt: skip
    assert ended.code == 0
    assert all(f"wrote {file}" in ended.err for file in files)
    assert files[0].read_bytes().startswith(b"\x89PNG")
    report, written = json.loads(ended.out), json.loads(files[2].read_text(encoding="utf-8"))
    assert report["mosaic"] == written["mosaic"]
    assert report["speed_up"] is None, "the truth was not computed here"
    assert "ring_correlation" not in report, "curves go to files"
    assert np.allclose(written["profile"]["line"], [[0.0, -5e-8], [0.0, 5e-8]])
    assert files[1].read_text(encoding="utf-8").startswith("quantity,at,value")


def test_compare_tells_the_speed_up_where_both_times_are_known(folder, tmp_path):
    from napari_ptychonn.io import read_reconstruction, write_reconstruction

    assert read_result(folder / "RESULT.h5").seconds > 0, "measured by predict"
    made = read_reconstruction(folder / "scan.h5")
    timed = replace(made, seconds=30.0, iterations=20, algorithm="ePIE")
    write_reconstruction(tmp_path / "OBJ.h5", timed)
    common = ("compare", folder / "RESULT.h5", "--reconstruction", tmp_path / "OBJ.h5")
    speed = json.loads(run(*common, "--json").out)["speed_up"]
    assert speed["scaled_seconds"] == pytest.approx(600)
    assert speed["factor"] == pytest.approx(600 / speed["prediction_seconds"])
    assert "scaled from 20 iterations measured in 30 s" in run(*common).out


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("-o", "c.txt"), 1, "expected a name that ends in"),
        (("-o", "no/such/c.png"), 1, "does not exist"),
        (("--line", "0,0"), 2, "expected Y0,X0:Y1,X1"),
        (("-o", "c.csv", "--line", "9e9,0:9e9,1"), 1, "does not touch"),
    ],
)
def test_bad_exports_are_refused(folder, tmp_path, monkeypatch, options, code, sentence):
    monkeypatch.chdir(tmp_path)
    ended = run("compare", folder / "RESULT.h5", "--reconstruction", folder / "scan.h5", *options)
    assert ended.code == code
    assert sentence in ended.err
    assert ended.out == ""
    assert not list(tmp_path.iterdir())


def test_frames_off_the_object_are_counted(folder, tmp_path):
    from napari_ptychonn.io import read_reconstruction, read_scan

    scan = read_scan(folder / "scan.h5")
    whole = read_reconstruction(folder / "scan.h5")
    cut = replace(whole, object=whole.object[:-6])
    write_scan(tmp_path / "cut.h5", scan, cut)
    ended = run("compare", folder / "RESULT.h5", "--reconstruction", tmp_path / "cut.h5", "--json")
    report = json.loads(ended.out)
    assert report["left_out"] == 9
    assert report["frames"] == 31
    assert "9 of 40 frames are left out" in ended.err


@pytest.mark.parametrize(
    ("name", "sentence"), [("scan.h5", "is the input"), ("no/such/m", "does not exist")]
)
def test_bad_outputs_are_refused_before_any_work(folder, name, sentence):
    before = (folder / "scan.h5").read_bytes()
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", folder / name)
    assert ended.code == 1
    assert sentence in ended.err
    assert (folder / "scan.h5").read_bytes() == before


def test_a_slice_of_nothing_is_an_error(folder, tmp_path):
    ended = run(
        "predict", folder / "scan.h5", "--model", folder / "model", "-o", tmp_path / "R",
        "--frames", "200:300",
    )  # fmt: skip
    assert ended.code == 1
    assert "selects none of the 90 frames" in ended.err


def test_a_model_that_is_none(folder, tmp_path):
    ended = run("predict", folder / "scan.h5", "--model", folder / "scan.h5", "-o", tmp_path / "R")
    assert ended.code == 1
    assert ended.err.startswith("error: ")


def test_a_pipe_sees_only_the_json(folder):
    ended = python(
        "-m", "napari_ptychonn", "compare", folder / "RESULT.h5",
        "--reconstruction", folder / "scan.h5", "--json",
    )  # fmt: skip
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["frames"] == 40
    assert "\x1b" not in ended.stderr


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


def test_warnings_of_the_package_reach_stderr(capsys):
    cli._listen_to_logs()  # noqa: SLF001
    logging.getLogger("napari_ptychonn.io").warning("of several, this one")
    assert capsys.readouterr().err == "of several, this one\n"


class TestPositionsOfAnotherFile:
    """`--positions FILE[::DATASET]`, wherever a scan is given."""

    @pytest.fixture
    def stage(self, folder, tmp_path):
        with h5py.File(tmp_path / "stage.h5", "w") as file:
            places = read_scan(folder / "scan.h5").positions
            file["laser/pos_um"] = places * 1e6 + 3.0
            file["short"] = places[:50]
        return tmp_path / "stage.h5"

    def test_info(self, folder, stage):
        told = run("info", folder / "scan.h5", "--positions", f"{stage}::laser/pos_um", "--json")
        assert told.code == 0
        told = json.loads(told.out)
        assert "Positions come from stage.h5, as chosen." in told["notes"]
        assert told["positions"] == N

    def test_train_predict_and_convert(self, folder, stage, tmp_path):
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
    def test_too_few_are_one_sentence(self, folder, stage, tmp_path, command):
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

    def test_what_has_no_frames_cannot_be_placed(self, folder, stage):
        for name in ("RESULT.h5", "model"):
            told = run("info", folder / name, "--positions", stage)
            assert told.code == 1
            assert "holds no frames that stage.h5 could place" in told.err

    def test_without_a_scan_there_is_nothing_to_place(self, folder, stage, tmp_path):
        told = run("convert", folder / "RESULT.h5", "-o", tmp_path / "a.cxi", "--positions", stage)
        assert told.code == 1
        assert "give the scan, too" in told.err
