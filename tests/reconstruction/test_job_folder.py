"""What goes to the child through files."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction import job_folder as exchange
from napari_ptychonn.reconstruction.job_folder import FRAMES, VALID, Job, State
from napari_ptychonn.reconstruction.options import EngineOptions


def never():
    return False


@pytest.fixture
def scan():
    rng = np.random.default_rng(1)
    frames = rng.poisson(9.0, (20, 6, 8)).astype(np.uint16)
    return Scan(frames=frames, positions=rng.random((20, 2)))


@pytest.mark.parametrize("slab", [1, 2**20])
def test_frames_are_written_in_the_order_asked_for_with_zero_frequency_at_the_corner(
    scan, tmp_path, monkeypatch, slab
):
    monkeypatch.setattr(exchange, "SLAB", slab)
    indices = np.asarray([7, 3, 3, 19])
    mean = exchange.write_frames(tmp_path, scan, indices, never)
    written = np.load(tmp_path / FRAMES, mmap_mode="r")
    assert written.dtype == np.float32
    np.testing.assert_array_equal(
        written, np.fft.ifftshift(scan.frames[indices].astype(np.float32), axes=(1, 2))
    )
    np.testing.assert_allclose(mean, scan.frames[indices].mean(axis=0))
    assert np.load(tmp_path / VALID).all()


def test_bad_counts_become_zero_and_the_mask_goes_along(scan, tmp_path):
    frames = scan.frames.astype(np.float32)
    frames[0, 0, 0], frames[1, 1, 1], frames[2, 2, 2] = np.nan, -4.0, np.inf
    valid = np.ones((6, 8), bool)
    valid[4, 5] = False
    frames[:, 4, 5] = 1e9
    exchange.write_frames(tmp_path, replace(scan, frames=frames, valid=valid), np.arange(20), never)
    written = np.fft.fftshift(np.load(tmp_path / FRAMES), axes=(1, 2))
    assert np.isfinite(written).all()
    assert written.min() == 0
    assert (written[:, 4, 5] == 0).all()
    np.testing.assert_array_equal(np.fft.fftshift(np.load(tmp_path / VALID)), valid)


def test_odd_frames_have_their_centre_at_the_corner(tmp_path):
    frames = np.zeros((1, 5, 7), np.uint8)
    frames[0, 2, 3] = 1
    scan = Scan(frames=frames, positions=np.zeros((1, 2)))
    exchange.write_frames(tmp_path, scan, np.arange(1), never)
    assert np.load(tmp_path / FRAMES)[0, 0, 0] == 1


def test_writing_stops_when_asked(scan, tmp_path):
    assert exchange.write_frames(tmp_path, scan, np.arange(20), lambda: True) is None


def test_a_full_disk_is_one_sentence(scan, tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "RESERVE", 2**60)
    with pytest.raises(InputError, match="set TMPDIR"):
        exchange.write_frames(tmp_path, scan, np.arange(20), never)


def test_state_and_job_come_back(tmp_path):
    rng = np.random.default_rng(0)
    first, second = (
        State(
            object=rng.random((5, 6)).astype(np.complex64),
            probe=rng.random((2, 4, 4)).astype(np.complex64),
            positions=rng.random((3, 2)),
        )
        for _ in range(2)
    )
    exchange.write_state(tmp_path, first)
    exchange.overwrite_state(tmp_path, second)
    again = exchange.read_state(tmp_path)
    np.testing.assert_array_equal(again.object, second.object)
    np.testing.assert_array_equal(again.probe, second.probe)
    np.testing.assert_array_equal(again.positions, second.positions)
    job = Job(
        options=EngineOptions(algorithm="lsqml", modes=3), device="cpu", resumed=True, crowded=7
    )
    job.save(tmp_path)
    assert Job.load(tmp_path) == job
