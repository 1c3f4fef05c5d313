"""``napari-ptychonn study``: files in a folder, a table, and what is kept when it is stopped."""

import csv
import json
import os
import signal

import pytest

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.reconstruction.availability import why_not
from napari_ptychonn.simulation.scan import simulate_scan
from napari_ptychonn.tasks.train import TrainTask


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """10 x 9 points with their reconstruction."""
    path = tmp_path_factory.mktemp("studies") / "scan.h5"
    return write_scan(path, *simulate_scan((10, 9), photons=1e5))


@pytest.fixture(scope="module")
def model(scan, run):
    path = scan.with_name("model")
    assert run("train", scan, "--frames", "0:54", "-o", path, "--steps", 2).code == 0
    return path


def test_size_writes_figure_table_and_json(scan, tmp_path, run):
    folder = tmp_path / "size"
    ended = run(
        *("study", "size", scan, "--frames", "0:60", "--sizes", "40,60"),
        *("--steps", "2", "-o", folder),
    )
    assert ended.code == 0, ended.err
    assert ended.out.split() == [str(folder / f"size{kind}") for kind in (".png", ".csv", ".json")]
    with (folder / "size.csv").open(newline="") as file:
        assert [row["frames"] for row in csv.DictReader(file)] == ["40", "60"]
    assert json.loads((folder / "size.json").read_text())["settings"]["held_out_frames"] == 30


@pytest.mark.skipif(bool(why_not()), reason="needs pty-chi")
def test_sparse_as_json_with_the_real_engine(scan, model, tmp_path, run):
    ended = run(
        *("study", "sparse", scan, "--model", model, "--every", "1,2"),
        *("--iterations", "2", "-o", tmp_path, "--json"),
    )
    assert ended.code == 0, ended.err
    printed = json.loads(ended.out)
    assert [row["frames"] for row in printed["rows"]] == [90, 25]
    assert printed["settings"]["reconstruction"]["iterations"] == 2
    assert (tmp_path / "sparse.png").exists()
    assert "Phase error: ePIE" in ended.err


@pytest.mark.skipif(bool(why_not()), reason="needs pty-chi")
def test_warm_start_with_the_real_engine(scan, model, tmp_path, run):
    ended = run(
        *("study", "warm-start", scan, "--model", model, "--iterations", "2", "-o", tmp_path)
    )
    assert ended.code == 0, ended.err
    with (tmp_path / "warm-start.csv").open(newline="") as file:
        begun = {row["begins_with"] for row in csv.DictReader(file)}
    assert begun == {"flat object", "flat object, model's probe", "PtychoNN mosaic"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("sparse", "x.h5", "-o", "y"),
        ("sparse", "x.h5", "-o", "y", "--model", "m", "--every", "1,a"),
        ("sparse", "x.h5", "-o", "y", "--model", "m", "--every", "0"),
        ("sparse", "x.h5", "-o", "y", "--model", "m", "--every", "2,2"),
        ("size", "x.h5", "-o", "y"),
        ("size", "x.h5", "-o", "y", "--frames", "0:9", "--sizes", ""),
        ("warm-start", "x.h5", "--model", "m"),
    ],
)
def test_wrong_usage_exits_with_2(arguments, run):
    ended = run("study", *arguments)
    assert ended.code == 2
    assert ended.out == ""


def test_errors_are_one_sentence(scan, tmp_path, run):
    ended = run("study", "size", scan, "--frames", "0:60", "--sizes", "400", "-o", tmp_path)
    assert ended.code == 1
    assert "expected training sizes from 10 to 60" in ended.err
    assert ended.out == ""


def test_interrupted_it_keeps_what_is_finished(scan, tmp_path, monkeypatch, run):
    real, trainings = TrainTask.epochs, []

    def epochs(*arguments, **options):
        trainings.append(arguments)
        if len(trainings) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments, **options)

    monkeypatch.setattr(TrainTask, "epochs", epochs)
    ended = run(
        *("study", "size", scan, "--frames", "0:60", "--sizes", "40,50,60"),
        *("--steps", "2", "-o", tmp_path),
    )
    assert ended.code == 0, ended.err
    with (tmp_path / "size.csv").open(newline="") as file:
        assert [row["frames"] for row in csv.DictReader(file)] == ["40"]


def test_interrupted_before_anything_is_finished(scan, tmp_path, monkeypatch, run):
    def epochs(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return iter(())

    monkeypatch.setattr(TrainTask, "epochs", epochs)
    ended = run("study", "size", scan, "--frames", "0:60", "--sizes", "40", "-o", tmp_path)
    assert ended.code == 1
    assert not list(tmp_path.iterdir())
