"""Positions that somebody names: a table, or a dataset of another file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from napari_ptychonn.errors import InputError
from napari_ptychonn.io import describe, read_scan
from napari_ptychonn.io.layouts.layout import Field, Layout
from napari_ptychonn.io.mapping.preview import preview_mapping
from napari_ptychonn.io.readers.positions_source import list_positions_sources

Write = Callable[..., Path]


@pytest.fixture
def frames(write_hdf5: Write, counts: Any, raster: Any) -> Path:
    """A scan with positions of its own, all of them wrong."""
    return write_hdf5("scan.h5", {"exp/stack": counts, "exp/positions": raster * 0 + 1e-6})


def notes(path: Path, positions: object) -> str:
    return " ".join(read_scan(path, positions=str(positions)).notes)


class TestKinds:
    @pytest.mark.parametrize("ending", [".csv", ".txt", ".dat"])
    def test_tables(self, frames: Path, raster: Any, tmp_path: Path, ending: str) -> None:
        table = tmp_path / f"stage{ending}"
        # ptychodus writes y, x to .csv and x, y to .txt.
        values = raster if ending == ".csv" else raster[:, ::-1]
        np.savetxt(table, values, delimiter="," if ending == ".csv" else " ")
        scan = read_scan(frames, positions=table)
        np.testing.assert_allclose(scan.positions, raster)
        assert f"Positions come from stage{ending}, as chosen." in scan.notes

    def test_a_dataset_by_its_name(self, frames: Path, write_hdf5: Write, raster: Any) -> None:
        stage = write_hdf5("stage.h5", {"laser/pos_um": raster * 1e6, "encoder/pos": raster * 2})
        laser = read_scan(frames, positions=f"{stage}::/laser/pos_um")
        np.testing.assert_allclose(laser.positions, raster)
        assert laser.unit == "m"
        encoder = read_scan(frames, positions=f"{stage}::encoder/pos")
        np.testing.assert_allclose(encoder.positions, raster * 2)
        np.testing.assert_allclose(
            read_scan(frames, positions=f"{stage}::/encoder").positions, raster * 2
        )

    def test_one_of_two_coordinates_brings_the_other(
        self, frames: Path, write_hdf5: Write, raster: Any
    ) -> None:
        stage = write_hdf5(
            "stage.h5",
            {"run/samy_x_um": raster[:, 1] * 1e6, "run/samy_y_um": raster[:, 0] * 1e6,
             "run/time": np.arange(20.0)},
        )  # fmt: skip
        for name in ("x", "y"):
            scan = read_scan(frames, positions=f"{stage}::run/samy_{name}_um")
            np.testing.assert_allclose(scan.positions, raster)
        with pytest.raises(InputError, match=r"run/time \(20,\) holds one coordinate only"):
            read_scan(frames, positions=f"{stage}::run/time")

    def test_numpy_and_matlab(self, frames: Path, raster: Any, tmp_path: Path) -> None:
        np.save(tmp_path / "stage.npy", raster)
        np.savez(tmp_path / "stage.npz", positions=raster, other=np.zeros(3))
        savemat(tmp_path / "stage.mat", {"positions": raster.T})
        for name in ("stage.npy", "stage.npz", "stage.npz::positions"):
            scan = read_scan(frames, positions=tmp_path / name)
            np.testing.assert_allclose(scan.positions, raster)
        assert read_scan(frames, positions=tmp_path / "stage.mat").positions.shape == (20, 2)

    def test_a_known_layout_is_believed(self, frames: Path, write_hdf5: Write, raster: Any) -> None:
        stage = write_hdf5(
            "stage.h5",
            {"entry/data/X_Position": raster[:, 1] * 1e6,
             "entry/data/Y_Position": raster[:, 0] * 1e6},
        )  # fmt: skip
        np.testing.assert_allclose(read_scan(frames, positions=stage).positions, raster)

    def test_the_files_of_a_series_are_placed_together(
        self, write_hdf5: Write, counts: Any, raster: Any, tmp_path: Path
    ) -> None:
        for line in range(4):
            part = {"entry/data/data": counts[5 * line : 5 * line + 5]}
            path = write_hdf5(f"run_{line:03d}.h5", part)
        (tmp_path / "elsewhere").mkdir()
        np.savetxt(tmp_path / "elsewhere" / "stage.csv", raster, delimiter=",")
        scan = read_scan(path, positions=tmp_path / "elsewhere" / "stage.csv")
        assert len(scan) == 20
        assert "The frames are in 4 files, run_000.h5 to run_003.h5." in scan.notes


class TestOffered:
    """What the window for choosing datasets lists."""

    def test_a_file_is_one_place(self, write_hdf5: Write, raster: Any, tmp_path: Path) -> None:
        one = write_hdf5("one.h5", {"laser": raster, "other": np.zeros(7)})
        assert list_positions_sources(one, (20,)) == (str(one),)
        table = tmp_path / "stage.csv"
        assert list_positions_sources(table, (20,)) == (str(table),), "tables are not opened"

    def test_each_dataset_that_fits_is_one(self, write_hdf5: Write, raster: Any) -> None:
        several = write_hdf5(
            "several.h5",
            {"a/pos": raster, "b/values": raster, "c/pos": raster[:9],
             "d/mot_y": raster[:, 0], "d/mot_x": raster[:, 1]},
        )  # fmt: skip
        names = [f"{several}::/{path}" for path in ("a/pos", "b/values", "d/mot_y")]
        assert list(list_positions_sources(several, (20,))) == names

    def test_frames_are_seen_where_positions_do_not_fit(
        self, frames: Path, raster: Any, tmp_path: Path
    ) -> None:
        np.savetxt(tmp_path / "few.csv", raster[:12], delimiter=",")
        layout = Layout(name="", require=(), frames=Field.at("exp/stack"))
        seen = preview_mapping(frames, layout, positions=str(tmp_path / "few.csv"))
        assert "has 12 positions" in seen.problem
        assert seen.mean is not None


class TestRefused:
    def test_another_number_of_positions_is_one_sentence(
        self, frames: Path, write_hdf5: Write, raster: Any, tmp_path: Path
    ) -> None:
        np.savetxt(tmp_path / "few.csv", raster[:12], delimiter=",")
        few = write_hdf5("few.h5", {"positions": raster[:12]})
        for path in (tmp_path / "few.csv", few):
            with pytest.raises(InputError) as raised:
                read_scan(frames, positions=path)
            assert str(raised.value) == (
                f"{path}: has 12 positions, which are not those of the 20 frames of scan.h5."
            )

    def test_what_is_not_there(self, frames: Path, write_hdf5: Write, tmp_path: Path) -> None:
        stage = write_hdf5("stage.h5", {"name": b"text", "image": np.zeros((4, 8, 8))})
        (tmp_path / "stage.csv").write_text("1,2\n")
        for positions, sentence in (
            (f"{stage}::motors", "there is no dataset or group /motors"),
            (stage, "expected scan positions"),
            (f"{stage}::image", "expected positions"),
            (f"{tmp_path / 'stage.csv'}::motors", "a table, which has no datasets"),
            (tmp_path / "missing.csv", "does not exist"),
        ):
            with pytest.raises(InputError, match=sentence):
                read_scan(frames, positions=positions)
        with pytest.raises(InputError, match="does not exist"):
            describe(frames, positions=tmp_path / "missing.csv")


class TestColumns:
    """Which columns are y and x: what the file says, else said to the user."""

    def scan(self, write_hdf5: Write, counts: Any, positions: Any, **attributes: Any) -> Any:
        contents = {"dp": counts, "positions": positions}
        contents |= {f"positions@{name}": value for name, value in attributes.items()}
        return read_scan(write_hdf5("scan_dp.h5", contents))

    @pytest.mark.parametrize(
        "attributes",
        [
            {"axes": "zyx"},
            {"columns": ["n", "y", "x"]},
            {"column_names": "trigger, y_m, x_m"},
            {"labels": np.array([b"t", b"pos_y", b"pos_x"])},
        ],
    )
    def test_attributes_name_them(
        self, write_hdf5: Write, counts: Any, raster: Any, attributes: Any
    ) -> None:
        wide = np.column_stack([np.full(20, 7e-6), raster])
        scan = self.scan(write_hdf5, counts, wide, **attributes)
        np.testing.assert_allclose(scan.positions, raster)
        assert "(y, x)" not in " ".join(scan.notes)
        assert "(x, y, z)" not in " ".join(scan.notes)

    def test_three_that_nobody_names_are_said_to_be_x_y_z(
        self, write_hdf5: Write, counts: Any, raster: Any
    ) -> None:
        wide = np.column_stack([raster[:, ::-1], np.full(20, 7e-6)])
        scan = self.scan(write_hdf5, counts, wide)
        np.testing.assert_allclose(scan.positions, raster)
        assert "(x, y, z)" in " ".join(scan.notes)

    def test_a_column_that_counts_is_no_coordinate(
        self, write_hdf5: Write, counts: Any, raster: Any
    ) -> None:
        wide = np.column_stack([np.arange(1, 21), raster[:, ::-1]])
        scan = self.scan(write_hdf5, counts, wide)
        np.testing.assert_allclose(scan.positions, raster)
        assert "(number, x, y)" in " ".join(scan.notes)

    def test_two_are_told_as_before(self, write_hdf5: Write, counts: Any, raster: Any) -> None:
        scan = self.scan(write_hdf5, counts, raster)
        assert "(y, x)" in " ".join(scan.notes)


def test_positions_beside_a_link_to_the_scan(tmp_path: Path, counts: Any, raster: Any) -> None:
    store, session = tmp_path / "store", tmp_path / "session"
    store.mkdir()
    session.mkdir()
    np.save(store / "frames.npy", counts)
    (session / "frames.npy").symlink_to(store / "frames.npy")
    np.savetxt(session / "frames.csv", raster, delimiter=",", header="y_m,x_m", comments="")
    np.testing.assert_allclose(read_scan(session / "frames.npy").positions, raster)
    with pytest.raises(InputError):
        read_scan(store / "frames.npy")


@pytest.mark.parametrize("written", [20, 19, 12])
@pytest.mark.parametrize("name", ["scan.csv", "other_scan_7.csv"])
def test_an_interrupted_scan_with_the_table_of_all_points(
    tmp_path: Path, counts: Any, raster: Any, written: int, name: str
) -> None:
    np.save(tmp_path / "scan_1.npy", counts[:written])
    header = {"delimiter": ",", "header": "y_m,x_m", "comments": ""}
    np.savetxt(tmp_path / name, raster, **header)
    if written < 20 and name != "scan.csv":
        with pytest.raises(InputError):
            read_scan(tmp_path / "scan_1.npy")
        return
    scan = read_scan(tmp_path / "scan_1.npy")
    np.testing.assert_allclose(scan.positions, raster[:written])
    assert [f"{name} has 20" in warning for warning in scan.warnings] == [True] * (written < 20)
