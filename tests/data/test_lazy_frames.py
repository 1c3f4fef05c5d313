"""Lazy frames give what NumPy would give, and read no more than that."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_ptychonn.data.frame_source import ArraySource
from napari_ptychonn.data.frame_transforms import (
    Bin,
    Crop,
    FrameTransform,
    Reorient,
    ShiftZeroFrequency,
    Square,
    reorient,
)
from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.data.scan import FrameStack, Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.hdf5.source import Hdf5Source

LENGTH, KY, KX = 12, 6, 8
VALUES = np.arange(LENGTH * KY * KX, dtype=np.uint16).reshape(LENGTH, KY, KX)


def slices(length: int) -> st.SearchStrategy[slice]:
    bound = st.none() | st.integers(-length - 2, length + 2)
    step = st.none() | st.sampled_from([1, 2, 3, -1, -2])
    return st.builds(slice, bound, bound, step)


def firsts(n: int) -> st.SearchStrategy[Any]:
    numbers = st.lists(st.integers(-n, n - 1), max_size=2 * n)
    masks = st.lists(st.booleans(), min_size=n, max_size=n)
    return st.one_of(
        st.integers(-n, n - 1),
        slices(n),
        numbers.map(lambda i: np.array(i, dtype=np.int64)),
        masks.map(lambda m: np.array(m, dtype=bool)),
    )


def pixels(length: int) -> st.SearchStrategy[Any]:
    return slices(length) | st.integers(-length, length - 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Hdf5Source]:
    path = tmp_path_factory.mktemp("frames") / "frames.h5"
    layouts = {"stack": VALUES, "raster": VALUES.reshape(3, 4, KY, KX)}
    with h5py.File(path, "w") as file:
        for name, values in layouts.items():
            chunks = (*(2,) * (values.ndim - 2), 4, 4)
            file.create_dataset(name, data=values, chunks=chunks, compression="gzip")
    return {n: Hdf5Source(path, n, v.shape, v.dtype, None) for n, v in layouts.items()}


@settings(max_examples=40)
@given(data=st.data())
@pytest.mark.parametrize("name", ["stack", "raster", "memory"])
@pytest.mark.parametrize("corner", [False, True])
@pytest.mark.parametrize("amplitude", [False, True])
def test_indexing_equals_numpy(
    files: dict[str, Hdf5Source], name: str, corner: bool, amplitude: bool, data: st.DataObject
) -> None:
    chosen = data.draw(
        st.none() | st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=LENGTH)
    )
    select = None if chosen is None else np.array(chosen, dtype=np.int64)
    source = ArraySource(VALUES) if name == "memory" else files[name]
    transforms = [*([ShiftZeroFrequency()] if corner else []), *([Square()] if amplitude else [])]
    stack = LazyFrames(source, tuple(transforms), select=select)

    expected = VALUES if select is None else VALUES[select]
    if corner:
        expected = np.fft.fftshift(expected, axes=(-2, -1))
    if amplitude:
        expected = expected.astype(np.float32) ** 2
    assert stack.shape == expected.shape
    assert stack.dtype == expected.dtype

    first, rows, columns = (data.draw(s) for s in (firsts(len(expected)), pixels(KY), pixels(KX)))
    np.testing.assert_array_equal(stack[first], expected[first])
    want = expected[first][..., rows, :][..., columns]
    np.testing.assert_array_equal(stack[first, rows, columns], want)


def transforms() -> st.SearchStrategy[list[FrameTransform]]:
    return st.lists(
        st.one_of(
            st.builds(Crop, st.integers(0, 1), st.integers(0, 2), st.just(4), st.just(4)),
            st.builds(Reorient, st.integers(0, 7)),
            st.just(Bin(1)) | st.just(Bin(2)),
            st.just(ShiftZeroFrequency()),
            st.just(Square()),
        ),
        max_size=4,
    ).filter(lambda chain: chain.count(Square()) <= 1)  # more overflow, and mean nothing


def transformed(frames: NDArray[Any], transform: FrameTransform) -> NDArray[Any]:
    match transform:
        case Crop(top, left, height, width):
            return frames[:, top : top + height, left : left + width]
        case Reorient(orientation):
            return reorient(frames, orientation)
        case Bin(factor):
            n, ky, kx = frames.shape
            return frames.reshape(n, ky // factor, factor, kx // factor, factor).sum(axis=(2, 4))
        case ShiftZeroFrequency():
            return np.fft.fftshift(frames, axes=(1, 2))
        case _:
            return frames.astype(np.float64) ** 2


@settings(max_examples=200)
@given(data=st.data(), chain=transforms())
def test_a_chain_of_transforms_equals_numpy(
    data: st.DataObject, chain: list[FrameTransform]
) -> None:
    stack = LazyFrames(ArraySource(VALUES))
    expected = VALUES.astype(np.int64)
    for transform in chain:
        _, ky, kx = expected.shape
        if isinstance(transform, Crop) and (ky < 5 or kx < 6):
            continue
        if isinstance(transform, Bin) and (ky % transform.factor or kx % transform.factor):
            continue
        stack = stack.transform(transform)
        expected = transformed(expected, transform)
    assert stack.shape == expected.shape
    first = data.draw(firsts(LENGTH))
    rows, columns = (data.draw(pixels(n)) for n in expected.shape[1:])
    read = stack[first, rows, columns]
    np.testing.assert_allclose(read, expected[first][..., rows, :][..., columns], rtol=1e-6)
    assert read.dtype == stack.dtype


def test_ellipsis_and_len() -> None:
    stack = LazyFrames(ArraySource(VALUES))
    np.testing.assert_array_equal(stack[..., 2:4], VALUES[..., 2:4])
    np.testing.assert_array_equal(stack[3, ...], VALUES[3])
    np.testing.assert_array_equal(np.asarray(stack), VALUES)
    assert (len(stack), stack.ndim, stack.size, stack.nbytes) == (12, 3, 576, 1152)
    assert isinstance(stack, FrameStack)


@pytest.mark.parametrize("key", [12, -13, np.array([0, 12]), (0, 6), (0, 0, 0, 0), 1.5, "a"])
def test_wrong_indices_are_refused(key: Any) -> None:
    with pytest.raises(IndexError):
        LazyFrames(ArraySource(VALUES))[key]


def test_a_selection_of_a_selection() -> None:
    stack = LazyFrames(ArraySource(VALUES)).select(np.array([5, 3, 9])).select(np.array([2, 0]))
    np.testing.assert_array_equal(stack[:], VALUES[[9, 5]])


def test_nothing_is_open_until_the_first_read_and_after_the_last_reference(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    with h5py.File(path, "w") as file:
        file["data"] = VALUES
    stack = LazyFrames(Hdf5Source(path, "data", VALUES.shape, VALUES.dtype))
    with h5py.File(path, "r+"):
        pass  # refused by HDF5 while somebody in this process reads the file
    assert stack[1, 2, 3] == VALUES[1, 2, 3]
    with pytest.raises(OSError, match="already open"):
        h5py.File(path, "r+")
    del stack
    gc.collect()
    with h5py.File(path, "r+"):
        pass


def test_a_file_that_changed_is_said_to_have_changed(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    with h5py.File(path, "w") as file:
        file["data"] = VALUES[:4]
    stack = LazyFrames(Hdf5Source(path, "data", VALUES.shape, VALUES.dtype))
    with pytest.raises(InputError, match="open it again"):
        stack[0]
    path.unlink()
    with pytest.raises(InputError, match="cannot be"):
        stack[0]


def test_threads_read_at_the_same_time(files: dict[str, Hdf5Source]) -> None:
    stack = LazyFrames(files["stack"])
    wrong: list[int] = []

    def read(seed: int) -> None:
        some = np.random.default_rng(seed).integers(0, LENGTH, 100)
        wrong.extend(int(i) for i in some if not np.array_equal(stack[int(i)], VALUES[i]))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_scan_reads_in_any_order(files: dict[str, Hdf5Source]) -> None:
    positions: NDArray[np.float64] = np.zeros((LENGTH, 2))
    scan = Scan(frames=LazyFrames(files["raster"]), positions=positions)
    wanted = np.array([7, 2, 2, 11])
    window = (slice(1, 5), slice(2, 6))
    np.testing.assert_array_equal(scan.read(wanted, window), VALUES[wanted][:, 1:5, 2:6])


@given(
    dtype=st.sampled_from(["i2", "u4", "i8", "f4", "f8", "f2"]),
    order=st.sampled_from("<>"),
    factor=st.integers(1, 4),
)
def test_frames_of_any_type_and_byte_order_are_read_and_summed(dtype, order, factor):
    counts = np.random.default_rng(0).integers(0, 30_000, (3, 8, 8))
    stored = counts.astype(np.dtype(dtype).newbyteorder(order))
    stack = LazyFrames(ArraySource(stored)).transform(Bin(factor))
    height = 8 // factor
    cut = stored[:, : height * factor, : height * factor].astype(np.float64)
    expected = cut.reshape(3, height, factor, height, factor).sum(axis=(2, 4))
    assert stack.dtype.isnative
    assert stack.dtype.itemsize > 2 or stack.dtype.kind != "f"
    np.testing.assert_allclose(stack[:], expected, rtol=1e-6)
