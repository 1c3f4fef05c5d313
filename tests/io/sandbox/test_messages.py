"""What goes through the pipe comes out the same, or not at all."""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_ptychonn.io.sandbox.messages import dtype_as_json, dtype_from_json, receive, send

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?"),
    arrays.complex_number_dtypes(endianness="?"),
    arrays.byte_string_dtypes(min_len=1),
    arrays.unicode_string_dtypes(min_len=1),
)


def through(value: Any) -> Any:
    stream = io.BytesIO()
    send(stream, {"question": 1}, value)
    stream.seek(0)
    header, answer = receive(stream)
    assert header == {"question": 1}
    assert not stream.read()
    return answer


@given(PLAIN | st.binary())
def test_plain_values(value: Any) -> None:
    answer = through(value)
    assert answer == value
    assert type(answer) is type(value)


@given(arrays.arrays(DTYPES, arrays.array_shapes(min_side=0)))
def test_arrays(value: Any) -> None:
    answer = through(value)
    assert (answer.dtype, np.shape(answer)) == (value.dtype, value.shape)
    assert np.asarray(answer).tobytes() == value.tobytes()


def test_arrays_that_lie_anyhow_in_memory() -> None:
    value = np.arange(60).reshape(3, 4, 5)
    for array in (value.T, value[:, ::-2], np.asfortranarray(value)):
        np.testing.assert_array_equal(through(array), array)


def test_numbers_and_texts_of_files() -> None:
    number = through(np.float32(2.5))
    assert (number, number.dtype) == (2.5, np.float32)
    texts = np.array(["a", b"\xff\0", "µm"], dtype=object)
    assert list(through(texts)) == list(texts)
    assert through(np.array(b"abc", dtype=object)) == b"abc"
    assert through("\udcff") == "\udcff"  # a name that is no text, as h5py gives it


@pytest.mark.parametrize("value", [object(), {1, 2}, slice(3)])
def test_what_is_no_value_is_nothing(value: Any) -> None:
    assert through(value) is None


@pytest.mark.parametrize(
    "dtype", ["<f4", ">u2", "?", [("real", "<f8"), ("imag", "<f8")], [("a", "<f4", (3,))], "O"]
)
def test_types(dtype: Any) -> None:
    assert dtype_from_json(dtype_as_json(np.dtype(dtype))) == np.dtype(dtype)


def test_fields_that_overlap_are_bytes() -> None:
    dtype = np.dtype({"names": ["a", "b"], "formats": ["<f4", "<f4"], "offsets": [0, 2]})
    assert dtype_from_json(dtype_as_json(dtype)) == np.dtype("V6")


def test_the_other_side_has_gone() -> None:
    stream = io.BytesIO()
    send(stream, {}, np.arange(100))
    whole = stream.getvalue()
    for length in (0, 5, 30, len(whole) - 1):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:length]))


@pytest.mark.parametrize(
    "head",
    [
        b'{"value": {"shape": [2], "dtype": "|O"}}',
        b'{"value": {"shape": [3], "dtype": "<f8"}}',
        b'{"value": {"shape": [-1, -2], "dtype": "<f8"}}',
        b'{"value": {"shape": [2], "dtype": "no type"}}',
        b"[]",
        b"\xff",
        pickle.dumps({"value": {"plain": 1}}),
    ],
)
def test_no_message(head: bytes) -> None:
    data = struct.pack("<IQ", len(head), 16) + head + bytes(16)
    with pytest.raises((ValueError, TypeError)):
        receive(io.BytesIO(data))


def test_a_header_without_end() -> None:
    with pytest.raises(ValueError, match="a header of"):
        receive(io.BytesIO(struct.pack("<IQ", 2**31, 0)))
