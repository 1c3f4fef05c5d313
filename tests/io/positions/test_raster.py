"""Scan lines are found where there are any, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.io.positions.raster import find_lines, lines_of_raster, unit_raster


def grid(ny: int, nx: int, to_and_fro: bool) -> NDArray[np.float64]:
    y, x = np.mgrid[:ny, :nx].astype(float)
    if to_and_fro:
        x[1::2] = x[1::2, ::-1]
    return np.stack([y.ravel(), x.ravel()], axis=1)


@pytest.mark.parametrize("to_and_fro", [False, True])
@pytest.mark.parametrize("fast", [0, 1])
@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("last", [0, 3])
def test_rasters(to_and_fro: bool, fast: int, noise: float, last: int) -> None:
    positions = grid(7, 9, to_and_fro)
    positions = positions[:, ::-1] if fast == 0 else positions
    positions = positions + np.random.default_rng(0).uniform(-noise, noise, positions.shape)
    positions = positions[: len(positions) - last]
    line = find_lines(positions * 30e-9)
    assert line is not None
    np.testing.assert_array_equal(line, np.repeat(np.arange(7), 9)[: len(positions)])


def spiral(n: int) -> NDArray[np.float64]:
    k = np.arange(n)
    angle, radius = k * 2.399963, np.sqrt(k)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


@pytest.mark.parametrize(
    "positions",
    [
        spiral(200),
        np.random.default_rng(0).uniform(size=(200, 2)),
        np.zeros((20, 2)),
        np.zeros((3, 2)),
        np.linspace([0, 0], [1, 1], 30),
    ],
)
def test_other_patterns_have_no_lines(positions: NDArray[np.float64]) -> None:
    assert find_lines(positions) is None


def test_stored_rasters() -> None:
    assert lines_of_raster((2, 3)).tolist() == [0, 0, 0, 1, 1, 1]
    assert unit_raster((2, 3))[4].tolist() == [1, 1]
