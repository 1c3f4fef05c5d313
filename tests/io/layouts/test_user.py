"""Layouts that users keep: written, found again, and refused when they say what no row can."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_scan
from napari_ptychonn.io.layouts import user as kept
from napari_ptychonn.io.layouts.builtin import builtin_layouts
from napari_ptychonn.io.layouts.format import (
    layout_from_values,
    layout_schema,
    layout_to_values,
    read_layout,
    write_layout,
)
from napari_ptychonn.io.layouts.layout import Field, Layout
from napari_ptychonn.io.layouts.user import save_layout, user_layouts

OURS = Layout(
    name="Our endstation / run 3",
    require=(("scan/frames",), ("scan/motor",)),
    frames=Field.at("scan/frames"),
    positions=Field.at("scan/motor", scale=1e-6),
    position_axes="xy",
    position_flip="y",
    energy=Field.at("scan@energy", scale=1e3),
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
    assert saved.name == "Our_endstation_run_3.toml"
    scan = read_scan(path)
    np.testing.assert_allclose(scan.positions, raster)
    assert scan.optics.energy_kev == pytest.approx(8.8)
    save_layout(replace(OURS, position_flip=""))
    np.testing.assert_allclose(read_scan(path).positions, raster * np.array([-1, 1]))


@pytest.mark.parametrize("layout", builtin_layouts(), ids=lambda row: row.name)
def test_every_builtin_layout_survives_writing(layout: Layout, tmp_path: Path) -> None:
    write_layout(tmp_path / "layout.toml", layout)
    assert read_layout(tmp_path / "layout.toml") == layout
    assert layout_from_values(json.loads(json.dumps(layout_to_values(layout))), "row") == layout


def test_names_and_priorities_of_builtin_layouts_are_unique() -> None:
    layouts = builtin_layouts()
    assert len({layout.name for layout in layouts}) == len(layouts)
    priorities = [layout.priority for layout in layouts]
    assert priorities == sorted(set(priorities), reverse=True)


def test_the_published_schema_is_that_of_the_layouts() -> None:
    page = Path(__file__).parents[3] / "docs" / "layout.schema.json"
    schema = layout_schema()
    assert json.loads(page.read_text(encoding="utf-8")) == schema
    for layout in builtin_layouts():
        values = layout_to_values(layout)
        assert set(values) <= set(schema["properties"])
        assert set(schema["required"]) <= set(values)


def test_a_layout_that_release_0_1_saved_is_read_and_replaced(folder: Path) -> None:
    folder.mkdir(parents=True)
    old = folder / "Our_endstation_run_3.json"
    old.write_text(
        """{"name": "Our endstation / run 3", "require": [["scan/frames"], ["scan/motor"]],
        "frames": "scan/frames", "positions": {"paths": "scan/motor", "scale": 1e-06},
        "position_axes": "xy", "position_flip": "y",
        "energy": {"paths": "scan@energy", "scale": 1000.0}}""",
        encoding="utf-8",
    )
    assert user_layouts() == (OURS,)
    saved = save_layout(OURS)
    assert not old.exists()
    assert user_layouts() == (OURS,)
    assert saved.suffix == ".toml"


def test_the_worked_example_of_the_documentation(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "add-a-layout.md").read_text(encoding="utf-8")
    (layout,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    write, read = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(write, {})
    assert read_scan("endstation.h5").optics.energy_kev is None, "the file does not name it"
    folder.mkdir(parents=True)
    (folder / "endstation.toml").write_text(layout, encoding="utf-8")
    user_layouts.cache_clear()
    names: dict[str, Any] = {}
    exec(read, names)
    scan = names["scan"]
    assert len(scan) == 20
    assert scan.unit == "m"
    np.testing.assert_allclose(np.ptp(scan.positions, axis=0), [3 * 50e-9, 4 * 50e-9])
    assert scan.optics.energy_kev == pytest.approx(8.8)
    assert scan.optics.detector_distance == pytest.approx(1.92)


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
        layout_from_values(told, "file")


def test_a_number_may_stand_where_no_file_has_it() -> None:
    layout = layout_from_values(
        {"name": "a", "require": [["x"]], "energy": 8800, "pixel_y": 1e-8}, "file"
    )
    assert layout.energy == Field(constant=8800.0)
    assert layout_to_values(layout)["pixel_y"] == 1e-8
    assert layout_from_values(layout_to_values(layout), "file") == layout


def test_a_path_or_a_list_of_paths_is_enough() -> None:
    made = layout_from_values(
        {"name": "a", "require": [["x"]], "frames": "x", "probe": ["p", "q"]}, "f"
    )
    assert made.frames == Field(paths=("x",))
    assert made.probe == Field.at("p", "q")


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
