"""What is said between this process and the one that opens files: JSON, then plain bytes.

Neither side unpickles anything: the other may have read a hostile file.
"""

from __future__ import annotations

import json
import math
import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory

_LENGTHS = struct.Struct("<IQ")
_LONGEST_HEADER = 64 * 2**20

_PLAIN = (bool, int, float, str, list, dict)

Header = dict[str, Any]


def send(stream: IO[bytes], header: Header, value: Any = None) -> None:
    """Write one message: a header of JSON values, and a value: one of those, bytes or an array."""
    about, payload = _encoded(value)
    head = json.dumps(header | {"value": about}).encode()
    stream.write(_LENGTHS.pack(len(head), payload.nbytes))
    stream.write(head)
    stream.write(payload)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Header, Any]:
    """Read one message.

    Returns
    -------
    tuple of (dict, object)
        Header and value.

    Raises
    ------
    EOFError
        When the other side has gone.
    ValueError
        When what arrives is not a message.
    """
    length, size = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(_exactly(stream, length))
    if not isinstance(header, dict) or "value" not in header:
        raise ValueError("a message without header")
    return header, _decoded(header.pop("value"), size, stream)


def dtype_as_json(dtype: np.dtype[Any]) -> Any:
    """Describe a data type in JSON values; see `dtype_from_json`."""
    try:
        return np.lib.format.dtype_to_descr(np.lib.format.drop_metadata(dtype))
    except ValueError:  # fields that overlap, as only a damaged file has them
        return f"|V{dtype.itemsize}"


def dtype_from_json(description: Any) -> np.dtype[Any]:
    """Return the data type that `dtype_as_json` described."""
    if isinstance(description, list):
        description = [_field(*field) for field in description]
    return np.lib.format.descr_to_dtype(description)


def _field(name: str, kind: Any, shape: list[int] | None = None) -> tuple[Any, ...]:
    inner = [_field(*f) for f in kind] if isinstance(kind, list) else kind
    return (name, inner) if shape is None else (name, inner, tuple(shape))


def _encoded(value: Any) -> tuple[Any, memoryview]:
    nothing = memoryview(b"")
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}, nothing
    # A NumPy number is a float to Python, but keeps its type on the way.
    if not isinstance(value, np.ndarray | np.generic):
        return {"plain": value if isinstance(value, _PLAIN) else None}, nothing
    array = np.asarray(value)
    if array.dtype.kind == "O":
        return {"shape": array.shape, "texts": [_text(t) for t in array.ravel()]}, nothing
    about = {"shape": array.shape, "dtype": dtype_as_json(array.dtype)}
    return about, _bytes_of(np.ascontiguousarray(array))


def _text(item: Any) -> Any:
    if isinstance(item, bytes):
        return {"bytes": item.decode("latin-1")}
    return item if isinstance(item, str) else None


def _decoded(about: Any, size: int, stream: IO[bytes]) -> Any:
    if "shape" not in about:
        return about["bytes"].encode("latin-1") if "bytes" in about else about["plain"]
    shape = tuple(int(n) for n in about["shape"])
    if "texts" in about:
        texts = np.empty(len(about["texts"]), dtype=object)
        texts[:] = [t["bytes"].encode("latin-1") if isinstance(t, dict) else t
                    for t in about["texts"]]  # fmt: skip
        return texts.reshape(shape)[()]
    dtype = dtype_from_json(about["dtype"])
    if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"an array of {dtype} {shape} in {size} bytes")
    check_fits_memory("an array", shape, dtype)
    array: NDArray[Any] = np.empty(shape, dtype)
    _fill(stream, _bytes_of(array))
    return array[()]  # a number, where there are no axes


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _fill(stream: IO[bytes], view: memoryview) -> None:
    while len(view):
        read = stream.readinto(view)  # type: ignore[attr-defined]
        if not read:
            raise EOFError
        view = view[read:]
