"""A file is opened and recognised once, whatever is read from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.io import describe, open_file, opened_file, read_reconstruction, read_scan
from napari_ptychonn.io.containers.tree import Tree
from napari_ptychonn.io.layouts import resolved
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.location import Location
from napari_ptychonn.tasks.load import load_file

PEERS = Path(__file__).parents[1] / "fixtures" / "peers"


@pytest.fixture
def whole() -> Path:
    """Frames, positions, object and probe, as ptychodus writes them."""
    return PEERS / "ptychodus" / "training" / "training.h5"


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often each file is opened."""
    counts: Counter[str] = Counter()

    def counting(location: Location) -> Tree:
        counts[location.file.name] += 1
        return original(location)

    original = opened_file.open_tree
    for module in ("opened_file", "readers.sources", "readers.results", "readers.reconstructions"):
        monkeypatch.setattr(f"napari_ptychonn.io.{module}.open_tree", counting)
    return counts


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """Count how often each group of a file is compared with all layouts."""
    counts: Counter[tuple[str, str]] = Counter()

    def counting(tree: Tree, group: str) -> Layout | None:
        counts[tree.file.name, group] += 1
        return original(tree, group)

    original = resolved.find_layout
    monkeypatch.setattr(resolved, "find_layout", counting)
    return counts


@pytest.mark.parametrize("read", [describe, load_file])
def test_a_scan_with_its_object_is_opened_and_recognised_once(
    whole: Path,
    read: Callable[[Path], object],
    opens: Counter[str],
    searches: Counter[tuple[str, str]],
) -> None:
    read(whole)
    assert opens == {whole.name: 1}
    assert searches[whole.name, ""] == 1
    assert set(searches.values()) == {1}


def test_all_parts_are_those_of_the_separate_readers(whole: Path) -> None:
    with open_file(whole) as opened:
        assert opened.kind == "scan"
        scan, found = opened.scan(), opened.reconstruction()
        assert opened.scan() is scan
        assert opened.reconstruction_names == ("/",)
        assert opened.description() == describe(whole)
    alone = read_scan(whole)
    np.testing.assert_array_equal(scan.positions, alone.positions)
    np.testing.assert_array_equal(scan.frames[3:5], alone.frames[3:5])  # after it was closed
    np.testing.assert_array_equal(found.object, read_reconstruction(whole).object)


def test_a_name_chooses_between_reconstructions(write_product: Callable[..., Path]) -> None:
    path = write_product()
    with h5py.File(path, "r+") as file:
        file["other/object"] = np.full((40, 50), 2, np.complex64)
    with open_file(path) as opened:
        assert opened.reconstruction_names == ("/", "other")
        assert opened.reconstruction().object.shape == (31, 40)
        assert opened.reconstruction("/").object.shape == (31, 40)
        with pytest.raises(InputError, match=f"{path.name}.*missing.*/, other"):
            opened.reconstruction("missing")


def test_a_product_alone_is_a_reconstruction(
    write_product: Callable[..., Path], opens: Counter[str]
) -> None:
    path = write_product()
    with open_file(path) as opened:
        assert opened.kind == "reconstruction"
        assert opened.reconstruction().object.shape == (31, 40)
        with pytest.raises(InputError, match=path.name):
            opened.scan()
    assert opens[path.name] == 1


def test_positions_for_a_file_without_frames_are_refused(
    write_product: Callable[..., Path], tmp_path: Path
) -> None:
    table = tmp_path / "positions.csv"
    table.write_text("x_um,y_um\n0,0\n1,1\n")
    with open_file(write_product(), positions=table) as opened, pytest.raises(InputError):
        _ = opened.kind
