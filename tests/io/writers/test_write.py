"""What is written for other programs, read back here (and by ptychodus: test_ptychodus_oracle)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Optics, Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import (
    read_reconstruction,
    read_result,
    read_scan,
    write_reconstruction,
    write_result,
    write_training_data,
)
from napari_ptychonn.stitching.mosaic import MosaicImage

Known = Any
WHOLE = (".h5", ".cxi", ".nxs", ".ptyr", ".npz", "")
ORIGIN = (3.2e-7, -1.1e-7)


@pytest.fixture
def result(known: Known) -> Result:
    """A mosaic of the known object with a hole, over frames 3, 5, 7 and so on."""
    image = known.image
    amplitude, phase = np.abs(image), np.angle(image)
    amplitude[0, 0] = phase[0, 0] = np.nan
    indices = np.arange(3, 20, 2)
    patches = np.ones((len(indices), 8, 8), np.float32)
    return Result(
        predictions=Predictions(indices=indices, amplitude=patches, phase=patches),
        positions=known.metres[indices] + np.asarray(ORIGIN),
        mosaic=MosaicImage(
            amplitude=amplitude,
            phase=phase,
            weight=np.ones_like(amplitude),
            overlap_std=np.ones_like(amplitude),
            pixel_size=(known.pixel, known.pixel),
            origin=ORIGIN,
        ),
        unit="m",
        probe=known.probe,
        optics=Optics.from_energy(
            known.energy_ev,
            detector_distance=known.distance,
            detector_pitch=(known.pitch, known.pitch),
        ),
        name="star",
    )


@pytest.fixture
def reconstruction(known: Known) -> Reconstruction:
    return Reconstruction(
        object=known.image,
        probe=known.probe,
        pixel_size=(known.pixel, known.pixel),
        origin=ORIGIN,
        unit="m",
        indices=np.arange(20),
        positions=known.metres + np.asarray(ORIGIN),
        algorithm="ePIE",
        iterations=7,
        name="star",
    )


@pytest.mark.parametrize("ending", WHOLE)
def test_a_mosaic_comes_back_to_its_place(
    ending: str, result: Result, known: Known, tmp_path: Path
) -> None:
    path = tmp_path / f"star{ending}"
    assert write_result(path, result) == [path]
    back = read_reconstruction(path)
    expected = known.image.copy()
    expected[0, 0] = 1
    np.testing.assert_allclose(back.object, expected, atol=1e-6)
    assert back.origin == pytest.approx(ORIGIN, abs=1e-3 * known.pixel)
    assert back.pixel_size == pytest.approx((known.pixel, known.pixel))
    np.testing.assert_array_equal(back.indices, result.predictions.indices)
    np.testing.assert_allclose(back.positions, result.positions, atol=1e-3 * known.pixel)
    np.testing.assert_array_equal(back.probe, known.probe)
    if ending in (".h5", ""):
        assert len(read_result(path).predictions) == 9


@pytest.mark.parametrize("ending", WHOLE)
@pytest.mark.parametrize("odd", ["probe", "object", "both"])
def test_odd_windows_come_back_to_their_place(
    ending: str, odd: str, reconstruction: Reconstruction, tmp_path: Path
) -> None:
    window, image = reconstruction.probe, reconstruction.object
    assert window is not None
    before = replace(
        reconstruction,
        probe=window if odd == "object" else window[..., :-1, :-1],
        object=image if odd == "probe" else image[: image.shape[0] - 1 + image.shape[0] % 2],
    )
    write_reconstruction(tmp_path / f"odd{ending}", before)
    after = read_reconstruction(tmp_path / f"odd{ending}")
    tolerance = 1e-3 * before.pixel_size[0]
    np.testing.assert_allclose(after.origin, before.origin, atol=tolerance)
    np.testing.assert_allclose(after.positions, before.positions, atol=tolerance)
    np.testing.assert_array_equal(after.probe, before.probe)


@pytest.mark.parametrize("ending", WHOLE)
def test_optics_travel_with_a_reconstruction(
    ending: str, result: Result, known: Known, tmp_path: Path
) -> None:
    path = tmp_path / f"star{ending}"
    write_reconstruction(path, result.starting_point())
    back = read_reconstruction(path).optics
    assert back.energy_kev == pytest.approx(known.energy_ev / 1e3, rel=1e-6)
    if ending != ".ptyr":  # which has no place for it
        assert back.detector_distance == pytest.approx(known.distance)


@pytest.mark.parametrize("ending", WHOLE)
def test_a_reconstruction_without_probe_or_positions(
    ending: str, reconstruction: Reconstruction, tmp_path: Path
) -> None:
    bare = replace(reconstruction, probe=None, indices=None, positions=None)
    path = tmp_path / f"bare{ending}"
    write_reconstruction(path, bare)
    back = read_reconstruction(path)
    np.testing.assert_array_equal(back.object, bare.object)
    assert back.origin == pytest.approx(ORIGIN)
    assert back.probe is None


@pytest.mark.parametrize("ending", WHOLE)
def test_a_reconstruction_in_pixels(
    ending: str, reconstruction: Reconstruction, known: Known, tmp_path: Path
) -> None:
    pixels = replace(
        reconstruction,
        pixel_size=(1.0, 1.0),
        origin=(-4.0, 2.5),
        unit="pixel",
        positions=known.positions + np.array([-4.0, 2.5]),
    )
    path = tmp_path / f"pixels{ending}"
    write_reconstruction(path, pixels)
    back = read_reconstruction(path)
    assert (back.unit, back.pixel_size) == ("pixel", (1.0, 1.0))
    assert back.origin == pytest.approx((-4.0, 2.5))
    np.testing.assert_allclose(back.positions, pixels.positions, atol=1e-9)


def test_images_have_the_pixel_size_in_them(result: Result, known: Known, tmp_path: Path) -> None:
    import tifffile

    written = write_result(tmp_path / "star.tiff", result)
    assert [p.name for p in written] == ["star_amplitude.tiff", "star_phase.tiff"]
    with tifffile.TiffFile(written[1]) as tiff:
        assert tiff.imagej_metadata is not None
        assert tiff.imagej_metadata["unit"] == "um"
        above, below = tiff.pages[0].tags["XResolution"].value
        assert below / above == pytest.approx(known.pixel * 1e6, rel=1e-6)
        image = tiff.asarray()
    assert np.isnan(image[0, 0])
    np.testing.assert_allclose(image[1:], np.angle(known.image)[1:], atol=1e-6)
    back = read_reconstruction(written[0])
    assert back.unit == "m"
    assert back.origin == pytest.approx(ORIGIN)
    assert back.pixel_size == pytest.approx((known.pixel, known.pixel))


def test_nexus_says_what_is_what(result: Result, known: Known, tmp_path: Path) -> None:
    write_result(tmp_path / "star.nxs", result)
    with h5py.File(tmp_path / "star.nxs") as file:
        entry = file[file.attrs["default"]]
        assert entry["definition"][()] == b"NXptycho"
        assert entry["instrument_1/beam_1/energy"].attrs["units"] == "eV"
        assert "energy" not in entry["instrument_1/source_1"]
        assert entry[entry.attrs["default"]].attrs["signal"] == "data"


class TestTrainingData:
    @pytest.fixture
    def scan(self, known: Known) -> Scan:
        valid = np.ones((16, 16), bool)
        valid[2, 3] = False
        return Scan(
            frames=known.frames,
            positions=known.metres + np.array([1e-7, 5e-7]),
            unit="m",
            pixel_size=(known.pixel, known.pixel),
            valid=valid,
            optics=Optics.from_energy(known.energy_ev, detector_distance=known.distance),
        )

    def test_round_trip(
        self,
        scan: Scan,
        reconstruction: Reconstruction,
        known: Known,
        tmp_path: Path,
        unexplained: Callable[..., float],
    ) -> None:
        some = np.array([17, 2, 5])
        path = write_training_data(tmp_path / "training.h5", scan, reconstruction, some)
        back = read_scan(path)
        assert len(back) == 3
        assert back.valid is not None
        assert np.argwhere(~back.valid).tolist() == [[2, 3]]
        expected = known.frames[some].copy()
        expected[:, 2, 3] = 0
        np.testing.assert_array_equal(back.frames[:], expected)
        assert back.optics.energy_kev == pytest.approx(known.energy_ev / 1e3)
        assert back.pixel_size == pytest.approx((known.pixel, known.pixel))
        whole = write_training_data(tmp_path / "all.h5", scan, reconstruction)
        assert unexplained(read_scan(whole), read_reconstruction(whole)) < 0.05

    def test_without_probe(
        self, scan: Scan, reconstruction: Reconstruction, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="need a probe"):
            write_training_data(tmp_path / "a.h5", scan, replace(reconstruction, probe=None))
        assert not list(tmp_path.iterdir())
