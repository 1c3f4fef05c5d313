"""Positions from EPICS .mda files, written here to the letter of saveData's layout."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_ptychonn.io import read_scan
from napari_ptychonn.io.positions.mda import read_mda
from napari_ptychonn.io.positions.tables import read_table

Axis = tuple[str, str, NDArray[np.float64]]


def text(value: str) -> bytes:
    raw = value.encode()
    if not raw:
        return struct.pack(">i", 0)
    return struct.pack(">ii", len(raw), len(raw)) + raw + b"\0" * (-len(raw) % 4)


def scan(rank: int, axes: list[Axis], planned: int, done: int, inner: list[int]) -> bytes:
    """One sscan record: `planned` points of which `done` were measured, with one detector."""
    out = struct.pack(">iii", rank, planned, done)
    if rank > 1:
        out += struct.pack(f">{planned}i", *inner)
    out += text(f"26idc:scan{rank}") + text("Oct 08, 2019 12:00:00.0")
    out += struct.pack(">iii", len(axes), 1, 1)
    for k, (name, unit, _) in enumerate(axes):
        out += struct.pack(">i", k) + text(f"26idc:m{k}.VAL") + text(name) + text("LINEAR")
        out += text("deg") + text(f"26idc:m{k}.RBV") + text("") + text(unit)
    out += struct.pack(">i", 0) + text("26idc:det") + text("counts") + text("")
    out += struct.pack(">i", 0) + text("26idc:trigger") + struct.pack(">f", 1.0)
    for _, _, values in axes:
        padded = np.zeros(planned)
        padded[: len(values)] = values
        out += padded.astype(">f8").tobytes()
    return out + np.zeros(planned, ">f4").tobytes()


def line(axes: list[Axis], planned: int | None = None) -> bytes:
    n = len(axes[0][2])
    head = struct.pack(">fiiiii", 1.3, 39, 1, planned or n, 1, 0)
    return head + scan(1, axes, planned or n, n, [])


def raster(slow: Axis, fast: list[Axis], planned: int | None = None) -> bytes:
    """An outer scan with an inner one for each point measured; offsets behind are garbage."""
    n, columns = len(slow[2]), len(fast[0][2])
    planned = planned or n
    head = struct.pack(">fiiiiii", 1.3, 39, 2, planned, columns, 1, 0)
    begin = len(head) + len(scan(2, [slow], planned, n, [0] * planned))
    inners = [scan(1, [axis], columns, len(axis[2]), []) for axis in fast]
    places = [begin + sum(map(len, inners[:k])) for k in range(n)]
    outer = scan(2, [slow], planned, n, [*places, *[-559038737] * (planned - n)])
    return head + outer + b"".join(inners)


def test_a_raster_line_by_line(tmp_path: Path) -> None:
    ys = np.array([1.0, 2.0, 3.0])
    lines = [np.arange(4) + 0.1 * k for k in range(3)]
    file = tmp_path / "26idSOFT_0039.mda"
    file.write_bytes(raster(("hybrid y", "um", ys), [("hybrid x", "um", v) for v in lines]))
    found = read_table(file)
    assert found is not None
    assert found.unit == "m"
    np.testing.assert_allclose(found.values[:, 0], np.repeat(ys, 4) * 1e-6)
    np.testing.assert_allclose(found.values[:, 1], np.concatenate(lines) * 1e-6)
    assert "names" not in found.notes[0]


def test_the_slow_axis_may_be_x(tmp_path: Path) -> None:
    file = tmp_path / "a.mda"
    file.write_bytes(
        raster(("sample x", "mm", np.array([1.0, 2.0])), [("sample y", "mm", np.arange(3.0))] * 2)
    )
    found = read_table(file)
    assert found is not None
    np.testing.assert_allclose(found.values[:3], [[0, 1e-3], [1e-3, 1e-3], [2e-3, 1e-3]])


def test_a_scan_that_was_stopped(tmp_path: Path) -> None:
    file = tmp_path / "a.mda"
    fast = [("x", "nm", np.arange(5.0)), ("x", "nm", np.arange(5.0))]
    file.write_bytes(raster(("y", "nm", np.array([7.0, 8.0])), fast, planned=30))
    found = read_table(file)
    assert found is not None
    assert found.values.shape == (10, 2)


def test_two_positioners_on_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.mda"
    x, y = np.arange(6.0), np.arange(6.0)[::-1].copy()
    file.write_bytes(line([("a", "um", x), ("b", "um", y)], planned=10))
    found = read_table(file)
    assert found is not None
    np.testing.assert_allclose(found.values, np.stack([y, x], axis=1) * 1e-6)
    assert "names" in found.notes[0]


def test_a_unit_that_is_no_length_is_guessed(tmp_path: Path) -> None:
    file = tmp_path / "a.mda"
    file.write_bytes(line([("x", "degrees", np.arange(6.0)), ("y", "", np.arange(6.0))]))
    found = read_table(file)
    assert found is not None
    assert any("degrees" in warning for warning in found.warnings)
    assert any("pixels" in warning and "micro" in warning for warning in found.warnings)


def test_frames_find_their_mda_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan_39.h5", "w") as file:
        file["entry/data/data"] = np.random.default_rng(0).poisson(5, (12, 16, 16))
    lines = [("x", "um", np.arange(4.0))] * 3
    (tmp_path / "scan_39.mda").write_bytes(raster(("y", "um", np.arange(3.0)), lines))
    found = read_scan(tmp_path / "scan_39.h5")
    assert found.unit == "m"
    assert found.step == pytest.approx(1e-6)
    assert any("scan_39.mda, found beside it" in note for note in found.notes)


@settings(max_examples=60)
@given(place=st.integers(0, 600), word=st.binary(min_size=4, max_size=4), cut=st.integers(0, 900))
def test_damage_is_no_table_or_another_one(
    tmp_path_factory: pytest.TempPathFactory, place: int, word: bytes, cut: int
) -> None:
    whole = raster(("y", "um", np.arange(3.0)), [("x", "um", np.arange(4.0))] * 3)
    data = bytearray(whole)
    data[place : place + 4] = word
    file = tmp_path_factory.getbasetemp() / "damaged.mda"
    for damaged in (bytes(data), whole[:cut]):
        file.write_bytes(damaged)
        found = read_mda(file)
        assert found is None or len(found.x.values) <= len(whole)
