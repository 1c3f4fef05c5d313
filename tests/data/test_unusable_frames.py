"""Frames without diffraction are found among all that are used."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.unusable_frames import find_unusable_frames
from napari_ptychonn.errors import Stopped
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.data import TrainingData, TrainingSource
from napari_ptychonn.simulation.scan import Simulation

KINDS = {
    "zero": 0,
    "constant": 7,
    "dark": None,
    "saturated": 65_535,
    "nan": np.nan,
    "infinite": np.inf,
}


@pytest.fixture(scope="module")
def made():
    return Simulation(points=(8, 8), frame_size=32, photons=1e5).run()


def spoil(frames, rows, kind):
    """Spoil some frames; floats where integers cannot hold it."""
    if kind in ("nan", "infinite"):
        frames = frames.astype(np.float32)
    else:
        frames = frames.copy()
    if kind == "dark":
        frames[rows] = 0
        frames[rows, 3, 4] = 5
    else:
        frames[rows] = KINDS[kind]
    return frames


@settings(max_examples=30, deadline=None)
@given(
    rows=st.sets(st.integers(0, 63), max_size=20),
    kind=st.sampled_from(sorted(KINDS)),
)
def test_exactly_the_spoilt_frames_are_found(made, rows, kind):
    rows = np.array(sorted(rows), np.int64)
    scan = replace(made.scan, frames=spoil(made.scan.frames, rows, kind))
    found = find_unusable_frames(scan, np.arange(64))
    np.testing.assert_array_equal(found.indices, rows)
    assert (found.sentence is None) == (not len(rows))
    np.testing.assert_array_equal(found.drop_from(np.arange(64)), np.setdiff1d(np.arange(64), rows))


@pytest.mark.parametrize("photons", [1e2, 1e3, 1e7])
@pytest.mark.parametrize("pattern", ["etched tungsten", "particles", "natural field"])
def test_no_honest_frame_is_left_out(photons, pattern):
    scan = Simulation(points=(9, 9), frame_size=32, photons=photons, pattern=pattern).run().scan
    assert find_unusable_frames(scan, np.arange(81)).sentence is None


def test_bad_pixels_do_not_save_a_lost_frame(made):
    frames, valid = made.scan.frames.copy(), np.ones((32, 32), bool)
    frames[4], frames[:, 2, 2], valid[2, 2] = 0, 60_000, False
    found = find_unusable_frames(replace(made.scan, frames=frames, valid=valid), np.arange(10))
    assert found.indices.tolist() == [4]


def test_it_can_be_stopped(made):
    with pytest.raises(Stopped):
        find_unusable_frames(made.scan, np.arange(64), lambda: True)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_training_leaves_them_out_and_keeps_the_probe(made, kind):
    rows = np.array([3, 17, 40])
    scan = replace(made.scan, frames=spoil(made.scan.frames, rows, kind))
    region = TrainingRegion.from_indices(scan, slice(None))
    data = TrainingData.load(
        TrainingSource(scan=scan, reconstruction=made.truth, region=region),
        TrainingOptions(steps=10, epochs=0),
        NetworkOptions(size=16),
        "cpu",
    )
    assert data.virtual is not None
    assert data.virtual.agreement > 0.9
    used = np.concatenate([data.train_indices, data.validation_indices])
    assert not np.isin(rows, used).any()
    part = np.isin(rows, np.concatenate([region.train, region.validation])).sum()
    assert any(m.startswith(f"{part} of") for m in data.messages)
