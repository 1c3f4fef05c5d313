"""Where a file puts the direct beam, in which unit and order, against where the counts are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ptychonn.io import read_scan

PITCH = 75e-6
UNITS = {"pixel": 1.0, "mm": PITCH * 1e3, "m": PITCH, "um": PITCH * 1e6, "cm": PITCH * 1e2}


@pytest.fixture
def write_master(write_hdf5: Callable[..., Path]) -> Callable[..., Path]:
    """Write an EIGER master file whose beam is at row 60, column 34 of 96 x 80 pixels."""

    def write(stored: tuple[float, float], unit: str | None) -> Path:
        away = np.hypot(*(np.mgrid[:96, :80] - np.array([60, 34])[:, None, None]))
        frames = np.random.default_rng(0).poisson(200 * np.exp(-((away / 6) ** 2)), (20, 96, 80))
        detector = "entry/instrument/detector"
        contents: dict[str, Any] = {
            "entry/data/data_000001": frames.astype(np.uint32),
            f"{detector}/beam_center_y": stored[0],
            f"{detector}/beam_center_x": stored[1],
            f"{detector}/detector_distance": 1.5,
            f"{detector}/x_pixel_size": PITCH,
            f"{detector}/y_pixel_size": PITCH,
            f"{detector}/detectorSpecific/photon_energy": 8800.0,
        }
        if unit is not None:
            contents |= {f"{detector}/beam_center_{axis}@units": unit for axis in "yx"}
        path = write_hdf5("scan_master.h5", contents)
        grid = np.mgrid[:4, :5].reshape(2, -1).T * 1e-7
        np.savetxt(path.with_suffix(".csv"), grid, delimiter=",", header="y_m,x_m", comments="")
        return path

    return write


@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(unit=st.sampled_from(sorted(UNITS)), named=st.booleans(), exchanged=st.booleans())
def test_the_beam_centre_in_any_unit_and_order(
    write_master: Callable[..., Path], unit: str, named: bool, exchanged: bool
) -> None:
    stored = tuple(place * UNITS[unit] for place in ((34, 60) if exchanged else (60, 34)))
    scan = read_scan(write_master(stored, unit if named else None))
    shown = [warning for warning in scan.warnings if "beam" in warning]
    if not named and unit in ("um", "cm"):
        assert scan.frame_shape == (96, 80), "not one of the units that writers leave out"
        assert shown
    else:
        assert scan.frame_shape == (68, 68)
        centre = np.unravel_index(scan.frames[:].sum(axis=0).argmax(), scan.frame_shape)
        np.testing.assert_allclose(centre, (34, 34), atol=2)
        assert bool(shown) == (exchanged or (not named and unit != "pixel"))
