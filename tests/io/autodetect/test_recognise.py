"""Which of several stacks in a file of unknown layout holds the frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ptychonn.io import read_scan

Write = Callable[..., Path]


@pytest.fixture
def write(write_hdf5: Write, raster: Any) -> Write:
    def write(contents: dict[str, Any]) -> Path:
        return write_hdf5(
            "several.h5", contents | {"pos_y_m": raster[:, 0], "pos_x_m": raster[:, 1]}
        )

    return write


def test_the_default_signal_of_nexus_is_followed(write: Write, counts: Any) -> None:
    path = write(
        {
            "entry/other/image": np.ones((20, 64, 64), np.uint8),
            "entry/good/counts": counts,
            "@default": "entry",
            "entry@default": "good",
            "entry/good@signal": "counts",
        }
    )
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.frames[:], counts)
    assert scan.warnings == ()


def test_spectra_of_fluorescence_are_no_frames(write: Write, counts: Any) -> None:
    spectra = np.ones((20, 8, 2048), np.uint32)
    scan = read_scan(write({"fluorescence/data": spectra, "merlin/data": counts}))
    np.testing.assert_array_equal(scan.frames[:], counts)
    assert scan.warnings == ()


def test_another_detector_is_named(write: Write, counts: Any) -> None:
    noise = np.random.default_rng(0).poisson(3, (20, 32, 32)).astype(np.uint16)
    (warning,) = read_scan(write({"first/data": noise, "second/data": counts})).warnings
    assert "first/data (20, 32, 32)" in warning
    assert "second/data (20, 16, 16)" in warning


def test_rows_of_zeros_at_the_end_are_left_out(write_hdf5: Write, counts: Any, raster: Any) -> None:
    positions = raster.copy()
    positions[-3:] = 0
    path = write_hdf5("stopped.h5", {"frames": counts, "positions_m": positions})
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.frames[:], counts[:-3])
    assert "17" in scan.warnings[0]
