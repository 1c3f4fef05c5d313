"""Every row of the table of layouts that no writer could be installed for, by hand to the letter.

Where a format holds an object, reading is right when probe times object at the
positions as read has the frames as its far field; see `unexplained`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import (
    describe,
    list_reconstructions,
    read_reconstruction,
    read_scan,
)
from napari_ptychonn.io.layouts import user as user_layouts
from napari_ptychonn.io.layouts.builtin import builtin_layouts
from napari_ptychonn.io.layouts.layout import Field, Layout
from napari_ptychonn.io.mapping.inspect import inspect_file

Write = Callable[..., Path]
Known = Any
Unexplained = Callable[[Scan, Reconstruction], float]
LIMIT = 0.03


def notes(scan: Scan) -> str:
    return " ".join(scan.notes)


def ideal(known: Known) -> Reconstruction:
    """The object where the scan's positions say: those are metres from its first pixel."""
    return Reconstruction(
        object=known.image,
        probe=known.probe,
        pixel_size=(known.pixel, known.pixel),
        origin=(0.0, 0.0),
        unit="m",
    )


def check(scan: Scan, known: Known, unexplained: Unexplained, *, calibrated: bool = True) -> None:
    """Frames, orientation, positions and, where the file has them, energy and pixel size."""
    pixel = (known.pixel, known.pixel)
    offset = np.median(scan.positions - known.metres, axis=0)
    moved = Scan(frames=scan.frames, positions=scan.positions - offset, unit="m", pixel_size=pixel)
    np.testing.assert_allclose(moved.positions, known.metres, atol=1e-3 * known.pixel)
    assert unexplained(moved, ideal(known)) < LIMIT
    if calibrated:
        assert scan.optics.energy_kev == pytest.approx(known.energy_ev / 1e3, rel=1e-4)
        assert scan.optics.detector_distance == pytest.approx(known.distance)
        assert scan.pixel_size == pytest.approx(pixel, rel=1e-4)


def test_every_layout_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "file-formats.md").read_text(encoding="utf-8")
    missing = [layout.name for layout in builtin_layouts() if f"| {layout.name} |" not in page]
    assert not missing


class TestPtypy:
    @pytest.fixture
    def ptyd(self, write_hdf5: Write, known: Known) -> Path:
        """Chunks 0, 1 … 10 of two frames, the tenth in a part of its own."""
        contents = {
            "info/label": b"scan",
            "meta/energy": known.energy_ev / 1e3,
            "meta/distance": known.distance,
            "meta/psize": np.array([known.pitch, known.pitch]),
            "meta/center": np.array([8.0, 8.0]),
            "meta/shape": np.array([16, 16]),
        }
        good = np.ones((2, 16, 16), np.uint8)
        good[:, 4, 5] = 0
        for k in range(9):
            contents |= {
                f"chunks/{k}/data": known.frames[2 * k : 2 * k + 2],
                f"chunks/{k}/positions": known.metres[2 * k : 2 * k + 2],
                f"chunks/{k}/weights": good,
            }
        part = {
            "data": known.frames[18:],
            "positions": known.metres[18:],
        }
        write_hdf5("scan.ptyd.part009", {f"chunks/10/{k}": v for k, v in part.items()})
        contents["chunks/10"] = h5py.ExternalLink("scan.ptyd.part009", "/chunks/10")
        return write_hdf5("scan.ptyd", {k.replace("10", "9"): v for k, v in contents.items()})

    @pytest.fixture
    def ptyr(self, write_hdf5: Write, known: Known) -> Path:
        """What `save_run` of kind 'minimal' writes with record_positions."""
        storage = {
            "_psize": np.array([known.pixel, known.pixel]),
            "_center": np.array([3.0, 4.0]),
            "_origin": -np.array([3.0, 4.0]) * known.pixel,
            "_energy": known.energy_ev / 1e3,
        }
        contents: dict[str, Any] = {
            "content/obj/Sscan00G00/data": known.image[np.newaxis],
            "content/probe/Sscan00G00/data": known.probe,
            # Coordinates of the views; their window begins at that less P // 2.
            "content/positions/Sscan00G00": known.metres - np.array([3.0, 4.0]) * known.pixel,
            "header/kind": b"minimal",
        }
        for kind in ("obj", "probe"):
            contents |= {f"content/{kind}/Sscan00G00/{k}": v for k, v in storage.items()}
        return write_hdf5("scan.ptyr", contents)

    def test_data(self, ptyd: Path, known: Known, unexplained: Unexplained) -> None:
        scan = read_scan(ptyd)
        check(scan, known, unexplained)
        assert scan.valid is not None
        assert np.argwhere(~scan.valid).tolist() == [[4, 5]]

    def test_weights_for_all_frames(self, ptyd: Path) -> None:
        """Of chunks without weights of their own, as the writer's documentation shows them."""
        weight = np.ones((16, 16))
        weight[7, 9] = 0
        with h5py.File(ptyd, "r+") as file:
            for k in range(9):
                del file[f"chunks/{k}/weights"]
                file[f"chunks/{k}/weights"] = np.empty(0)
            file["meta/weight2d"] = weight
        scan = read_scan(ptyd)
        assert scan.valid is not None
        assert np.argwhere(~scan.valid).tolist() == [[7, 9]]

    def test_reconstruction(
        self, ptyd: Path, ptyr: Path, known: Known, unexplained: Unexplained
    ) -> None:
        rec = read_reconstruction(ptyr)
        np.testing.assert_array_equal(rec.object, known.image)
        assert rec.origin == pytest.approx((-3 * known.pixel, -4 * known.pixel))
        assert unexplained(read_scan(ptyd), rec) < LIMIT

    def test_a_missing_chunk_ends_the_scan_and_is_told(self, ptyd: Path) -> None:
        with h5py.File(ptyd, "r+") as file:
            del file["chunks/4"]
        scan = read_scan(ptyd)
        assert len(scan) == 8
        assert "Part 4 of the frames is missing" in scan.warnings[0]


