"""Reconstructions by pty-chi of simulated scans, against the truth."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_ptychonn.comparison.registration import align
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction, write_reconstruction
from napari_ptychonn.reconstruction import EngineOptions, reconstruct, why_not
from napari_ptychonn.reconstruction import iterations as iteration
from napari_ptychonn.reconstruction.job_folder import State
from napari_ptychonn.reconstruction.worker_process import WorkerProcess
from napari_ptychonn.simulation.scan import Simulation

needs_engine = pytest.mark.skipif(bool(why_not()), reason=why_not() or "pty-chi is there")

SIZE = {"points": (13, 13), "frame_size": 32}


def against_truth(made, simulated):
    """Shift in pixels before alignment, and RMS phase error in rad, between the outer points."""
    truth, inner = simulated.truth, simulated.scan.positions[made.indices]
    corner = truth.pixel_index(np.asarray([made.origin]))[0]
    shape = made.object.shape
    there = [
        ndimage.affine_transform(part, [1.0, 1.0], corner, shape, order=3, mode="nearest")
        for part in (truth.object.real, truth.object.imag)
    ]
    expected = there[0] + 1j * there[1]
    index = np.stack(np.indices(shape), -1)
    low, high = (made.pixel_index(edge[None])[0] for edge in (inner.min(0), inner.max(0)))
    mask = ((index >= low) & (index <= high)).all(axis=-1)
    aligned, found = align(made.object, expected, mask)
    difference = np.angle(aligned[mask] * np.conj(expected[mask]))
    return np.abs(found.shift).max(), float(np.std(difference))


@needs_engine
@pytest.mark.parametrize(
    ("path", "jitter", "algorithm", "first_probe"),
    [
        ("raster", 0.0, "epie", "known"),
        ("spiral", 0.0, "rpie", "estimated"),
        ("raster", 4e-9, "lsqml", "estimated"),
    ],
)
def test_the_object_lies_under_the_scan_positions(path, jitter, algorithm, first_probe):
    simulated = Simulation(path=path, jitter=jitter, **SIZE).run()
    options = EngineOptions(algorithm=algorithm, iterations=25, first_probe=first_probe)
    every = list(reconstruct(simulated.scan, options, device="cpu"))
    assert [i.number for i in every] == list(range(1, 26))
    assert every[-1].error < 0.3 * every[0].error
    made = every[-1].reconstruction
    assert (made.iterations, made.algorithm) == (25, options.title)
    assert 0 < made.seconds == every[-1].seconds
    np.testing.assert_array_equal(made.positions, simulated.scan.positions)
    shift, error = against_truth(made, simulated)
    assert shift < 0.5
    assert error < 0.06
    counts = simulated.scan.frames.sum(axis=(1, 2)).mean()
    assert np.sum(np.abs(made.probe) ** 2) == pytest.approx(counts, rel=0.2)


@pytest.fixture(scope="module")
def simulated():
    return Simulation(**SIZE).run()


@needs_engine
def test_part_of_a_scan_is_saved_and_gone_on_with(simulated, tmp_path):
    scan, part = simulated.scan, np.arange(91)
    *_, last = reconstruct(scan, EngineOptions(iterations=4), indices=part, device="cpu")
    assert any("reconstructing on cpu" in m for m in last.messages) or last.messages == ()
    write_reconstruction(tmp_path / "part.h5", last.reconstruction)
    start = read_reconstruction(tmp_path / "part.h5")
    assert start.seconds == pytest.approx(last.seconds)
    np.testing.assert_array_equal(start.indices, part)
    first, *_, end = reconstruct(scan, EngineOptions(iterations=3), start=start, device="cpu")
    assert (first.number, end.number, end.total) == (5, 7, 7)
    assert end.reconstruction.iterations == 7
    assert end.reconstruction.seconds == pytest.approx(start.seconds + end.seconds)
    corner = start.pixel_index(np.asarray([end.reconstruction.origin]))[0]
    np.testing.assert_allclose(corner, np.rint(corner), atol=1e-3), "nothing was interpolated"


@needs_engine
def test_bad_pixels_modes_and_wrong_positions(simulated):
    """A hot pixel that is masked does no harm; positions move towards where the beam was."""
    rng = np.random.default_rng(3)
    valid = np.ones(simulated.scan.frame_shape, bool)
    valid[3:5, 7] = False
    frames = simulated.scan.frames.astype(np.float32)
    frames[:, ~valid] = 1e6
    wrong = simulated.scan.positions + rng.normal(0, 8e-9, simulated.scan.positions.shape)
    scan = replace(simulated.scan, frames=frames, valid=valid, positions=wrong)
    options = EngineOptions(iterations=40, modes=2, position_correction=True)
    *_, last = reconstruct(scan, options, device="cpu")
    made = last.reconstruction
    assert made.probe.shape[0] == 2

    def spread(positions):
        return (positions - simulated.scan.positions).std()

    assert spread(made.positions) < 0.95 * spread(wrong)
    assert last.error < 0.05


@needs_engine
def test_stopping_takes_a_second_and_keeps_the_object(simulated):
    asked = []
    seen = []
    options = EngineOptions(iterations=100_000)
    for each in reconstruct(
        simulated.scan,
        options,
        start=replace(simulated.truth, iterations=None),
        device="cpu",
        should_stop=lambda: bool(asked),
    ):
        seen.append(each)
        if len(seen) == 3:
            asked.append(time.monotonic())
    assert time.monotonic() - asked[0] < 10, "a second, on a machine that is not busy"
    assert seen[0].error < 0.01, "it began with the truth"
    last = seen[-1].reconstruction
    assert last.iterations == seen[-1].number >= 3
    assert np.isfinite(last.object).all()


@needs_engine
def test_killing_the_child_is_one_sentence_and_what_was_yielded_stays(simulated, monkeypatch):
    started: list[WorkerProcess] = []
    folders: list[Path] = []

    class Watched(WorkerProcess):
        def __init__(self, folder, *arguments):
            super().__init__(folder, *arguments)
            started.append(self)
            folders.append(folder)

    monkeypatch.setattr(iteration, "WorkerProcess", Watched)
    seen = []

    def run():
        for each in reconstruct(simulated.scan, EngineOptions(iterations=100_000), device="cpu"):
            seen.append(each)
            if len(seen) == 2:
                os.kill(started[0].pid, signal.SIGKILL)

    with pytest.raises(InputError, match="ended from outside"):
        run()
    assert np.isfinite(seen[-1].reconstruction.object).all()
    assert not folders[0].exists()
    assert not [t for t in threading.enumerate() if "_read" in t.name]


def test_without_the_engine_there_is_the_command_to_get_it(simulated, monkeypatch):
    sentence = "Reconstructing needs pty-chi, which is not installed: run pip …"
    monkeypatch.setattr(iteration, "why_not", lambda: sentence)
    with pytest.raises(InputError, match="needs pty-chi"):
        next(reconstruct(simulated.scan))


def test_nothing_to_reconstruct_is_one_sentence(simulated):
    with pytest.raises(InputError, match="no frames"):
        next(reconstruct(simulated.scan, indices=np.empty(0, np.int64)))
    dark = replace(simulated.scan, frames=np.zeros((169, 32, 32), np.uint8))
    with pytest.raises(InputError, match="169 of 169"):
        next(reconstruct(dark))
    metres = replace(simulated.scan, pixel_size=None)
    with pytest.raises(InputError, match="size of an object pixel is not known"):
        next(reconstruct(metres))


def test_stopped_before_it_began_there_is_nothing(simulated):
    assert list(reconstruct(simulated.scan, should_stop=lambda: True)) == []


@pytest.mark.parametrize(
    ("device", "seen", "expected"),
    [
        ("auto", None, ("auto", {})),
        ("cpu", None, ("cpu", {})),
        ("cuda", None, ("cuda", {})),
        ("cuda:1", None, ("cuda", {"CUDA_VISIBLE_DEVICES": "1"})),
        ("cuda:1", "4,6", ("cuda", {"CUDA_VISIBLE_DEVICES": "6"})),
        ("cuda:5", "4,6", ("cuda:5", {})),
    ],
)
def test_the_gpu_asked_for_is_the_only_one_seen(device, seen, expected, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert iteration._only_visible(device) == expected  # noqa: SLF001


def test_a_batch_is_no_larger_than_the_sample_has_room_for():
    flat = np.ones((1, 10, 10), np.complex64)
    positions = np.asarray([[0.0, 0.0], [90.0, 190.0]])
    state = State(object=np.ones((1, 1), np.complex64), probe=flat, positions=positions)
    assert iteration.crowded(state, 1.0) == 100 * 200 // 100
    assert iteration.crowded(state, 0.001) == 1


def test_a_probe_of_another_size_is_not_used_and_said(simulated, tmp_path):
    scan = replace(simulated.scan, probe=np.ones((1, 16, 16), np.complex64))
    course = iteration._Course(  # noqa: SLF001
        scan, EngineOptions(), np.arange(4), None, tmp_path
    )
    assert course._known_probe() is None  # noqa: SLF001
    assert "16 x 16" in course.messages[0]
