"""Exit codes, and what goes to stdout and to stderr."""

import logging

import pytest

from napari_ptychonn.cli import app as cli
from napari_ptychonn.network.model import TrainedModel

TRAINED = "0:50"


def test_version(run):
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
def test_wrong_usage_exits_with_2(arguments, run):
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err


def test_a_missing_file_is_one_sentence_and_exit_code_1(tmp_path, python):
    ended = python("-m", "napari_ptychonn", "info", tmp_path / "nothing.h5")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert "nothing.h5" in ended.stderr


def test_names_may_be_relative_to_where_the_user_is(folder, monkeypatch, run):
    monkeypatch.chdir(folder)
    for arguments in (
        ("info", "scan.h5"),
        ("predict", "scan.h5", "--model", "model", "--frames", "0:9", "-o", "few.h5"),
        ("compare", "few.h5", "--reconstruction", "scan.h5"),
    ):
        ended = run(*arguments)
        assert ended.code == 0, ended.err
    (folder / "few.h5").unlink()


def test_help_and_info_import_no_torch_and_no_qt(folder, python):
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


def test_a_failure_in_mid_training_keeps_the_model(folder, tmp_path, monkeypatch, run):
    def fail(epoch):
        raise RuntimeError("the GPU fell off the bus\nand more")

    monkeypatch.setattr("napari_ptychonn.cli.train._format_epoch", fail)
    monkeypatch.setattr("platformdirs.user_log_path", lambda *a, **k: tmp_path / "logs")
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", tmp_path / "m")
    assert ended.code == 1
    assert "error: RuntimeError: the GPU fell off the bus (" in ended.err
    assert "Traceback" not in ended.err
    log = tmp_path / "logs" / "napari-ptychonn.log"
    assert str(log) in ended.err
    assert "Traceback" in log.read_text(encoding="utf-8")
    TrainedModel.load(tmp_path / "m")


def test_warnings_of_the_package_reach_stderr(capsys):
    cli._configure_logging()  # noqa: SLF001
    logging.getLogger("napari_ptychonn.io").warning("of several, this one")
    assert capsys.readouterr().err == "of several, this one\n"
