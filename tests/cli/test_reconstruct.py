"""`napari-ptychonn reconstruct`: what it writes and says, and what Ctrl-C leaves."""

import json
import signal

import numpy as np
import pytest

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction
from napari_ptychonn.reconstruction import why_not
from napari_ptychonn.simulation.scan import Simulation

needs_engine = pytest.mark.skipif(bool(why_not()), reason=why_not() or "pty-chi is there")


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A scan without any reconstruction."""
    made = Simulation(points=(9, 8), frame_size=32).run()
    return write_scan(tmp_path_factory.mktemp("cli") / "scan.h5", made.scan)


@needs_engine
def test_a_start_of_whole_frames_is_brought_to_what_is_read(scan, tmp_path, run):
    whole, bare, warm = (tmp_path / name for name in ("whole.h5", "bare.h5", "warm.h5"))
    common = ("--device", "cpu", "--json", "--iterations")
    cropped = ("--crop", 16, *common, 1)
    assert run("reconstruct", scan, "-o", whole, *common, 12).code == 0
    first = run("reconstruct", scan, "-o", bare, *cropped)
    gone_on = run("reconstruct", scan, "-o", warm, "--start", whole, *cropped)
    assert gone_on.code == 0, gone_on.err
    assert "estimated" not in gone_on.err, "the probe of the start comes along"
    made = read_reconstruction(warm)
    assert made.probe.shape[-2:] == (16, 16)
    assert made.pixel_size == pytest.approx(read_reconstruction(bare).pixel_size)
    assert made.iterations == 13
    assert json.loads(gone_on.out)["error"] < 0.7 * json.loads(first.out)["error"]

    binned = run("reconstruct", scan, "-o", bare, "--start", whole, "--bin", 2, *common, 1)
    assert binned.code == 0, binned.err
    assert "estimated" not in binned.err
    assert read_reconstruction(bare).pixel_size == pytest.approx(
        read_reconstruction(whole).pixel_size
    )


@needs_engine
def test_ctrl_c_keeps_the_object_so_far(scan, tmp_path, monkeypatch, run):
    first, second = tmp_path / "first.h5", tmp_path / "second.h5"
    ended = run(
        "reconstruct", scan, "-o", first, "--frames", "0:64", "--iterations", 3, "--modes", 2,
        "--algorithm", "lsqml", "--device", "cpu", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    summary = json.loads(ended.out)
    made = read_reconstruction(first)
    assert (summary["algorithm"], summary["iterations"], summary["frames"]) == ("LSQML", 3, 64)
    assert (made.algorithm, made.iterations) == ("LSQML", 3)
    assert made.probe.shape == (2, 32, 32)
    assert summary["object_shape"] == list(made.object.shape)
    assert summary["seconds"] == pytest.approx(made.seconds)
    np.testing.assert_array_equal(made.indices, np.arange(64))
    assert "the first one is estimated" in ended.err
    assert "reconstructing on cpu" in ended.err

    def interrupting(_progress):
        seen = []

        def track(title, done, total, status=""):
            assert (title, total) == ("reconstructing", 3 + 100_000)
            seen.append(done)
            if len(seen) == 2:  # a second signal would be final
                signal.raise_signal(signal.SIGINT)

        return track

    monkeypatch.setattr("napari_ptychonn.cli.reconstruct.progress_tracker", interrupting)
    common = ("reconstruct", scan, "-o", second, "--frames", "0:64", "--device", "cpu")
    ended = run(*common, "--start", first, "--iterations", 100_000)
    assert ended.code == 0, ended.err
    assert "the object so far is kept" in ended.err
    again = read_reconstruction(second)
    assert again.iterations >= 4
    assert again.seconds > made.seconds
    assert f"{again.iterations} iterations of 64 frames" in ended.out


def test_what_fails_in_mid_reconstruction_leaves_the_object(scan, tmp_path, monkeypatch, run):
    from napari_ptychonn.reconstruction import Iteration

    made = Simulation(points=(4, 4), frame_size=16).run().reconstruction

    def iterations(*_arguments, **_options):
        yield Iteration(number=1, total=9, error=0.1, seconds=1.0, reconstruction=made)
        raise InputError("the reconstruction process was ended from outside (SIGKILL).")

    monkeypatch.setattr("napari_ptychonn.reconstruction.iterations.reconstruct", iterations)
    monkeypatch.setattr("napari_ptychonn.reconstruction.why_not", lambda: "")
    ended = run("reconstruct", scan, "-o", tmp_path / "o.h5")
    assert ended.code == 1
    assert ended.err.strip().endswith("error: the reconstruction process was ended from outside "
                                      "(SIGKILL).")  # fmt: skip
    assert "is kept in" in ended.err
    np.testing.assert_array_equal(read_reconstruction(tmp_path / "o.h5").object, made.object)


def test_without_the_engine_there_is_the_command_to_get_it(scan, tmp_path, monkeypatch, run):
    monkeypatch.setattr("napari_ptychonn.reconstruction.availability.find_spec", lambda name: None)
    ended = run("reconstruct", scan, "-o", tmp_path / "o.h5")
    assert ended.code == 1
    assert 'pip install "napari-ptychonn[epie]"' in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--algorithm", "magic"),
        ("--iterations", "0"),
        ("--modes", "-1"),
        ("--frames", "5"),
        (),
    ],
)
def test_wrong_usage_exits_with_2(scan, tmp_path, arguments, run):
    output = ("-o", tmp_path / "o.h5") if arguments else ()
    assert run("reconstruct", scan, *output, *arguments).code == 2


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "pty-chi is there")
def test_neither_the_scan_nor_a_result_is_overwritten(scan, run):
    ended = run("reconstruct", scan, "-o", scan)
    assert ended.code == 1
    assert "would destroy it" in ended.err
