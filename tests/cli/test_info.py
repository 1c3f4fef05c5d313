"""`napari-ptychonn info`."""

import json


def test_info_prints_counts_and_names(folder, run):
    ended = run("info", folder / "scan.h5")
    assert ended.code == 0
    assert "90" in ended.out
    assert "degraded_truth" in ended.out


def test_long_lists_of_a_model_are_counted(folder, run):
    ended = run("info", folder / "model")
    assert ended.code == 0
    assert "entries" in ended.out
    assert max(map(len, ended.out.splitlines())) < 300


def test_info_as_json_is_one_object(folder, run):
    for name in ("scan.h5", "model", "RESULT.h5"):
        ended = run("info", folder / name, "--json")
        assert ended.code == 0
        assert isinstance(json.loads(ended.out), dict)
