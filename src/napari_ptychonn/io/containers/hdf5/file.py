"""Opening an HDF5 file for reading, and saying why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers bitshuffle, LZ4, Zstd, ... with HDF5)

from napari_ptychonn.errors import InputError

_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError)
_STILL_OPEN = ("unable to lock file", "already open for write", "swmr read access")


def open_file(file: Path, *, swmr: bool | None = None, **cache: Any) -> h5py.File:
    """Open for reading only; one that is being written is opened as SWMR reader where it allows.

    Parameters
    ----------
    file : Path
        The file.
    swmr : bool, optional
        How it was opened before: HDF5 refuses to mix the two in one process.
        By default plain, then SWMR.
    **cache
        Chunk-cache settings of `h5py.File`.
    """
    if swmr is not None:
        return h5py.File(file, "r", swmr=swmr, **cache)
    try:
        return h5py.File(file, "r", **cache)
    except OSError as error:
        if not _is_still_open(error):
            raise InputError(_why_not(file, error)) from error
    try:
        return h5py.File(file, "r", swmr=True, **cache)
    except OSError as error:
        raise InputError(
            f"{file} is still being written by another program; open it when that has finished."
        ) from error


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever HDF5 raises on damaged bytes into one sentence."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(f"{what} cannot be read, it is damaged ({_first_line(error)}).") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _is_still_open(error: OSError) -> bool:
    return isinstance(error, BlockingIOError) or any(s in str(error).lower() for s in _STILL_OPEN)


def _why_not(file: Path, error: OSError) -> str:
    text = str(error).lower()
    if "truncated" in text:
        return (
            f"{file} is truncated: it ends before the HDF5 data it announces (an unfinished copy?)."
        )
    if "signature" in text:
        return f"{file} is not an HDF5 file."
    if error.strerror and error.errno:
        return f"{file} cannot be opened: {error.strerror}."
    return f"{file} is a damaged HDF5 file ({_first_line(error)})."
