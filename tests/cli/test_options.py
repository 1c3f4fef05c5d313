"""Shared options: frames, outputs."""

import pytest
import typer

from napari_ptychonn.cli.options import parse_frames

TRAINED = "0:50"


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


@pytest.mark.parametrize(
    ("name", "sentence"), [("scan.h5", "is the input"), ("no/such/m", "does not exist")]
)
def test_bad_outputs_are_refused_before_any_work(folder, name, sentence, run):
    before = (folder / "scan.h5").read_bytes()
    ended = run("train", folder / "scan.h5", "--frames", TRAINED, "-o", folder / name)
    assert ended.code == 1
    assert sentence in ended.err
    assert (folder / "scan.h5").read_bytes() == before


def test_a_slice_of_nothing_is_an_error(folder, tmp_path, run):
    ended = run(
        "predict", folder / "scan.h5", "--model", folder / "model", "-o", tmp_path / "R",
        "--frames", "200:300",
    )  # fmt: skip
    assert ended.code == 1
    assert "selects none of the 90 frames" in ended.err