class TestEiger:
    @pytest.fixture
    def master(self, write_hdf5: Write, known: Known) -> Path:
        """A master that lists one data file more than there is, and frames off the centre."""
        wide = np.zeros((20, 20, 28), np.uint32)
        wide[:, 4:20, 9:25] = known.frames
        detector = "entry/instrument/detector"
        contents: dict[str, Any] = {
            f"{detector}/detector_distance": known.distance,
            f"{detector}/detector_distance@units": b"m",
            f"{detector}/beam_center_x": 17.0,
            f"{detector}/beam_center_y": 12.0,
            f"{detector}/x_pixel_size": known.pitch,
            f"{detector}/y_pixel_size": known.pitch,
            f"{detector}/detectorSpecific/photon_energy": known.energy_ev,
            f"{detector}/detectorSpecific/photon_energy@units": b"eV",
            f"{detector}/detectorSpecific/pixel_mask": _mask((20, 28), (5, 10)),
            "entry/sample/goniometer/chi": np.array([60.0]),
        }
        for k in range(3):
            name = f"scan_data_{k + 1:06d}.h5"
            contents[f"entry/data/data_{k + 1:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
            if k < 2:
                write_hdf5(name, {"entry/data/data": wide[10 * k : 10 * k + 10]})
        return write_hdf5("scan_master.h5", contents)

    def test_with_a_table(
        self, master: Path, known: Known, unexplained: Unexplained, tmp_path: Path
    ) -> None:
        np.savetxt(tmp_path / "scan.csv", known.metres, delimiter=",")
        scan = read_scan(master)
        check(scan, known, unexplained)
        assert scan.valid is not None
        assert np.argwhere(~scan.valid).tolist() == [[1, 1]]
        assert "cropped to 16 x 16 around the direct beam" in notes(scan)

    def test_velociprobe(
        self, master: Path, known: Known, unexplained: Unexplained, tmp_path: Path
    ) -> None:
        """Nanometres, several readings a trigger, x along a stage turned by 60 degrees."""
        rows = []
        for k, (y, x) in enumerate(np.rint(known.metres * 1e9).astype(int)):
            rows += [[7, 2 * x + j, y - j, 0, 0, 0, 0, k] for j in (-1, 0, 1)]
        np.savetxt(tmp_path / "scan.csv", rows, delimiter=",", fmt="%d")
        scan = read_scan(master)
        check(scan, known, unexplained)
        assert "turned by 60°" in notes(scan)
        assert "60 readings were averaged to 20" in notes(scan)

    def test_lamni(
        self, master: Path, known: Known, unexplained: Unexplained, tmp_path: Path
    ) -> None:
        """Numbered from 1, µm, negated; one frame without a position."""
        lines = ["scan, number 5", "Detector_Count Average_x_st_fzp Stdev_x_st_fzp "
                 "Average_y_st_fzp Stdev_y_st_fzp"]  # fmt: skip
        for k, (y, x) in enumerate(known.metres * 1e6):
            if k != 3:
                lines.append(f"{k + 1} {-x:.6f} 0.0 {-y:.6f} 0.0")
        (tmp_path / "scan.dat").write_text("\n".join(lines))
        scan = read_scan(master)
        assert len(scan) == 19
        keep = np.delete(np.arange(20), 3)
        np.testing.assert_allclose(scan.positions, known.metres[keep], atol=1e-11)
        np.testing.assert_array_equal(scan.frames[:], known.frames[keep])
        assert "1 of 20 frames have no position" in notes(scan)

    def test_named_columns(
        self, master: Path, known: Known, unexplained: Unexplained, tmp_path: Path
    ) -> None:
        text = "index,x [um],y [um]\n" + "\n".join(
            f"{k},{x},{y}" for k, (y, x) in enumerate(known.metres * 1e6)
        )
        (tmp_path / "scan.txt").write_text(text)
        check(read_scan(master), known, unexplained)

    def test_txt_is_x_y(
        self, master: Path, known: Known, unexplained: Unexplained, tmp_path: Path
    ) -> None:
        np.savetxt(tmp_path / "scan.txt", known.metres[:, ::-1])
        check(read_scan(master), known, unexplained)

    def test_one_file_a_line(
        self, write_hdf5: Write, known: Known, unexplained: Unexplained
    ) -> None:
        """ISN and BNP: no master; positions of the whole scan beside the lines."""
        for k in range(4):
            lines = known.frames[5 * k : 5 * k + 5]
            path = write_hdf5(f"scan_0007_{k + 1:05d}.h5", {"entry/data/data": lines})
        write_hdf5(
            "positions.h5",
            {
                "entry/data/X_Position": known.metres[:, 1] * 1e6,
                "entry/data/Y_Position": known.metres[:, 0] * 1e6,
            },
        )
        scan = read_scan(path)
        check(scan, known, unexplained, calibrated=False)
        assert "4 files, scan_0007_00001.h5 to scan_0007_00004.h5" in notes(scan)

    def test_one_file_a_point(
        self, write_hdf5: Write, known: Known, unexplained: Unexplained, tmp_path: Path
    ) -> None:
        for k, frame in enumerate(known.frames):
            name = f"fly_{k // 5}_{k % 5}.h5"
            path = write_hdf5(name, {"entry/data/data": frame})
        np.savetxt(tmp_path / "fly.csv", known.metres, delimiter=",")
        check(read_scan(path), known, unexplained, calibrated=False)

    def test_ptychosaxs(
        self, write_hdf5: Write, known: Known, unexplained: Unexplained, tmp_path: Path
    ) -> None:
        """12-ID: frame and readings of each point in files of their own, lines from 1."""
        for k, (frame, (y, x)) in enumerate(zip(known.frames, known.metres * 1e9, strict=True)):
            name = f"star_0042_{k // 5 + 1:05d}_{k % 5:05d}"
            path = write_hdf5(f"{name}.h5", {"entry/data/data": frame})
            readings = [(0, y - 1, -x + 2, 7), (1, y + 1, -x - 2, 7)]
            np.savetxt(tmp_path / f"{name}.dat", readings)
        scan = read_scan(path)
        check(scan, known, unexplained, calibrated=False)
        assert "as APS 12-ID writes them" in notes(scan)
        (tmp_path / "star_0042_00004_00004.dat").rename(tmp_path / "star_0042_00005_00000.dat")
        with pytest.raises(InputError, match=r"no scan\s+positions"):
            read_scan(path)

    @pytest.fixture
    def processed(self, write_hdf5: Write, known: Known) -> Path:
        """12-ID after processing: a master with the beam, and a file for each line."""
        wide = np.zeros((20, 20, 28), np.uint32)
        wide[:, 4:20, 9:25] = known.frames
        nano = known.metres * 1e9
        for line in range(4):
            rows = slice(5 * line, 5 * line + 5)
            table = np.column_stack([np.full(5, 3.0), nano[rows, 0], -nano[rows, 1]])
            write_hdf5(f"star_0042_{line + 1:05d}.h5", {"dp": wide[rows], "positions": table})
        return write_hdf5("star_0042_master.h5", {"@beam_center_YX": np.array([12, 17])})

    @pytest.mark.parametrize("opened", ["master", "00001", "00003"])
    def test_ptychosaxs_processed(
        self, processed: Path, known: Known, unexplained: Unexplained, opened: str
    ) -> None:
        scan = read_scan(processed.with_name(f"star_0042_{opened}.h5"))
        check(scan, known, unexplained, calibrated=False)
        assert scan.frame_shape == (16, 16), "cropped around the beam that the master names"
        assert scan.optics.detector_pitch == (172e-6, 172e-6)
        assert "Lines of APS 12-ID, processed" in notes(scan)
        assert "4 files, star_0042_00001.h5 to star_0042_00004.h5" in notes(scan)
        assert describe(processed).layout == "APS 12-ID, processed"

    def test_ptychosaxs_processed_may_be_turned_by_hand(
        self, processed: Path, known: Known
    ) -> None:
        line = processed.with_name("star_0042_00001.h5")
        found = inspect_file(line)
        assert not found.problem
        scan = read_scan(line, replace(found.choice, flip="y").layout())
        np.testing.assert_allclose(np.ptp(scan.positions, axis=0), np.ptp(known.metres, axis=0))
        np.testing.assert_allclose(scan.positions[:, 0], -read_scan(line).positions[:, 0])

    def test_ptychosaxs_processed_is_known_by_its_master_only(
        self, processed: Path, write_hdf5: Write
    ) -> None:
        line = processed.with_name("star_0042_00002.h5")
        with h5py.File(processed, "r+") as file:
            del file.attrs["beam_center_YX"]
        assert "(x, y, z)" in notes(read_scan(line))
        assert len(read_scan(line)) == 5

    def test_ptychosaxs_processed_gives_way_to_a_layout_of_the_user(
        self, processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(user_layouts, "layouts_folder", lambda: tmp_path / "config")
        user_layouts.user_layouts.cache_clear()
        own = Layout(
            name="ours",
            require=(("dp",), ("positions",)),
            frames=Field.at("dp"),
            position_y=Field.at("positions", index=2, scale=1e-9),
            position_x=Field.at("positions", index=1, scale=1e-9),
        )
        user_layouts.save_layout(own)
        try:
            assert describe(processed.with_name("star_0042_00002.h5")).layout == "ours"
        finally:
            user_layouts.user_layouts.cache_clear()

    def test_ptychosaxs_processed_lines_that_do_not_fit_are_named(self, processed: Path) -> None:
        with h5py.File(processed.with_name("star_0042_00002.h5"), "r+") as file:
            values = file["positions"][:4]
            del file["positions"]
            file["positions"] = values
        with pytest.raises(InputError, match=r"star_0042_00002.h5: expected as many positions"):
            read_scan(processed)
        processed.with_name("star_0042_00002.h5").write_bytes(b"no HDF5")
        with pytest.raises(InputError, match=r"star_0042_00002.h5"):
            read_scan(processed)

    def test_polar(self, write_hdf5: Write, known: Known, unexplained: Unexplained) -> None:
        """4-ID: the master links to the instrument of the detector's own file."""
        wide = np.zeros((20, 20, 28), np.uint32)
        wide[:, 4:20, 9:25] = known.frames
        write_hdf5(
            "eiger.h5",
            {
                "entry/data/data": wide,
                "entry/instrument/detector/data": h5py.SoftLink("/entry/data/data"),
                "entry/instrument/NDAttributes/BeamCenterX": np.full(20, 17.0),
                "entry/instrument/NDAttributes/BeamCenterY": np.full(20, 12.0),
                "entry/instrument/NDAttributes/DetectorDistance": np.full(20, known.distance * 1e3),
            },
        )
        bluesky = "entry/instrument/bluesky/streams"
        scan = read_scan(
            write_hdf5(
                "master.h5",
                {
                    "entry/externals/eiger": h5py.ExternalLink("eiger.h5", "/entry/instrument"),
                    f"{bluesky}/baseline/mono_energy/value_start": known.energy_ev / 1e3,
                    f"{bluesky}/primary/huber_hp_nanox/value": known.metres[:, 1] * 1e6,
                    f"{bluesky}/primary/huber_hp_nanoy/value": known.metres[:, 0] * 1e6,
                },
            )
        )
        check(scan, known, unexplained, calibrated=False)
        assert scan.optics.energy_kev == pytest.approx(known.energy_ev / 1e3)
        assert scan.optics.detector_distance == pytest.approx(known.distance)

    def test_a_beam_that_cannot_be_is_not_believed(
        self, master: Path, known: Known, tmp_path: Path
    ) -> None:
        np.savetxt(tmp_path / "scan.csv", known.metres, delimiter=",")
        with h5py.File(master, "r+") as file:
            file["entry/instrument/detector/beam_center_x"][()] = 1.0
        scan = read_scan(master)
        assert scan.frame_shape == (20, 28)
        assert "beam centre" in notes(scan)

    def test_lynx(
        self, write_hdf5: Write, known: Known, unexplained: Unexplained, tmp_path: Path
    ) -> None:
        np.savetxt(tmp_path / "scan.csv", known.metres, delimiter=",")
        data = "entry/data/eiger_4"
        attributes = {
            "Photon_energy_kev": known.energy_ev / 1e3,
            "Detector_distance_m": known.distance,
            "Pixel_size": known.pitch,
        }
        contents = {data: known.frames} | {f"{data}@{k}": v for k, v in attributes.items()}
        check(read_scan(write_hdf5("run.h5", contents)), known, unexplained)


def _mask(shape: tuple[int, int], bad: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, np.uint32)
    mask[bad] = 1
    return mask


BEAMLINES: dict[str, Callable[[Known], dict[str, Any]]] = {
    "NanoMAX": lambda k: {
        "entry/measurement/eiger1m/frames": k.frames,
        "entry/measurement/pseudo/x": k.metres[:, 1] * 1e6,
        "entry/measurement/pseudo/y": k.metres[:, 0] * 1e6,
        "entry/snapshot/energy": np.array([k.energy_ev]),
    },
    "SoftiMAX": lambda k: {
        "entry/data/data": k.frames,
        "entry/data/samx": k.metres[:, 1] * 1e6,
        "entry/data/samy": k.metres[:, 0] * 1e6,
    },
    "LCLS": lambda k: {
        "jungfrau1M/image_img": k.frames,
        "lmc/ch03": -k.metres[:, 1] * 1e6,
        "lmc/ch04": np.zeros(20),
        "lmc/ch05": -k.metres[:, 0] * 1e6,
        "ipm2/sum": np.full(20, 2500.0),
    },
    "CSSI": lambda k: {
        "exchange/data": k.frames,
        "exchange/motor_pos": k.metres[:, ::-1] * 1e3,
    },
    "I13": lambda k: {
        "entry1/instrument/merlin/data": k.frames,
        "entry1/instrument/t1_sxy/t1_sx": k.metres[:, 1] * 1e6,
        "entry1/instrument/t1_sxy/t1_sy": k.metres[:, 0] * 1e6,
    },
    "HXN raw": lambda k: {
        "diff_data/merlin1/det_images": k.frames,
        "scan/scan_positions": k.metres[:, ::-1].T * 1e6,
        "scan/energy": k.energy_ev,
    },
    "NXcxi_ptycho": lambda k: {
        "entry_1/definition": b"NXptycho",
        "entry_1/data/data": k.frames,
        "entry_1/data/x": k.metres[:, 1] * 1e3,
        "entry_1/data/x@units": b"mm",
        "entry_1/data/y": k.metres[:, 0] * 1e3,
        "entry_1/data/y@units": b"mm",
        "entry_1/instrument_1/source_1/energy": 3.0,  # of the machine
        "entry_1/instrument_1/beam_1/energy": k.energy_ev / 1e3,
        "entry_1/instrument_1/beam_1/energy@units": b"keV",
        "entry_1/instrument_1/detector_1/distance": k.distance,
        "entry_1/instrument_1/detector_1/x_pixel_size": k.pitch * 1e6,
        "entry_1/instrument_1/detector_1/x_pixel_size@units": b"um",
        "entry_1/instrument_1/detector_1/y_pixel_size": k.pitch * 1e6,
        "entry_1/instrument_1/detector_1/y_pixel_size@units": b"um",
    },
}


@pytest.mark.parametrize("name", BEAMLINES)
def test_beamlines(name: str, write_hdf5: Write, known: Known, unexplained: Unexplained) -> None:
    scan = read_scan(write_hdf5("scan.h5", BEAMLINES[name](known)))
    check(scan, known, unexplained, calibrated=name == "NXcxi_ptycho")
    if name in ("NanoMAX", "HXN raw"):
        assert scan.optics.energy_kev == pytest.approx(known.energy_ev / 1e3)
    assert "may be mirrored" in notes(scan) or name not in ("NanoMAX", "CSSI", "I13")


def test_csaxs_with_the_orchestra(
    write_hdf5: Write, known: Known, unexplained: Unexplained, tmp_path: Path
) -> None:
    path = write_hdf5(
        "scan_00007.h5",
        {
            "entry/data/data": known.frames,
            "entry/instrument/monochromator/energy": known.energy_ev / 1e3,
            "entry/instrument/monochromator/distance": -known.distance * 1e3,
            "entry/instrument/eiger_4/x_pixel_size": known.pitch * 1e6,
            "entry/instrument/eiger_4/y_pixel_size": known.pitch * 1e6,
        },
    )
    names = "DataPoint TotalPoints Target_x Average_x_st_fzp Stdev_x_st_fzp Target_y "
    names += "Average_y_st_fzp Stdev_y_st_fzp"
    rows = [f"{k} 20 0 {-x} 0 0 {-y} 0" for k, (y, x) in enumerate(known.metres * 1e6)]
    (tmp_path / "scan_00007.dat").write_text("\n".join(["S07, at noon", names, *rows]))
    check(read_scan(path), known, unexplained)


def test_swing(write_hdf5: Write, known: Known, unexplained: Unexplained, tmp_path: Path) -> None:
    """Frames (n, 1, y, x), as some of its files have them; vertical is z."""
    path = write_hdf5(
        "scan_00912.nxs",
        {
            "scan_00912/scan_data/eiger_image": known.frames[:, np.newaxis],
            "scan_00912/SWING/EIGER-4M/distance": np.array([known.distance * 1e3]),
            "scan_00912/SWING/EIGER-4M/pixel_size_x": np.array([known.pitch * 1e6]),
            "scan_00912/SWING/EIGER-4M/pixel_size_z": np.array([known.pitch * 1e6]),
        },
    )
    np.savetxt(tmp_path / "scan_00912.csv", known.metres, delimiter=",")
    scan = read_scan(path)
    check(scan, known, unexplained, calibrated=False)
    assert scan.optics.detector_distance == pytest.approx(known.distance)
    assert scan.optics.detector_pitch == pytest.approx((known.pitch, known.pitch))


@pytest.mark.parametrize("raster", [True, False])
def test_nxcxi_raster(raster: bool, write_hdf5: Write, known: Known) -> None:
    """Frames (ny, nx, y, x), with positions for each point or for each axis."""
    y, x = np.arange(4) * 3e-8, np.arange(5) * 2e-8
    grid = np.meshgrid(y, x, indexing="ij")
    path = write_hdf5(
        "scan.nxs",
        {
            "entry_1/data/data": known.frames.reshape(4, 5, 16, 16),
            "entry_1/data/y": grid[0] if raster else y,
            "entry_1/data/x": grid[1] if raster else x,
            "entry_1/instrument_1/beam_1/energy": 8.8,
        },
    )
    scan = read_scan(path)
    np.testing.assert_allclose(scan.positions, np.stack([g.ravel() for g in grid], axis=1))
    np.testing.assert_array_equal(scan.frames[:], known.frames)
    assert scan.optics.energy_kev == pytest.approx(8.8)
    assert "taken as keV" in notes(scan)


class TestHxn:
    def test_arrays_are_x_y(
        self, write_hdf5: Write, known: Known, unexplained: Unexplained
    ) -> None:
        amplitude = np.fft.fftshift(np.sqrt(known.frames.astype(float)), axes=(1, 2))
        path = write_hdf5(
            "scan_9.h5",
            {
                "diffamp": np.swapaxes(amplitude, 1, 2),
                "points": known.metres[:, ::-1].T * 1e6,
                "lambda_nm": known.wavelength * 1e9,
                "z_m": known.distance,
                "ccd_pixel_um": known.pitch * 1e6,
                "angle": 0.0,
            },
        )
        check(read_scan(path), known, unexplained)

    def test_matlab(self, write_hdf5: Write, known: Known) -> None:
        numbered = np.stack([np.arange(20.0), *(known.metres[:, ::-1].T * 1e6)])
        path = write_hdf5(
            "scan.mat",
            {
                "det_data": known.frames,
                "det_pixel_size": np.array([[known.pitch * 1e6]]),
                "det_dist": np.array([[known.distance * 1e6]]),
                "energy": np.array([[known.energy_ev / 1e3]]),
                "pos_xy": numbered,
            },
        )
        scan = read_scan(path)
        np.testing.assert_allclose(scan.positions, known.metres)
        assert scan.pixel_size == pytest.approx((known.pixel, known.pixel))


class TestPynx:
    def test_object_is_turned_back(
        self, write_cxi: Write, write_hdf5: Write, known: Known, unexplained: Unexplained
    ) -> None:
        """y counts upwards: the first row of the file is the highest."""
        scan_path = write_cxi(
            **{
                "entry_1/instrument_1/detector_1/data": known.frames,
                "entry_1/sample_1/geometry_1/translation": np.stack(
                    [known.metres[:, 1], known.metres[:, 0], np.zeros(20)]
                ),
            }
        )
        rows = (np.arange(known.image.shape[0]) * known.pixel)[::-1]
        path = write_hdf5(
            "result.cxi",
            {
                "entry_1/object/data": known.image[np.newaxis, ::-1],
                "entry_1/object/x_pixel_size": known.pixel,
                "entry_1/object/y_pixel_size": known.pixel,
                "entry_1/object/row_coords": rows * 1e9,
                "entry_1/object/row_coords@units": b"nm",
                "entry_1/object/col_coords": np.arange(known.image.shape[1]) * known.pixel * 1e9,
                "entry_1/object/col_coords@units": b"nm",
                "entry_1/probe/data": known.probe[:, ::-1],
                "entry_last": h5py.SoftLink("/entry_1"),
            },
        )
        rec = read_reconstruction(path)
        np.testing.assert_array_equal(rec.object, known.image)
        scan = read_scan(scan_path)
        shifted = Scan(
            frames=scan.frames,
            positions=scan.positions - known.pixel / 2,  # CXI marks (N - 1) / 2
            unit="m",
            pixel_size=(known.pixel, known.pixel),
        )
        assert unexplained(shifted, rec) < LIMIT


class TestFoldSlice:
    @pytest.mark.parametrize("version", ["7.3", "5"])
    def test_result(
        self,
        version: str,
        write_hdf5: Write,
        tmp_path: Path,
        known: Known,
        unexplained: Unexplained,
    ) -> None:
        size = np.asarray(known.image.shape)
        # A window begins at round(position) + ceil((size - N) / 2), counted from 1.
        start = known.corners + 1 - np.ceil((size - 16) / 2)
        values = {
            "object": known.image,
            "probe": known.probe[0],
            "outputs/probe_positions": start[:, ::-1],
            "p/lambda": known.wavelength,
            "p/dx_spec": np.array([known.pixel, known.pixel]),
        }
        path = tmp_path / "Niter100.mat"
        if version == "5":
            from scipy.io import savemat

            nested: dict[str, Any] = {}
            for name, value in values.items():
                group, _, leaf = name.rpartition("/")
                (nested.setdefault(group, {}) if group else nested)[leaf] = value
            savemat(path, nested)
        else:
            _write_v73(path, values)
        write_hdf5("scan_dp.hdf5", {"dp": known.frames})
        para = write_hdf5(
            "scan_para.hdf5",
            {
                "ppX": -known.metres[:, 1],
                "ppY": -known.metres[:, 0],
                "lambda": known.wavelength,
                "dx": known.pixel,
            },
        )
        rec = read_reconstruction(path)
        np.testing.assert_allclose(rec.object, known.image)
        assert rec.pixel_size == pytest.approx((known.pixel, known.pixel))
        scan = read_scan(para)
        assert "found beside it" in notes(scan)
        assert unexplained(scan, rec) < LIMIT

    def test_positions_alone_have_the_sign_of_its_own_result(
        self, write_hdf5: Write, known: Known, unexplained: Unexplained
    ) -> None:
        path = write_hdf5(
            "scan.h5",
            {"dp": known.frames, "ppX": -known.metres[:, 1:], "ppY": -known.metres[:, :1]},
        )
        check(read_scan(path), known, unexplained, calibrated=False)
        assert "ptychodus takes the opposite" in notes(read_scan(path))

    def test_electrons_are_in_angstrom(self, tmp_path: Path, known: Known) -> None:
        size = np.asarray(known.image.shape)
        start = known.corners + 1 - np.ceil((size - 16) / 2)
        values = {
            "object": known.image,
            "probe": known.probe[0],
            "outputs/probe_positions": start[:, ::-1],
            "p/lambda": 0.0251,
            "p/dx_spec": np.array([0.23, 0.23]),
        }
        _write_v73(tmp_path / "Niter100.mat", values)
        rec = read_reconstruction(tmp_path / "Niter100.mat")
        assert rec.pixel_size == pytest.approx((0.23e-10, 0.23e-10))

    @pytest.mark.parametrize("lengths", [True, False], ids=["with lengths", "alone"])
    def test_positions_of_electrons_are_in_angstrom(
        self, lengths: bool, write_hdf5: Write, known: Known
    ) -> None:
        pixel = 0.23
        stored = {
            "ppX": -known.positions[:, 1] * pixel,
            "ppY": -known.positions[:, 0] * pixel,
            **({"lambda": 0.0251, "dx": pixel} if lengths else {}),
        }
        write_hdf5("scan_dp.hdf5", {"dp": known.frames})
        scan = read_scan(write_hdf5("scan_para.hdf5", stored))
        assert scan.unit == "m"
        moved = scan.positions - scan.positions[0]
        expected = (known.positions - known.positions[0]) * pixel * 1e-10
        np.testing.assert_allclose(moved, expected, atol=1e-3 * pixel * 1e-10)
        assert "in ångström" in notes(scan)
        if lengths:
            assert scan.pixel_size == pytest.approx((pixel * 1e-10,) * 2)
            assert scan.optics.wavelength == pytest.approx(0.0251e-10)

    def test_ptychoshelves(self, write_hdf5: Write, known: Known) -> None:
        object_ = "reconstruction/p/objects/object_0"
        path = write_hdf5(
            "S00001_recons.h5",
            {
                object_: known.image.T,
                "reconstruction/p/probes/probe_0": known.probe.swapaxes(1, 2),
                "reconstruction/p/dx_spec": np.array([[known.pixel, known.pixel]]),
            },
        )
        rec = read_reconstruction(path)
        np.testing.assert_array_equal(rec.object, known.image)
        assert rec.pixel_size == (known.pixel, known.pixel)


def _write_v73(path: Path, values: dict[str, Any]) -> None:
    """Write as MATLAB -v7.3 does: a block before the HDF5, axes reversed, pairs for complex."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in values.items():
            array = np.atleast_2d(np.asarray(value)).T
            if np.iscomplexobj(array):
                pairs = np.empty(array.shape, [("real", "<f4"), ("imag", "<f4")])
                pairs["real"], pairs["imag"] = array.real, array.imag
                array = pairs
            file.create_dataset(name, data=array).attrs["MATLAB_class"] = b"double"
        file["outputs"].attrs["MATLAB_class"] = b"struct"
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(128))


class TestNumpy:
    def test_slac(self, tmp_path: Path, known: Known) -> None:
        """Frames (y, x, n) of amplitudes, and coordinates called otherwise."""
        np.savez(
            tmp_path / "run.npz",
            diffraction=np.moveaxis(np.sqrt(known.frames.astype(np.float32)), 0, -1),
            xcoords_start=known.positions[:, 1],
            ycoords_start=known.positions[:, 0],
            probeGuess=known.probe[0],
            objectGuess=known.image,
            photon_energy_eV=known.energy_ev,
            detector_distance_m=known.distance,
            detector_pixel_size_m=known.pitch,
        )
        scan = read_scan(tmp_path / "run.npz")
        np.testing.assert_allclose(scan.frames[:], known.frames, rtol=1e-5)
        assert scan.unit == "m"
        assert scan.pixel_size == pytest.approx((known.pixel, known.pixel))
        np.testing.assert_allclose(scan.positions, known.metres)

    def test_complex_npy_is_an_object(self, tmp_path: Path, known: Known) -> None:
        np.save(tmp_path / "object.npy", known.image)
        assert list_reconstructions(tmp_path / "object.npy") == ("/",)
        rec = read_reconstruction(tmp_path / "object.npy")
        np.testing.assert_array_equal(rec.object, known.image)
        assert rec.unit == "pixel"

    def test_complex_patches_are_neither(self, tmp_path: Path) -> None:
        """PtychoNN's training data: one patch for each frame, without places."""
        np.save(tmp_path / "patches.npy", np.ones((3, 3, 16, 16), np.complex64))
        with pytest.raises(InputError, match="cut out of one object"):
            read_scan(tmp_path / "patches.npy")
        with pytest.raises(InputError, match="cut out of one object"):
            read_reconstruction(tmp_path / "patches.npy")

    def test_patches_beside_frames_are_told_of(self, tmp_path: Path, known: Known) -> None:
        np.savez(
            tmp_path / "run.npz",
            reciprocal=known.frames,
            position=known.metres,
            real=np.ones((20, 16, 16), np.complex64),
        )
        scan = read_scan(tmp_path / "run.npz")
        np.testing.assert_allclose(scan.positions, known.metres)
        assert "The complex patches (20, 16, 16) in real" in notes(scan)
        with pytest.raises(InputError, match=r"complex patches .* cut out of one object"):
            read_reconstruction(tmp_path / "run.npz")


class TestElectrons:
    def test_emd_1(self, write_hdf5: Write, known: Known) -> None:
        """py4DSTEM: the first two values of each axis, in ångström."""
        raster = known.frames.reshape(4, 5, 16, 16)
        path = write_hdf5(
            "scan.h5",
            {
                "@emd_group_type": b"file",
                "datacube_root/datacube/data": raster,
                "datacube_root/datacube/dim0": np.array([0.0, 4.0]),
                "datacube_root/datacube/dim0@units": "A",
                "datacube_root/datacube/dim1": np.array([0.0, 2.0]),
                "datacube_root/datacube/dim1@units": "A",
                "datacube_root@emd_group_type": b"root",
            },
        )
        scan = read_scan(path)
        assert scan.unit == "m"
        np.testing.assert_allclose(scan.positions[[0, 1, 5]], [[0, 0], [0, 2e-10], [4e-10, 0]])
        np.testing.assert_array_equal(scan.frames[:], known.frames)
        assert scan.line is not None

    @pytest.mark.parametrize(
        "group", ["data/scan", "experiment/data/scan", "4DSTEM_experiment/data/datacubes/cube_0"]
    )
    def test_emd_0(self, group: str, write_hdf5: Write, known: Known) -> None:
        path = write_hdf5(
            "scan.emd",
            {
                f"{group}/data": known.frames.reshape(4, 5, 16, 16),
                f"{group}/dim1": np.arange(4) * 3.0,
                f"{group}/dim1@units": "[nm]",
                f"{group}/dim2": np.arange(5) * 2.0,
                f"{group}/dim2@units": "[nm]",
                f"{group}/dim3": np.arange(16.0),
                f"{group}/dim4": np.arange(16.0),
            },
        )
        scan = read_scan(path)
        np.testing.assert_allclose(scan.positions[6], [3e-9, 2e-9])
        assert len(scan) == 20

    def test_without_libertem_it_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import sys

        from napari_ptychonn.io.containers.electron_detectors import open_electrons

        monkeypatch.setitem(sys.modules, "libertem.api", None)
        (tmp_path / "scan.dm4").write_bytes(b"\0\0\0\4\0\0\0\0" + bytes(64))
        with pytest.raises(InputError, match=r"napari-ptychonn\[em\]"):
            open_electrons(tmp_path / "scan.dm4")

    def test_merlin(self, tmp_path: Path, known: Known) -> None:
        path = tmp_path / "scan.mib"
        with path.open("wb") as stream:
            for k, frame in enumerate(known.frames):
                head = f"MQ1,{k + 1:06d},00384,01,0016,0016,U16,   1x1,01,"
                stream.write(head.encode().ljust(384, b"\0") + frame.astype(">u2").tobytes())
        with pytest.raises(InputError, match="no scan positions"):
            read_scan(path)  # 20 frames are no square, and nobody says how long a line is
        (tmp_path / "scan.hdr").write_text("HDR,\nFrames per Trigger (Number):\t10\n")
        scan = read_scan(path)
        np.testing.assert_array_equal(scan.frames[:], known.frames)
        assert np.ptp(scan.positions, axis=0).tolist() == [1, 9]
        assert "not the true step" in notes(scan)
        assert scan.frames.dtype.isnative

    @pytest.mark.parametrize("head", [b"MQ1,1,384,01,x", b"MQ1,1,00384,01,0016,0016,R64,"])
    def test_merlin_that_cannot_be_read(self, head: bytes, tmp_path: Path) -> None:
        (tmp_path / "scan.mib").write_bytes(head.ljust(1000, b"\0"))
        with pytest.raises(InputError, match=r"damaged|raw mode"):
            read_scan(tmp_path / "scan.mib")

    def test_merlin_frames_that_are_not_where_they_should_be(
        self, tmp_path: Path, known: Known
    ) -> None:
        path = tmp_path / "scan.mib"
        head = b"MQ1,000001,00384,01,0016,0016,U16,   1x1,01,".ljust(384, b"\0")
        frame = known.frames[0].astype(">u2").tobytes()
        path.write_bytes((head + frame) * 3 + b"lost" + (head + frame) * 3)
        with pytest.raises(InputError, match="does not begin with a header"):
            read_scan(path)

    def test_empad(self, tmp_path: Path) -> None:
        """Rows 128 and 129 of each frame are the detector's own."""
        stored = np.arange(6 * 130 * 128, dtype="<f4").reshape(6, 130, 128)
        stored.tofile(tmp_path / "scan_x3_y2.raw")
        scan = read_scan(tmp_path / "scan_x3_y2.raw")
        np.testing.assert_array_equal(scan.frames[:], stored[:, :128])
        assert np.ptp(scan.positions, axis=0).tolist() == [1, 2]


class TestTiff:
    @pytest.mark.parametrize(
        ("amplitude", "phase"),
        [
            ("scan-7_object_amp.tiff", "scan-7_object_angle.tiff"),
            ("a_amplitude.tif", "a_phase.tif"),
        ],
    )
    def test_pair(self, amplitude: str, phase: str, tmp_path: Path, known: Known) -> None:
        import tifffile

        for name, values in ((amplitude, np.abs), (phase, np.angle)):
            tifffile.imwrite(tmp_path / name, values(known.image).astype(np.float32))
        for name in (amplitude, phase):
            rec = read_reconstruction(tmp_path / name)
            np.testing.assert_allclose(rec.object, known.image, atol=1e-6)
            assert rec.unit == "pixel"

    def test_one_of_the_two_is_missing(self, tmp_path: Path) -> None:
        import tifffile

        tifffile.imwrite(tmp_path / "a_amp.tif", np.ones((9, 9), np.float32))
        with pytest.raises(InputError, match="beside it, found none"):
            read_reconstruction(tmp_path / "a_amp.tif")
        tifffile.imwrite(tmp_path / "photo.tif", np.ones((9, 9), np.float32))
        with pytest.raises(InputError, match="its name says neither"):
            read_reconstruction(tmp_path / "photo.tif")
