"""What is written comes back, whatever its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Optics
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import (
    describe,
    list_reconstructions,
    read_reconstruction,
    read_result,
    write_reconstruction,
    write_result,
)
from napari_ptychonn.stitching.mosaic import MosaicImage
from napari_ptychonn.stitching.uncertainty import Uncertainty


def reconstruction(unit: str = "m", window: int = 8) -> Reconstruction:
    rng = np.random.default_rng(0)
    scale = 1.23456789e-8 if unit == "m" else 1.0
    pixel = (scale, 1.1 * scale) if unit == "m" else (1.0, 1.0)
    return Reconstruction(
        object=rng.normal(size=(20, 31)).astype(np.complex64),
        pixel_size=pixel,
        origin=(-7.3 * scale, 1234.5 * scale),
        unit=unit,
        probe=rng.normal(size=(2, window, window)).astype(np.complex64),
        indices=np.array([3, 5, 11]),
        positions=rng.normal(size=(3, 2)) * 100 * scale,
        algorithm="ePIE",
        iterations=150,
        name="the star",
    )


@pytest.mark.parametrize("unit", ["m", "pixel"])
@pytest.mark.parametrize("window", [8, 9])
def test_reconstruction_round_trip(tmp_path: Path, unit: str, window: int) -> None:
    before = reconstruction(unit, window)
    write_reconstruction(tmp_path / "OBJ.anything", before)
    after = read_reconstruction(tmp_path / "OBJ.anything")
    np.testing.assert_array_equal(after.object, before.object)
    np.testing.assert_array_equal(after.probe, before.probe)
    np.testing.assert_array_equal(after.indices, before.indices)
    np.testing.assert_allclose(after.positions, before.positions, rtol=1e-9)
    np.testing.assert_allclose(after.origin, before.origin, rtol=1e-9)
    np.testing.assert_allclose(after.pixel_size, before.pixel_size, rtol=1e-12)
    assert (after.unit, after.algorithm, after.iterations, after.name) == (
        unit, "ePIE", 150, "the star",
    )  # fmt: skip


@given(
    origin=st.tuples(*[st.floats(-1e-3, 1e-3)] * 2),
    pixel=st.tuples(*[st.floats(1e-10, 1e-6)] * 2),
    shape=st.tuples(*[st.integers(2, 40)] * 2),
)
def test_origin_survives_to_a_billionth_of_a_pixel_or_of_itself(
    tmp_path_factory: pytest.TempPathFactory,
    origin: tuple[float, float],
    pixel: tuple[float, float],
    shape: tuple[int, int],
) -> None:
    path = tmp_path_factory.mktemp("origin") / "o.h5"
    image = np.ones(shape, np.complex64)
    write_reconstruction(path, Reconstruction(object=image, origin=origin, pixel_size=pixel,
                                              unit="m"))  # fmt: skip
    after = read_reconstruction(path)
    tolerance = 1e-9 * np.maximum(np.abs(origin), pixel)
    assert (np.abs(np.subtract(after.origin, origin)) <= tolerance).all()
    assert after.indices is None
    assert after.positions is None
    assert after.probe is None


def test_the_file_is_a_ptychodus_product(tmp_path: Path) -> None:
    before = reconstruction()
    write_reconstruction(tmp_path / "OBJ.h5", before)
    with h5py.File(tmp_path / "OBJ.h5") as file:
        assert file["object"].shape == (1, 20, 31)
        assert file["probe"].shape == (1, 2, 8, 8)
        _, dx = before.pixel_size
        # ptychodus 1.7.0: column = (x − cx) / dx + (W − 1) / 2 is where (N − 1) / 2 lies.
        x = file["probe_position_x_m"][()]
        column = (x - file["object"].attrs["center_x_m"]) / dx + (31 - 1) / 2
        own = before.pixel_index(before.positions)[:, 1]
        np.testing.assert_allclose(column + 0.5, own, rtol=1e-9)
        for name in ("name", "comments", "photon_energy_eV", "detector_object_distance_m",
                     "probe_energy_eV", "exposure_time_s"):  # fmt: skip
            assert name in file.attrs
        assert file.attrs["photon_energy_eV"] == 0
        assert set(file["probe_position_indexes"][()]) == {3, 5, 11}
        for name in ("object_layer_spacing_m", "loss_values", "loss_epochs"):
            assert name in file


def test_what_is_not_finite_in_the_object_is_written_as_one(tmp_path: Path) -> None:
    image = np.full((4, 4), 2.0 + 1j, np.complex64)
    image[1, 2] = np.nan
    write_reconstruction(tmp_path / "o", Reconstruction(object=image))
    after = read_reconstruction(tmp_path / "o").object
    assert after[1, 2] == 1.0
    assert after[0, 0] == 2.0 + 1j


def result(unit: str = "m") -> Result:
    rng = np.random.default_rng(3)
    scale = 1e-8 if unit == "m" else 1.0

    def image(*shape: int) -> NDArray[np.float32]:
        return rng.uniform(0.1, 1, shape).astype(np.float32)

    amplitude = image(12, 14)
    amplitude[0, :3] = np.nan
    phase = image(12, 14)
    phase[0, :3] = np.nan
    return Result(
        predictions=Predictions(
            indices=np.array([4, 1, 9]), amplitude=image(3, 4, 6), phase=image(3, 4, 6)
        ),
        positions=rng.normal(size=(3, 2)) * scale,
        mosaic=MosaicImage(
            amplitude=amplitude,
            phase=phase,
            weight=image(12, 14),
            overlap_std=image(12, 14),
            pixel_size=(scale, 2 * scale if unit == "m" else 1.0),
            origin=(-3.3 * scale, 8.1 * scale),
        ),
        unit=unit,
        probe=rng.normal(size=(1, 8, 8)).astype(np.complex64),
        held_out=np.array([1, 9]),
        seconds=0.25,
        optics=Optics.from_energy(8800.0, detector_distance=1.5, detector_pitch=(75e-6, 55e-6)),
        name="star",
        provenance={"seed": 0, "train": list(range(50_000)), "model": {"width": 1}},
    )


@pytest.mark.parametrize("unit", ["m", "pixel"])
def test_result_round_trip(tmp_path: Path, unit: str) -> None:
    before = result(unit)
    write_result(tmp_path / "RESULT", before)
    after = read_result(tmp_path / "RESULT")
    for name in ("indices", "amplitude", "phase"):
        np.testing.assert_array_equal(
            getattr(after.predictions, name), getattr(before.predictions, name)
        )
    for name in ("amplitude", "phase", "weight", "overlap_std"):
        np.testing.assert_array_equal(getattr(after.mosaic, name), getattr(before.mosaic, name))
    assert after.mosaic.pixel_size == before.mosaic.pixel_size
    assert after.mosaic.origin == before.mosaic.origin
    np.testing.assert_allclose(after.positions, before.positions, rtol=1e-9)
    np.testing.assert_array_equal(after.probe, before.probe)
    np.testing.assert_array_equal(after.held_out, before.held_out)
    assert after.seconds == before.seconds
    assert (after.unit, after.name, after.provenance) == (unit, "star", before.provenance)
    assert after.optics.wavelength == pytest.approx(before.optics.wavelength, rel=1e-12)
    assert after.optics.detector_pitch == before.optics.detector_pitch
    assert after.optics.detector_distance == before.optics.detector_distance


def trusted(limit: float | None = 1.5, *, beam: bool = True) -> Result:
    made = result()
    rng = np.random.default_rng(5)
    residual = rng.uniform(1, 2, 3).astype(np.float32) if beam else None
    predictions = replace(made.predictions, residual=residual)
    residual_map = np.full((12, 14), 1.25, np.float32)
    residual_map[0, :3] = np.nan
    trust = Uncertainty(
        indices=predictions.indices,
        overlap_std=rng.uniform(0, 1, 3).astype(np.float32),
        diffraction_residual=residual,
        residual_map=residual_map if beam else None,
        residual_limit=limit,
    )
    return replace(made, predictions=predictions, uncertainty=trust)


def test_trust_round_trip(tmp_path: Path) -> None:
    before = trusted()
    write_result(tmp_path / "r.h5", before)
    after = read_result(tmp_path / "r.h5")
    assert before.uncertainty is not None
    assert after.uncertainty is not None
    for name in ("indices", "overlap_std", "diffraction_residual", "residual_map"):
        np.testing.assert_array_equal(
            getattr(after.uncertainty, name), getattr(before.uncertainty, name)
        )
    assert after.uncertainty.residual_limit == 1.5
    assert after.uncertainty.sentence == before.uncertainty.sentence
    np.testing.assert_array_equal(after.predictions.residual, before.predictions.residual)


def test_trust_without_a_beam_is_the_spread_alone(tmp_path: Path) -> None:
    write_result(tmp_path / "r.h5", trusted(None, beam=False))
    after = read_result(tmp_path / "r.h5")
    assert after.predictions.residual is None
    assert after.uncertainty is not None
    assert (
        after.uncertainty.diffraction_residual,
        after.uncertainty.residual_map,
        after.uncertainty.residual_limit,
    ) == (None,) * 3
    assert len(after.uncertainty.overlap_std) == 3


@pytest.mark.parametrize(
    "name", ["predictions/spread", "predictions/residual", "mosaic/residual", "residual_limit"]
)
def test_damaged_trust_is_one_sentence(tmp_path: Path, name: str) -> None:
    write_result(tmp_path / "r.h5", trusted())
    with h5py.File(tmp_path / "r.h5", "r+") as file:
        if name in file:
            ndim = file[name].ndim
            del file[name]
            file[name] = np.zeros((2,) * ndim, np.float32)
        else:
            file["predictions"].attrs[name] = "much"
    with pytest.raises(InputError, match=name):
        read_result(tmp_path / "r.h5")


def test_a_result_is_a_reconstruction_too(tmp_path: Path) -> None:
    before = result()
    write_result(tmp_path / "r.h5", before)
    assert list_reconstructions(tmp_path / "r.h5") == ("/",)
    after = read_reconstruction(tmp_path / "r.h5")
    assert after.algorithm == "PtychoNN"
    assert (after.object[0, :3] == 1).all()
    np.testing.assert_allclose(np.abs(after.object[1]), before.mosaic.amplitude[1], rtol=1e-6)
    np.testing.assert_allclose(np.angle(after.object[1]), before.mosaic.phase[1], rtol=1e-5)
    np.testing.assert_allclose(after.origin, before.mosaic.origin, rtol=1e-9)
    found = describe(tmp_path / "r.h5")
    assert (found.kind, found.predictions, found.held_out) == ("result", 3, 2)
    assert found.patch_shape == (4, 6)


def test_optional_parts_stay_away(tmp_path: Path) -> None:
    before = replace(
        result("pixel"), probe=None, held_out=None, seconds=None, optics=Optics(), provenance={}
    )
    write_result(tmp_path / "r", before)
    after = read_result(tmp_path / "r")
    assert after.probe is None
    assert after.held_out is None
    assert after.seconds is None
    assert after.uncertainty is None
    assert after.predictions.residual is None
    assert after.optics == Optics()
    assert after.provenance == {}
    np.testing.assert_allclose(after.positions, before.positions, rtol=1e-9)


def test_a_reconstruction_is_not_a_result(tmp_path: Path) -> None:
    write_reconstruction(tmp_path / "o.h5", reconstruction())
    with pytest.raises(InputError, match="not a result"):
        read_result(tmp_path / "o.h5")


def test_a_damaged_result_is_one_sentence(tmp_path: Path) -> None:
    write_result(tmp_path / "r.h5", result())
    with h5py.File(tmp_path / "r.h5", "r+") as file:
        del file["predictions/phase"]
    with pytest.raises(InputError, match="predictions/phase"):
        read_result(tmp_path / "r.h5")
