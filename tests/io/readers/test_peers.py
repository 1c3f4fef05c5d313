"""Scans and reconstructions by other programs' own writers (tests/fixtures/write_peers.py).

Each object was put under the frames by the program itself, so that reading is
right exactly when probe times object, at the positions as read, still has the
frames as its far field.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.io import read_reconstruction, read_scan

Unexplained = Callable[..., float]
PEERS = Path(__file__).parents[2] / "fixtures" / "peers"
PIXEL, ENERGY_KEV, DISTANCE = 10e-9, 8.8, 1.5

PAIRS = [
    ("ptychodus/pair/diffraction.h5", "ptychodus/pair/product.h5"),
    ("ptychodus/pair/product.h5", "ptychodus/pair/diffraction.h5"),
    ("ptychodus/training/training.h5", "ptychodus/training/training.h5"),
    ("ptychodus/cxi/diffraction.cxi", "ptychodus/cxi/product.cxi"),
    ("ptychodus/npz/diffraction.npz", "ptychodus/npz/product.npz"),
    ("cdtools/scan.cxi", "cdtools/reconstruction.h5"),
    ("ptylab/scan.hdf5", "ptylab/reconstruction.hdf5"),
]


@pytest.mark.parametrize(("frames", "object_"), PAIRS)
def test_the_object_lies_under_the_frames(
    frames: str, object_: str, unexplained: Unexplained
) -> None:
    scan, reconstruction = read_scan(PEERS / frames), read_reconstruction(PEERS / object_)
    assert len(scan) == 20
    assert unexplained(scan, reconstruction) < 0.03
    assert scan.optics.energy_kev == pytest.approx(ENERGY_KEV, rel=1e-5)
    assert scan.optics.detector_distance == pytest.approx(DISTANCE)
    assert scan.pixel_size == pytest.approx((PIXEL, PIXEL), rel=1e-5)
    assert reconstruction.pixel_size == pytest.approx((PIXEL, PIXEL), rel=1e-5)


def test_a_mirrored_scan_would_be_noticed(unexplained: Unexplained) -> None:
    """The test above can fail: the same scan with one sign wrong explains nothing."""
    scan = read_scan(PEERS / "ptychodus/training/training.h5")
    reconstruction = read_reconstruction(PEERS / "ptychodus/training/training.h5")
    frames = np.asarray(scan.frames[:])[:, :, ::-1]
    mirrored = Scan(frames=frames, positions=scan.positions, unit="m", pixel_size=scan.pixel_size)
    assert unexplained(mirrored, reconstruction) > 0.1


def test_masks_are_read() -> None:
    for name in ("pair/diffraction.h5", "cxi/diffraction.cxi", "npz/diffraction.npz"):
        scan = read_scan(PEERS / "ptychodus" / name)
        assert scan.valid is not None
        assert np.argwhere(~scan.valid).tolist() == [[0, 3]]


def test_a_table_of_positions_as_ptychodus_writes_it() -> None:
    """Rows of y, x: the same positions as in the product, but for their middle."""
    table = read_scan(PEERS / "ptychodus/table/scan.cxi")
    product = read_scan(PEERS / "ptychodus/cxi/diffraction.cxi")
    np.testing.assert_allclose(table.positions, product.positions, atol=1e-3 * PIXEL)
    assert any("y, x" in note for note in table.notes)


def test_several_files_that_fit_are_not_guessed_between(tmp_path: Path) -> None:
    for name in ("product.cxi", "diffraction.cxi"):
        shutil.copy(PEERS / "ptychodus/cxi" / name, tmp_path)
    shutil.copy(PEERS / "ptychodus/pair/product.h5", tmp_path / "other.h5")
    scan = read_scan(tmp_path / "diffraction.cxi")
    # The other product numbers its frames 100 to 119: not of this scan.
    assert any("product.cxi" in note for note in scan.notes)
