"""Which reconstruction is meant, and where it lies."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io import list_reconstructions, read_reconstruction, read_scan

Write = Callable[..., Path]
Counts = NDArray[np.uint16]
Positions = NDArray[np.float64]


@pytest.fixture
def several(
    write_hdf5: Write, counts: Counts, raster: Positions, image: NDArray[np.complex64]
) -> Path:
    """One scan in pixels and three reconstructions of parts of it."""
    pixels = raster / 10e-9
    contents = {"diffraction": counts, "positions_px": pixels}
    for k, name in enumerate(("a_lsqml", "epie", "epie_half")):
        some = np.arange(k, 20)
        contents |= {
            f"{name}/object": image * (k + 1),
            f"{name}/positions_px": pixels[some] + 8,
            f"{name}/indexes": some,
        }
    return write_hdf5("several.h5", contents)


def test_epie_is_the_default_and_is_named(several: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert list_reconstructions(several) == ("a_lsqml", "epie", "epie_half")
    with caplog.at_level(logging.INFO):
        rec = read_reconstruction(several)
    assert rec.name == "epie"
    assert "epie is used (others: a_lsqml, epie_half)" in caplog.text


@pytest.mark.parametrize("group", ["/epie_half", "epie_half", "/epie_half/"])
def test_by_name(several: Path, group: str) -> None:
    rec = read_reconstruction(f"{several}::{group}")
    assert (rec.name, rec.algorithm) == ("epie_half", "ePIE")
    assert rec.indices is not None
    assert rec.indices.tolist() == list(range(2, 20))
    assert list_reconstructions(f"{several}::{group}") == ("epie_half",)
    # The scan that goes with it is that of the file.
    scan = read_scan(f"{several}::{group}")
    placed, positions = rec.align_to(scan)
    np.testing.assert_allclose(placed.pixel_index(positions), scan.positions + 8)


def test_first_by_name_otherwise(
    write_hdf5: Write, image: NDArray[np.complex64], caplog: pytest.LogCaptureFixture
) -> None:
    contents = {f"{n}/object": image for n in ("run2", "run1")}
    with caplog.at_level(logging.INFO):
        assert read_reconstruction(write_hdf5("a.h5", contents)).name == "run1"
    assert "run1 is used" in caplog.text


def test_indices_follow_the_scan_when_it_leaves_frames_out(
    write_hdf5: Write, counts: Counts, raster: Positions, image: NDArray[np.complex64]
) -> None:
    pixels = raster / 10e-9
    broken = pixels.copy()
    broken[4] = np.nan
    path = write_hdf5(
        "a.h5",
        {
            "diffraction": counts,
            "positions_px": broken,
            "epie/object": image,
            "epie/positions_px": pixels + 8,
            "epie/indexes": np.arange(20),
        },
    )
    scan, rec = read_scan(path), read_reconstruction(path)
    assert len(scan) == 19
    assert rec.indices is not None
    assert rec.positions is not None
    np.testing.assert_array_equal(rec.indices, np.arange(19))
    np.testing.assert_allclose(rec.positions, scan.positions + 8)


def test_layers_are_multiplied_and_holes_filled(
    write_product: Write, image: NDArray[np.complex64]
) -> None:
    layers = np.stack([image, 2 * image])
    layers[0, 3, 3] = np.nan
    rec = read_reconstruction(write_product(object=layers))
    assert rec.object[3, 3] == 1
    np.testing.assert_allclose(rec.object[0], 2 * image[0] ** 2, rtol=1e-6)


def test_without_pixel_size_it_cannot_be_placed(write_product: Write) -> None:
    path = write_product(
        **{"object@pixel_height_m": 0.0, "object@pixel_width_m": 0.0, "@photon_energy_eV": 0.0}
    )
    with pytest.raises(InputError, match="does not say how large an object pixel is"):
        read_reconstruction(path)


def test_old_names_and_missing_numbers(write_product: Write, raster: Positions) -> None:
    import h5py

    path = write_product("old_product.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["probe_energy_eV"] = file.attrs.pop("photon_energy_eV")
        del file["probe_position_indexes"]
        probe = file["probe"][0]
        del file["probe"]
        file["probe"] = probe  # (modes, py, px), before there were OPR modes
    rec = read_reconstruction(path)
    assert rec.indices is not None
    assert len(rec.indices) == len(raster)
    assert rec.probe is not None
    assert rec.probe.shape == (2, 16, 16)


def test_siemens_star(siemens_star: Path) -> None:
    assert list_reconstructions(siemens_star) == ("epie", "epie_first_387")
    scan = read_scan(siemens_star)
    whole = read_reconstruction(siemens_star)
    part = read_reconstruction(f"{siemens_star}::/epie_first_387")
    assert (whole.name, whole.object.shape) == ("epie", (476, 473))
    assert (part.name, part.object.shape) == ("epie_first_387", (394, 473))
    assert part.indices is not None
    assert part.indices.tolist() == list(range(387))
    # Both show the same star where both have it.
    a, b = (r.align_to(scan) for r in (whole, part))
    np.testing.assert_allclose(a[1][:387], b[1][:387], atol=1e-6)
    i = np.rint(a[0].pixel_index(a[1]))[100].astype(int)
    j = np.rint(b[0].pixel_index(b[1]))[100].astype(int)
    cut = [
        o.object[r[0] - 32 : r[0] + 32, r[1] - 32 : r[1] + 32] for o, r in ((whole, i), (part, j))
    ]
    assert np.corrcoef(np.angle(cut[0]).ravel(), np.angle(cut[1]).ravel())[0, 1] > 0.7
