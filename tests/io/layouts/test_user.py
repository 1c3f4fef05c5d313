"""Layouts that users keep: written, found again, and refused when they say what no row can."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_scan
from napari_ptychonn.io.layouts import user as kept
from napari_ptychonn.io.layouts.builtin import LAYOUTS
from napari_ptychonn.io.layouts.layout import Field, Layout, at
from napari_ptychonn.io.layouts.user import (
    as_json,
    from_json,
    read_layout,
    save_layout,
    user_layouts,
)

OURS = Layout(
    name="Our endstation / run 3",
    require=(("scan/frames",), ("scan/motor",)),
    frames=at("scan/frames"),
    positions=at("scan/motor", scale=1e-6),
    position_axes="xy",
    position_flip="y",
    energy=at("scan@energy", scale=1e3),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of layouts."""
    path = tmp_path / "config" / "layouts"
    monkeypatch.setattr(kept, "layouts_folder", lambda: path)
    user_layouts.cache_clear()
    yield path
    user_layouts.cache_clear()


def test_a_saved_layout_is_used_the_next_time(
    write_hdf5: Callable[..., Path], counts: Any, raster: Any
) -> None:
    path = write_hdf5(
        "scan.h5",
        {
            "scan/frames": counts,
            "scan/motor": raster[:, ::-1] * np.array([1e6, -1e6]),
            "scan@energy": 8.8,
        },
    )
    assert "Our endstation" not in " ".join(read_scan(path).notes)
    saved = save_layout(OURS)
    assert saved.name == "Our_endstation_run_3.json"
    scan = read_scan(path)
    np.testing.assert_allclose(scan.positions, raster)
    assert scan.optics.energy_kev == pytest.approx(8.8)
    save_layout(replace(OURS, position_flip=""))
    np.testing.assert_allclose(read_scan(path).positions, raster * np.array([-1, 1]))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda row: row.name)
def test_every_row_of_the_table_is_plain_data(layout: Layout) -> None:
    told = json.loads(json.dumps(as_json(layout)))
    assert from_json(told, "row") == layout


def test_names_of_rows_are_told_apart() -> None:
    names = [layout.name for layout in LAYOUTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"require": []}, "needs name"),
        ({"name": "a", "require": [["x"]], "frame": "x"}, "has no frame"),
        ({"name": "a", "require": "x"}, "expected a list"),
        ({"name": 3, "require": []}, "expected str"),
        ({"name": "a", "require": [], "frames": 3}, "expected a path"),
        ({"name": "a", "require": [], "frames": {"paths": ["x"], "unit": "m"}}, "has no unit"),
        ({"name": "a", "require": [], "frames": {"paths": ["x"], "scale": "u"}}, "a number"),
        ({"name": "a", "require": [], "position_flip": "z"}, "expected one of"),
        ({"name": "a", "require": [], "amplitude": 1}, "expected bool"),
        ({"name": "a", "require": [], "orientation": True}, "expected int"),
        ({"name": "a", "require": [], "energy": float("nan")}, "expected a finite number"),
        ({"name": "a", "require": [], "energy": True}, "expected a path"),
        ({"name": "a", "require": [], "energy": {"constant": 3.0}}, "expected a path"),
    ],
)
def test_what_a_row_cannot_say_is_refused(told: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        from_json(told, "file")


def test_a_number_may_stand_where_no_file_has_it() -> None:
    layout = from_json({"name": "a", "require": [["x"]], "energy": 8800, "pixel_y": 1e-8}, "file")
    assert layout.energy == Field(constant=8800.0)
    assert as_json(layout)["pixel_y"] == 1e-8
    assert from_json(as_json(layout), "file") == layout


def test_a_path_or_a_list_of_paths_is_enough() -> None:
    made = from_json({"name": "a", "require": [["x"]], "frames": "x", "probe": ["p", "q"]}, "f")
    assert made.frames == Field(paths=("x",))
    assert made.probe == at("p", "q")


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "a"}', "\0\xff"])
def test_broken_files_are_told_of_and_left_out(
    content: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text(content, encoding="latin-1")
    save_layout(OURS)
    assert user_layouts() == (OURS,)
    assert "broken.json" in caplog.text
    with pytest.raises(InputError):
        read_layout(folder / "broken.json")


def test_a_layout_without_a_name_cannot_be_saved() -> None:
    with pytest.raises(InputError, match="needs a name"):
        save_layout(replace(OURS, name="//"))
