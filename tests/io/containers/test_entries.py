"""A file as a person looks through it: line by line, with what cannot be read marked as such."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from scipy.io import savemat

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.entries import MOST, numbers_of
from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.mapping.inspect import list_children
from napari_ptychonn.io.sandbox.opening import open_tree

Write = Callable[..., Path]


def below(file: Path, path: str = "") -> dict[str, Entry]:
    return {branch.name: branch for branch in list_children(file, path)}


@pytest.fixture
def file(tmp_path: Path, counts: Any) -> Path:
    """Groups, compressed and plain arrays, links that lead somewhere, and links that do not."""
    path = tmp_path / "scan.h5"
    with h5py.File(tmp_path / "data_000001.h5", "w") as part:
        part["data"] = counts
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "a star"
        made = file.create_dataset(
            "scan/frames", data=counts, chunks=(1, 16, 16), **hdf5plugin.Bitshuffle()
        )
        made.attrs["distance_m"] = 1.9
        file.create_dataset("scan/packed", data=counts, compression="gzip", shuffle=True)
        file["scan/energy"] = 8.8
        file["scan/name"] = "run 3"
        file["scan/same"] = h5py.SoftLink("/scan/frames")
        file["scan/part"] = h5py.ExternalLink("data_000001.h5", "/data")
        file["scan/lost"] = h5py.ExternalLink("data_000002.h5", "/data")
        file["scan/outside"] = h5py.ExternalLink("/etc/passwd", "/data")
        file["scan/dangling"] = h5py.SoftLink("/nowhere/at/all")
        file["scan/circle"] = h5py.SoftLink("/scan/circle")
        file["scan/table"] = np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])
        file.create_group("scan/empty")
        layout = h5py.VirtualLayout(shape=counts.shape, dtype=counts.dtype)
        layout[:] = h5py.VirtualSource("data_000001.h5", "data", shape=counts.shape)
        file.create_virtual_dataset("scan/virtual", layout)
    return path


def test_only_what_is_directly_below_is_looked_at(file: Path) -> None:
    assert list(below(file)) == ["@title", "scan"]
    assert below(file)["@title"].value == "a star"
    assert not below(file)["scan"].leaf


def test_how_arrays_are_stored(file: Path) -> None:
    lines = below(file, "scan")
    frames = lines["frames"]
    assert (frames.kind, frames.shape, frames.type) == ("array", (20, 16, 16), "uint16")
    assert (frames.chunks, frames.compression) == ((1, 16, 16), "bitshuffle")
    assert not frames.leaf
    assert lines["packed"].compression == "shuffle + gzip"
    assert (lines["energy"].value, lines["energy"].is_number) == ("8.8", True)
    assert (lines["name"].value, lines["name"].type) == ("run 3", "text")
    assert lines["empty"].leaf
    attributes = below(file, "scan/frames")
    assert attributes["@distance_m"].value == "1.9"


def test_links_say_where_they_lead(file: Path) -> None:
    lines = below(file, "scan")
    assert lines["same"].link == "/scan/frames"
    assert lines["part"].link == "data_000001.h5:/data"
    assert lines["virtual"].link == "virtual, of 1 file"
    assert {lines[name].kind for name in ("same", "part", "virtual")} == {"array"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lost", "data_000002.h5, which is missing"),
        ("outside", "outside the folder of the scan"),
        ("dangling", "not there"),
        ("circle", "circle"),
        ("table", "expected plain numbers"),
    ],
)
def test_what_cannot_be_read_is_listed_with_the_reason(
    name: str, expected: str, file: Path
) -> None:
    line = below(file, "scan")[name]
    assert line.kind == "broken"
    assert expected in line.problem


def test_a_group_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(InputError, match="is not in the file"):
        list_children(file, "scam")


def test_thousands_of_lines_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        for k in range(MOST + 5):
            file[f"d/{k:04d}"] = h5py.SoftLink("/x")
    lines = list_children(path, "d")
    assert len(lines) == MOST + 1
    assert lines[-1].value == "5 more are not listed"


def test_arrays_of_numpy_and_matlab_are_lines_too(tmp_path: Path, counts: Any) -> None:
    np.savez(tmp_path / "a.npz", frames=counts, energy=8.8)
    assert below(tmp_path / "a.npz")["energy"].value == "8.8"
    assert below(tmp_path / "a.npz")["frames"].shape == (20, 16, 16)
    savemat(tmp_path / "a.mat", {"p": {"z": 1.9}, "dp": counts.T})
    assert below(tmp_path / "a.mat")["dp"].shape == (20, 16, 16)
    assert below(tmp_path / "a.mat", "p")["z"].value == "1.9"


def test_numbers_are_found_wherever_they_are(file: Path) -> None:
    with open_tree(Location(file=file)) as tree:
        found = {branch.path: branch.value for branch in numbers_of(tree)}
    assert found == {"scan/energy": "8.8", "scan/frames@distance_m": "1.9"}
