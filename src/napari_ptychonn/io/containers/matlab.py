"""MATLAB files of before version 7.3 (later ones are HDF5), as their later form would show them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.in_memory import InMemoryArray, InMemoryTree, no_objects

_WIDEST = 16
_DEEPEST = 8


def open_matlab(file: Path) -> InMemoryTree:
    """Read all variables; a structure is a group.

    MATLAB counts the first axis fastest.  Its HDF5 files therefore have all
    axes reversed, and so have the arrays here: one layout serves both.
    """
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    try:
        for name, shape, _ in whosmat(file):
            check_fits_memory(f"{file}: {name}", tuple(map(int, shape)), f"V{_WIDEST}")
        held = loadmat(file, simplify_cells=True)
    except InputError:
        raise
    except (
        MatReadError,
        OSError,
        ValueError,
        TypeError,
        NotImplementedError,
        MemoryError,
    ) as error:
        raise InputError(f"{file} is a damaged MATLAB file.") from error
    arrays = [InMemoryArray(path, values) for path, values in _flat("", held, 0)]
    return InMemoryTree(file, "MATLAB", [a for a in arrays if math.prod(a.shape)])


def _flat(path: str, value: Any, depth: int) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(value, dict) and depth < _DEEPEST:
        for name, inner in value.items():
            if not name.startswith("__"):
                yield from _flat(f"{path}/{name}".strip("/"), inner, depth + 1)
    elif (array := no_objects(value)) is not None and path:
        yield path, np.ascontiguousarray(array.T)
