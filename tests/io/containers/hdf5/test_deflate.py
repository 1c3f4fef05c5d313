"""Frames packed with deflate are unpacked here, and are what HDF5 itself reads."""

import zlib
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.hdf5 import deflate as inflater
from napari_ptychonn.io.containers.hdf5.deflate import DeflateReader
from napari_ptychonn.io.containers.hdf5.source import Hdf5Source

COUNTS = np.random.default_rng(0).poisson(3, (30, 8, 6)).astype(np.uint16)
NAMES = ("plain", "shuffled", "deep", "scan axes", "big-endian", "float")


@pytest.fixture(autouse=True, params=["isal", "zlib"])
def _few(request, monkeypatch):
    """Unpack every block of two chunks here, by each of the libraries."""
    monkeypatch.setattr(inflater, "FEWEST", 2)
    if request.param == "zlib":
        monkeypatch.setattr(inflater, "_LIBRARY", zlib)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "scan.h5"
    one = {"chunks": (1, 8, 6), "compression": "gzip"}
    with h5py.File(path, "w") as file:
        file.create_dataset("plain", data=COUNTS, **one)
        file.create_dataset("shuffled", data=COUNTS, **one, shuffle=True)
        file.create_dataset("deep", data=COUNTS, chunks=(4, 8, 6), compression="gzip")
        file.create_dataset(
            "scan axes",
            data=COUNTS.reshape(5, 6, 8, 6),
            chunks=(2, 1, 8, 6),
            compression="gzip",
            shuffle=True,
        )
        file.create_dataset("big-endian", data=COUNTS.astype(">i4"), **one, shuffle=True)
        file.create_dataset("float", data=COUNTS.astype(np.float32), **one)
    return path


def source(path: Path, name: str) -> Hdf5Source:
    with h5py.File(path) as file:
        found = file[name]
        return Hdf5Source(path, name, found.shape, found.dtype, found.chunks)


@given(st.sampled_from(NAMES), st.data())
def test_a_block_is_what_hdf5_reads(path, name, data):
    with h5py.File(path) as file:
        dataset = file[name]
        key = tuple(
            slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))))
            for n in dataset.shape
        )
        assert DeflateReader.can_unpack(dataset)
        unpacking = DeflateReader(dataset)
        found = unpacking.block(key)
        if found is not None:
            np.testing.assert_array_equal(found, dataset[key])
            assert found.dtype == dataset.dtype


@pytest.mark.parametrize("name", NAMES)
def test_whole_stacks_take_this_way(path, name, monkeypatch):
    opened = source(path, name)
    whole = tuple(slice(0, n) for n in opened.shape)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", None)  # nothing is read through it
    np.testing.assert_array_equal(opened.block(whole).reshape(COUNTS.shape), COUNTS)
    opened.close()
    assert opened.block(whole).size == COUNTS.size, "a closed source opens again"
    opened.close()


def test_chunks_of_which_little_is_wanted_are_left_to_hdf5(tmp_path):
    """It keeps them for the next line of the scan."""
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        dataset = file.create_dataset(
            "data", data=COUNTS.reshape(5, 6, 8, 6), chunks=(5, 1, 8, 6), compression="gzip"
        )
        frame = (slice(0, 8), slice(0, 6))
        unpacking = DeflateReader(dataset)
        assert unpacking.block((slice(0, 1), slice(0, 6), *frame)) is None
        assert unpacking.block((slice(0, 3), slice(0, 6), *frame)) is not None


@pytest.mark.parametrize(
    ("chunks", "packing"),
    [
        ((1, 8, 6), {}),
        ((1, 4, 6), {"compression": "gzip"}),
        ((1, 8, 6), {"compression": "lzf"}),
        ((1, 8, 6), {"compression": "gzip", "fletcher32": True}),
        ((1, 8, 6), dict(hdf5plugin.Bitshuffle())),
    ],
)
def test_others_are_left_to_hdf5(tmp_path, chunks, packing):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        dataset = file.create_dataset("data", data=COUNTS, chunks=chunks, **packing)
        assert not DeflateReader.can_unpack(dataset)


def test_chunks_that_are_missing_or_not_packed_are_read_all_the_same(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "data", COUNTS.shape, np.uint16, chunks=(1, 8, 6), compression="gzip", fillvalue=7
        )
        for k in (0, 2, 3):
            dataset[k] = COUNTS[k]
        dataset.id.write_direct_chunk((4, 0, 0), COUNTS[4].tobytes(), filter_mask=1)
    opened = source(path, "data")
    found = opened.block((slice(0, 6), slice(0, 8), slice(0, 6)))
    np.testing.assert_array_equal(found[[0, 2, 3, 4]], COUNTS[[0, 2, 3, 4]])
    assert (found[[1, 5]] == 7).all()
    opened.close()


DAMAGED = {"no deflate": b"no zlib", "cut off": zlib.compress(COUNTS[4].tobytes())[:-9]}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_chunk_is_one_sentence(tmp_path, content):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("data", data=COUNTS, chunks=(1, 8, 6), compression="gzip")
        dataset.id.write_direct_chunk((4, 0, 0), content)
    opened = source(path, "data")
    with pytest.raises(InputError, match="damaged"):
        opened.block(tuple(slice(0, n) for n in COUNTS.shape))
    opened.close()


def test_a_chunk_that_unpacks_to_more_is_not_unpacked_further(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        dataset = file.create_dataset("data", data=COUNTS, chunks=(1, 8, 6), compression="gzip")
        dataset.id.write_direct_chunk((4, 0, 0), zlib.compress(bytes(10**6)))
        unpacking = DeflateReader(dataset)
        assert unpacking.block(tuple(slice(0, n) for n in COUNTS.shape)) is None
