"""Atomic replacement: a crash, a full disk or a kill leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_ptychonn.compute.memory import format_bytes
from napari_ptychonn.errors import InputError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than is allowed",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the disk is read-only",
    errno.ENOENT: "its folder does not exist",
}


@contextmanager
def replacing(path: Path, size: int = 0) -> Iterator[Path]:
    """Give a temporary name in the same folder; on leaving without error it becomes `path`.

    Parameters
    ----------
    path : Path
        The file to write; what is there stays until the new one is complete.
    size : int
        About how many bytes it will have; refused where they do not fit.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    InputError
        When the folder is missing, not writable or full; `path` is then as before.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; expected the name of a file to write.")
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: its folder does not exist.")
        _must_fit(path, size)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except (OSError, RuntimeError) as error:
        # h5py reports a full disk at closing as RuntimeError: "... errno = 28 ...".
        if isinstance(error, RuntimeError) and "errno = " not in str(error):
            raise
        raise InputError(f"{path} cannot be written: {_reason(error)}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _must_fit(path: Path, size: int) -> None:
    # Checked first: HDF5 keeps a file open that it could not finish.
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise InputError(
            f"{path} cannot be written: it needs {format_bytes(size)} and the disk has "
            f"{format_bytes(free)} left."
        )


def _flush(file: Path) -> None:
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    # Windows has no way to flush a folder, and does not need one.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _reason(error: OSError | RuntimeError) -> str:
    text = str(error)
    number = getattr(error, "errno", None)
    if number is None:
        number = next((code for code in _REASONS if f"errno = {code}," in text), None)
    if number in _REASONS:
        return _REASONS[number]
    return (getattr(error, "strerror", None) or text.strip().splitlines()[0]).rstrip(".")
