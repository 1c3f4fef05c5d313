"""Scans as other programs write them, by hand and for real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (this process opens no scan otherwise)
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction, read_scan

Write = Callable[..., Path]
Counts = NDArray[np.uint16]
Positions = NDArray[np.float64]
PIXEL, HALF = 10e-9, 5e-9


def notes(scan: Scan) -> str:
    return " ".join(scan.notes)


class TestPtychodus:
    def test_either_of_the_pair_finds_the_other(
        self, write_product: Write, write_hdf5: Write, counts: Counts, raster: Positions
    ) -> None:
        product = write_product("scan12_para.hdf5")
        frames = write_hdf5("scan12_dp.hdf5", {"dp": counts}, chunks=(5, 8, 8), compression="lzf")
        for path in (product, frames):
            scan = read_scan(path)
            np.testing.assert_array_equal(scan.frames[:], counts)
            np.testing.assert_allclose(scan.positions, raster + HALF, rtol=1e-12)
            assert scan.pixel_size == (PIXEL, PIXEL)
            assert scan.optics.energy_kev == pytest.approx(8.8)
            assert scan.optics.detector_distance == 1.5
            assert scan.unit == "m"
            assert scan.probe is not None
            assert scan.probe.shape == (2, 16, 16)
            assert "found beside it" in notes(scan)
            rec = read_reconstruction(path)
            assert rec.object.shape == (31, 40)
            np.testing.assert_array_equal(rec.indices, np.arange(20))

    def test_joined_by_index_with_a_mask(
        self, write_product: Write, write_hdf5: Write, counts: Counts, raster: Positions
    ) -> None:
        bad = np.zeros((16, 16), bool)
        bad[0, :3] = True
        order = np.random.default_rng(0).permutation(20)[:18]
        write_product("product.h5", probe_position_indexes=np.arange(100, 120))
        path = write_hdf5(
            "diffraction.h5",
            {"patterns": counts[order], "indexes": 100 + order, "bad_pixels": bad},
        )
        with pytest.raises(InputError, match="looked for"):
            read_scan(path)  # two of the product's frames are in no file: not its companion
        kept = np.sort(order)
        write_product(
            "product.h5",
            probe_position_indexes=100 + kept,
            probe_position_y_m=raster[kept, 0],
            probe_position_x_m=raster[kept, 1],
        )
        scan = read_scan(path)
        assert len(scan) == 18
        np.testing.assert_array_equal(scan.frames[:], counts[kept])
        np.testing.assert_allclose(scan.positions, raster[kept] + HALF)
        assert scan.valid is not None
        np.testing.assert_array_equal(~scan.valid, bad)
        assert "3 of 256 detector pixels are masked" in notes(scan)
        # Scan points, not numbers of the file.
        np.testing.assert_array_equal(read_reconstruction(path).indices, np.arange(18))

    def test_frames_without_a_position_are_left_out_and_counted(
        self, write_product: Write, write_hdf5: Write, counts: Counts, raster: Positions
    ) -> None:
        some = np.array([2, 3, 7, 11])
        product = write_product(
            probe_position_indexes=some,
            probe_position_y_m=raster[some, 0],
            probe_position_x_m=raster[some, 1],
        )
        write_hdf5("dp.h5", {"dp": counts})
        scan = read_scan(product)
        np.testing.assert_array_equal(scan.frames[:], counts[some])
        assert "16 of 20 frames have no position" in notes(scan)

    def test_object_is_placed_as_ptychodus_places_it(self, write_product: Write) -> None:
        rec = read_reconstruction(write_product())
        # column = (x − cx) / dx + (W − 1) / 2 is where (N − 1) / 2 lies; ours is N // 2.
        x, cx, width = 30e-9, 60e-9, 40
        column = (x - cx) / PIXEL + (width - 1) / 2
        assert rec.positions is not None
        assert rec.pixel_index(rec.positions)[1, 1] == pytest.approx(column + 0.5)
        assert (rec.name, rec.unit) == ("star", "m")

    def test_several_neighbours_are_not_guessed_between(
        self, write_product: Write, write_hdf5: Write, counts: Counts
    ) -> None:
        product = write_product("scan7_product.h5")
        for number in (5, 6):
            write_hdf5(f"scan{number}_dp.h5", {"dp": counts})
        with pytest.raises(InputError, match="several files beside it fit"):
            read_scan(product)
        write_hdf5("scan7_dp.h5", {"dp": counts + 1})
        assert read_scan(product).frames[0, 0, 0] == counts[0, 0, 0] + 1

    def test_frames_beside_the_object_in_one_file(
        self, write_product: Write, counts: Counts
    ) -> None:
        assert len(read_scan(write_product(dp=counts))) == 20

    def test_training_data(
        self,
        write_hdf5: Write,
        counts: Counts,
        probe: NDArray[np.complex64],
        image: NDArray[np.complex64],
        raster: Positions,
    ) -> None:
        pixels = raster / PIXEL + 9
        path = write_hdf5(
            "training.h5",
            {
                "patterns": counts,
                "bad_pixels": np.zeros((16, 16), bool),
                "probe": probe,
                "object": image,
                "probe_position_x_px": pixels[:, 1],
                "probe_position_y_px": pixels[:, 0],
                "object_pixel_height_m": PIXEL,
                "object_pixel_width_m": PIXEL,
                "photon_energy_eV": 8800.0,
                "detector_object_distance_m": 1.5,
            },
        )
        scan, rec = read_scan(path), read_reconstruction(path)
        assert scan.unit == rec.unit == "m"
        assert scan.pixel_size == rec.pixel_size == (PIXEL, PIXEL)
        np.testing.assert_allclose(scan.positions, (pixels + 0.5) * PIXEL)
        placed, positions = rec.align_to(scan)
        np.testing.assert_allclose(placed.pixel_index(positions), pixels + 0.5)


class TestCxi:
    def test_letter_of_the_format(
        self, write_cxi: Write, counts: Counts, raster: Positions
    ) -> None:
        mask = np.zeros((16, 16), np.uint32)
        mask[3, 4], mask[5, 6] = 1, 0x1000  # has signal
        scan = read_scan(write_cxi(**{"entry_1/instrument_1/detector_1/mask": mask}))
        np.testing.assert_array_equal(scan.frames[:], counts)
        np.testing.assert_allclose(scan.pixel_size, PIXEL)
        np.testing.assert_allclose(scan.positions, raster + HALF)
        assert scan.optics.energy_kev == pytest.approx(8.8)
        assert scan.valid is not None
        assert np.argwhere(~scan.valid).tolist() == [[3, 4]]
        assert scan.line is not None
        assert scan.line.tolist() == np.repeat(np.arange(4), 5).tolist()

    def test_pynx_writes_three_rows(self, write_cxi: Write, raster: Positions) -> None:
        xyz = np.stack([raster[:, 1], raster[:, 0], 0 * raster[:, 0]])
        scan = read_scan(write_cxi(**{"entry_1/sample_1/geometry_1/translation": xyz}))
        np.testing.assert_allclose(scan.positions, raster + HALF)

    def test_wavelength_instead_of_energy_and_translation_elsewhere(
        self, write_cxi: Write, raster: Positions
    ) -> None:
        xyz = np.stack([raster[:, 1], raster[:, 0], 0 * raster[:, 0]], axis=1)
        scan = read_scan(
            write_cxi(
                **{
                    "entry_1/instrument_1/source_1/energy": None,
                    "entry_1/instrument_1/source_1/wavelength": 1.409e-10,
                    "entry_1/sample_1/geometry_1/translation": None,
                    "entry_1/data_1/translation": xyz,
                }
            )
        )
        assert scan.optics.wavelength == pytest.approx(1.409e-10)
        assert len(scan) == 20

    def test_machine_energy_is_not_believed(self, write_cxi: Write) -> None:
        scan = read_scan(write_cxi(**{"entry_1/instrument_1/source_1/energy": 6e9 * 1.6e-19}))
        assert any("5.99e+09 eV" in warning for warning in scan.warnings)
        assert scan.pixel_size is None
        assert "pixel size is not known" in notes(scan)

    def test_probe_and_object(
        self, write_cxi: Write, probe: NDArray[np.complex64], image: NDArray[np.complex64]
    ) -> None:
        path = write_cxi(
            **{
                "entry_1/image_1/data": probe[np.newaxis],
                "entry_1/image_2/data": image[np.newaxis],
                "entry_1/image_2/image_size": np.array([40 * PIXEL, 31 * PIXEL, 0.0]),
                "entry_1/ptychodus/object_center_x_m": 60e-9,
                "entry_1/ptychodus/object_center_y_m": 45e-9,
            }
        )
        rec = read_reconstruction(path)
        np.testing.assert_array_equal(rec.object, image)
        np.testing.assert_allclose(rec.pixel_size, PIXEL)
        np.testing.assert_allclose(rec.origin, (45e-9 - 15 * PIXEL, 60e-9 - 19.5 * PIXEL))
        assert rec.probe is not None
        assert read_scan(path).probe is not None

    def test_translation_of_nan_is_left_out_or_refused(
        self, write_cxi: Write, raster: Positions, counts: Counts
    ) -> None:
        xyz = np.stack([raster[:, 1], raster[:, 0], 0 * raster[:, 0]], axis=1)
        xyz[3, 0] = np.nan
        where = "entry_1/sample_1/geometry_1/translation"
        scan = read_scan(write_cxi(**{where: xyz}))
        assert len(scan) == 19
        np.testing.assert_array_equal(scan.frames[3], counts[4])
        assert "1 of 20 positions are not finite" in notes(scan)
        with pytest.raises(InputError, match="none of the 20 positions"):
            read_scan(write_cxi("nan.cxi", **{where: xyz * np.nan}))


class TestNumpy:
    def test_ptychonn_raster(self, tmp_path: Path, counts: Counts) -> None:
        path = tmp_path / "data.npz"
        np.savez_compressed(path, counts.reshape(4, 5, 16, 16))
        scan = read_scan(path)
        np.testing.assert_array_equal(scan.frames[:], counts)
        assert scan.unit == "pixel"
        assert scan.positions[6].tolist() == [1, 1]
        assert "not the true step" in notes(scan)
        assert scan.line is not None
        assert scan.line.max() == 3

    def test_ptychopinn_amplitudes(
        self, tmp_path: Path, counts: Counts, image: NDArray[np.complex64]
    ) -> None:
        path = tmp_path / "run.npz"
        x, y = np.arange(20) + 9.5, np.arange(20) / 2 + 10.25
        amplitude = np.sqrt(counts).astype(np.float32)
        np.savez(path, diffraction=amplitude, xcoords=x, ycoords=y, objectGuess=image,
                 probeGuess=np.ones((16, 16), np.complex64))  # fmt: skip
        scan, rec = read_scan(path), read_reconstruction(path)
        np.testing.assert_allclose(scan.frames[:], counts, rtol=1e-5)
        np.testing.assert_allclose(scan.positions, np.stack([y, x], axis=1))
        placed, positions = rec.align_to(scan)
        np.testing.assert_allclose(placed.pixel_index(positions)[:, 1], x)
        np.savez(path, diffraction=np.moveaxis(amplitude, 0, -1), xcoords=x, ycoords=y)
        turned = read_scan(path)
        np.testing.assert_allclose(turned.frames[7], counts[7], rtol=1e-5)
        assert "axes were reordered" in notes(turned)

    @pytest.mark.parametrize("gain", [1 / 731, 0.25, 1e3])
    @pytest.mark.parametrize("root", [False, True])
    def test_scaled_counts_are_read_as_photons(
        self, tmp_path: Path, counts: Counts, gain: float, root: bool
    ) -> None:
        frames = (counts * gain).astype(np.float32)
        shown = np.sqrt(frames) if root else frames
        np.savez(tmp_path / "a.npz", shown.reshape(4, 5, 16, 16))
        scan = read_scan(tmp_path / "a.npz")
        np.testing.assert_allclose(scan.frames[:], counts, rtol=1e-4)
        assert bool(scan.warnings) == root
        assert f"{gain:.6g}" in notes(scan)

    def test_npy_with_a_table_beside_it(
        self, tmp_path: Path, counts: Counts, raster: Positions
    ) -> None:
        np.save(tmp_path / "frames.npy", counts)
        with pytest.raises(InputError, match="no scan positions"):
            read_scan(tmp_path / "frames.npy")
        np.savetxt(tmp_path / "positions.csv", raster, delimiter=",")
        np.savetxt(tmp_path / "other.csv", raster[:7], delimiter=",")
        scan = read_scan(tmp_path / "frames.npy")
        np.testing.assert_allclose(scan.positions, raster)
        assert isinstance(scan.frames[0], np.ndarray)
        assert "positions.csv" in notes(scan)
        assert scan.unit == "m"

    def test_corner_is_seen(self, tmp_path: Path, counts: Counts, raster: Positions) -> None:
        shifted = np.fft.ifftshift(counts, axes=(-2, -1))
        np.savez(tmp_path / "a.npz", reciprocal=shifted, position=raster)
        scan = read_scan(tmp_path / "a.npz")
        np.testing.assert_array_equal(scan.frames[:], counts)
        assert "corner" in notes(scan)


class TestAnyOther:
    def test_names_in_a_group(self, write_hdf5: Write, counts: Counts, raster: Positions) -> None:
        path = write_hdf5(
            "other.h5",
            {
                "run/detector/intensity": counts,
                "run/motors/pos_x": raster[:, 1] * 1e6,
                "run/motors/pos_y": raster[:, 0] * 1e6,
                "run/motors/pos_y@units": "um",
                "run/energy_keV": 8.8,
                "run/dark": np.zeros((2, 16, 16)),
            },
        )
        scan = read_scan(path)
        np.testing.assert_allclose(scan.positions, raster)
        assert scan.optics.energy_kev == pytest.approx(8.8)
        assert len(read_scan(f"{path}::/run")) == 20
        with pytest.raises(InputError, match="no group /walk"):
            read_scan(f"{path}::walk")

    def test_order_of_axes(self, write_hdf5: Write, counts: Counts, raster: Positions) -> None:
        contents = {"frames": counts, "positions": raster[:, ::-1], "positions@axes": "x, y"}
        np.testing.assert_allclose(read_scan(write_hdf5("a.h5", contents)).positions, raster)
        del contents["positions@axes"]
        contents["positions"] = raster
        scan = read_scan(write_hdf5("b.h5", contents))
        np.testing.assert_allclose(scan.positions, raster)
        assert "(y, x)" in notes(scan)

    def test_counts_that_differ(self, write_hdf5: Write, counts: Counts, raster: Positions) -> None:
        scan = read_scan(write_hdf5("a.h5", {"frames": counts, "positions": raster[:17]}))
        assert len(scan) == 17
        assert "20 frames and 17 positions" in notes(scan)
        with pytest.raises(InputError, match="20 frames and 7 positions"):
            read_scan(write_hdf5("b.h5", {"frames": counts, "positions": raster[:7]}))

    def test_markers_are_masked_and_empty_frames_counted(
        self, write_hdf5: Write, counts: Counts, raster: Positions
    ) -> None:
        frames = counts.astype(np.int32)
        frames[4] = 0
        frames[:, 2, 3] = -1
        frames[7, 0, 0] = np.iinfo(np.int32).max
        scan = read_scan(write_hdf5("a.h5", {"frames": frames, "positions": raster}))
        assert scan.valid is not None
        assert np.argwhere(~scan.valid).tolist() == [[0, 0], [2, 3]]
        assert "2 pixels hold a marker" in notes(scan)

    def test_auto_chunked_frames_are_read_in_slabs(
        self, write_hdf5: Write, counts: Counts, raster: Positions
    ) -> None:
        path = write_hdf5(
            "a.h5", {"frames": counts, "positions": raster}, chunks=(5, 8, 8), compression="gzip"
        )
        scan = read_scan(path)
        for i in (13, 2, 14):
            np.testing.assert_array_equal(scan.frames[i], counts[i])

    def test_data_behind_a_link_in_the_same_folder(
        self, write_hdf5: Write, counts: Counts, raster: Positions
    ) -> None:
        write_hdf5("data_000001.h5", {"entry/frames": counts})
        path = write_hdf5(
            "master.h5",
            {"data": h5py.ExternalLink("data_000001.h5", "/entry/frames"), "positions": raster},
        )
        np.testing.assert_array_equal(read_scan(path).frames[3], counts[3])

    def test_virtual_dataset_in_the_same_folder(
        self, write_hdf5: Write, tmp_path: Path, counts: Counts, raster: Positions
    ) -> None:
        write_hdf5("part.h5", {"frames": counts})
        layout = h5py.VirtualLayout(counts.shape, counts.dtype)
        layout[:] = h5py.VirtualSource("part.h5", "frames", counts.shape)
        with h5py.File(tmp_path / "master.h5", "w") as file:
            file.create_virtual_dataset("data", layout)
            file["positions"] = raster
        np.testing.assert_array_equal(read_scan(tmp_path / "master.h5").frames[:], counts)


class TestReal:
    def test_siemens_star(self, siemens_star: Path) -> None:
        scan = read_scan(siemens_star)
        with h5py.File(siemens_star) as file:
            np.testing.assert_array_equal(
                scan.frames[[400, 3]], file["diffraction"][[3, 400]][::-1]
            )
            np.testing.assert_array_equal(scan.positions, file["positions_px"][()])
        assert scan.unit == "pixel"
        assert scan.valid is None
        assert scan.probe is not None

    def test_siemens_star_as_published(self, real_data: Path, siemens_star: Path) -> None:
        ours = read_scan(siemens_star)
        theirs = read_scan(real_data / "siemens-star" / "siemens-star-small.npz.bz2")
        np.testing.assert_array_equal(theirs.frames[::50], ours.frames[::50])
        offset = theirs.positions - ours.positions
        np.testing.assert_allclose(offset, offset[:1].repeat(516, axis=0), atol=1e-3)

    def test_26_id(self, real_data: Path) -> None:
        scan = read_scan(real_data / "cnm-26id" / "test235_truncated.npz")
        assert scan.frames.shape == (20, 512, 512)
        assert scan.unit == "m"
        assert scan.pixel_size is None
        assert "pixel size is not known" in notes(scan)

    def test_frames_of_the_paper(self, real_data: Path) -> None:
        scan = read_scan(real_data / "cnm-26id" / "20191008_39_diff_sample.npy")
        assert scan.frames.shape == (4, 256, 256)
        assert "not the true step" in notes(scan)

    def test_near_field_is_shown_and_called_so(self, real_data: Path) -> None:
        scan = read_scan(real_data / "petra-p25" / "PETRAIII_P25_Near_Field_Ptycho.cxi")
        assert scan.frames.shape == (200, 100, 100)
        assert "Near-field" in notes(scan)
        assert scan.pixel_size is None
        assert scan.valid is not None
        assert (~scan.valid).sum() == 5

    def test_product_alone(self, real_data: Path) -> None:
        path = real_data / "ptychodus-product" / "metadata_250_truePos.hdf5"
        with pytest.raises(InputError, match="without diffraction frames; looked for"):
            read_scan(path)
        rec = read_reconstruction(path)
        assert rec.object.shape == (415, 415)
        assert rec.indices is not None
        assert len(rec.indices) == 961
        assert rec.pixel_size == (8e-9, 8e-9)
        assert rec.probe is not None
        assert rec.probe.shape == (2, 256, 256)
