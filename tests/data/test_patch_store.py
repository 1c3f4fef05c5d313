import errno
import gc
import os
from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.comparison.metrics import compare
from napari_ptychonn.data import patch_store as stored
from napari_ptychonn.data.patch_store import (
    LazyPatches,
    PatchBuffer,
    StoredImages,
    iterate_batches,
    select_patches,
)
from napari_ptychonn.data.patches import Patches, cut_patches
from napari_ptychonn.errors import InputError


@pytest.fixture
def patches(toy):
    placed, positions = toy.truth.align_to(toy.scan)
    made = cut_patches(placed, positions, np.arange(10, 110), (16, 8))
    return replace(made, residual=np.arange(100, dtype=np.float32))


@pytest.fixture
def _many(monkeypatch):
    """Treat every set of patches as if it did not fit into memory."""
    monkeypatch.setattr(stored, "IN_MEMORY", 0)
    monkeypatch.setattr(stored, "TOGETHER", 7)


def buffered(patches, count=None):
    buffer = PatchBuffer(len(patches) if count is None else count)
    for start in range(0, len(patches), 30):
        buffer.add(patches[start : start + 30])
    return buffer


def same(a, b):
    for name in ("indices", "amplitude", "phase", "residual"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize(
    "key",
    [
        3,
        -1,
        slice(2, 9),
        slice(None, None, 4),
        np.array([5, 1, 1, 8]),
        np.array([], np.int64),
        (slice(0, 4), slice(1, 3)),
        (2, slice(None), 0),
    ],
)
def test_stored_images_are_indexed_like_an_array(key):
    images = np.random.default_rng(0).random((10, 4, 3)).astype(np.float32)
    kept = StoredImages(images.shape)
    kept.write(4, images[4:])
    kept.write(0, images[:4])
    np.testing.assert_array_equal(kept[key], images[key])


def test_stored_images_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = _open_files()
    kept = StoredImages((10, 4, 3))
    kept.write(0, np.zeros((10, 4, 3), np.float32))
    assert _open_files() == before + 1
    del kept
    gc.collect()
    assert _open_files() == before
    assert not list(tmp_path.iterdir())


def _open_files():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_a_disk_without_room_is_an_input_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(InputError, match=r"predictions in .* TMPDIR"):
        StoredImages((10**9, 1024, 1024))


def test_a_disk_that_fills_up_is_an_input_error():
    class Full:
        def seek(self, _):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kept = StoredImages((10, 4, 3))
    kept._file = Full()  # noqa: SLF001
    with pytest.raises(InputError, match="No space left"):
        kept.write(0, np.zeros((10, 4, 3), np.float32))


def test_few_patches_stay_in_memory(patches):
    kept = buffered(patches).patches()
    assert isinstance(kept, Patches)
    same(kept, patches)


@pytest.mark.usefixtures("_many")
def test_many_patches_are_the_same_from_a_file(patches):
    buffer = buffered(patches, count=200)
    kept = buffer.patches()
    assert isinstance(kept, LazyPatches)
    assert len(kept) == 100
    same(kept[:], patches)
    same(buffer.patches(90)[:], patches[90:])
    rows = np.array([60, 2, 99])
    same(select_patches(kept, rows)[1:], patches[rows][1:])
    for part, batch in iterate_batches(kept):
        assert len(batch) <= 7
        same(batch, patches[part])


def test_later_patches_do_not_appear_in_earlier_ones(patches):
    buffer = PatchBuffer(100)
    buffer.add(patches[:40])
    early = buffer.patches()
    buffer.add(patches[40:])
    assert len(early) == 40
    assert len(buffer.patches()) == 100


def test_without_a_residual_there_is_none(patches):
    buffer = PatchBuffer(100)
    buffer.add(replace(patches, residual=None))
    assert buffer.patches().residual is None


@pytest.mark.usefixtures("_many")
def test_a_comparison_of_many_is_that_of_few(toy, monkeypatch):
    """Batch by batch the same numbers come out, whichever patches are off the object."""
    placed, positions = toy.truth.align_to(toy.scan)
    made = cut_patches(placed, positions, np.arange(144))
    noise = np.random.default_rng(0).normal(0, 0.1, made.phase.shape).astype(np.float32)
    made = replace(made, phase=made.phase + noise)
    many = buffered(made).patches()
    placed = replace(placed, object=placed.object[:-20])
    monkeypatch.setattr(stored, "TOGETHER", 10**6)
    whole = compare(made, positions, placed)
    monkeypatch.setattr(stored, "TOGETHER", 7)
    parts = compare(many, positions, placed)
    assert 0 < whole.left_out == parts.left_out
    for a, b in ((whole.single_shot, parts.single_shot), (whole.illuminated, parts.illuminated)):
        assert vars(a) == pytest.approx(vars(b), rel=1e-5)
    np.testing.assert_allclose(whole.aligned.predicted, parts.aligned.predicted, atol=1e-5)
