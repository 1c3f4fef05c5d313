"""The policy for HDF5 datasets: what is checked before a byte of one is decoded.

A file can make HDF5 read any other file of the machine: by external links, by
virtual datasets and by external raw storage.  A scan may point at files in
its own folder (detectors write masters and data files), at nothing else.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_ptychonn.compute.memory import check_fits_memory, format_bytes
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.hdf5.file import open_file

_KINDS = "biufc"
_WIDEST = {"f": 8, "c": 16, "i": 8, "u": 8, "b": 1}
_ABSURD = 2**40
_BEST_COMPRESSION = 4096
_NESTED = 4
_BLOCK = "%b"
MATLAB_COMPLEX = ("real", "imag")
"""Names of the two parts of a complex number in a MATLAB 7.3 file."""


class PathPolicy:
    """Allows files in the folder of a scan, or below it, and no others."""

    def __init__(self, file: Path) -> None:
        # A scan that is itself a symbolic link may have its data files at either end.
        self._folders = {file.parent.resolve(), file.resolve().parent}

    def admit(self, name: str, base: Path, what: str) -> Path:
        """Return the file that `name` refers to from `base`; InputError if it is not allowed."""
        inside = self.locate(name, base, what)
        found = next((p for p in inside if p.is_file()), None)
        if found is None:
            raise InputError(f"{what} points to {name}, which is missing.")
        return found

    def locate(self, name: str, base: Path, what: str) -> list[Path]:
        """Return the paths where the file may be; InputError if all are outside the folder."""
        inside: list[Path] = []
        # On Windows, resolving the path of a network share logs on to its server.
        if Path(name).anchor in {"", *(folder.anchor for folder in self._folders)}:
            candidates = [base.parent / name, base.resolve().parent / name]
            inside = [p for p in candidates if self._is_inside(p)]
        if not inside:
            raise InputError(
                f"{what} points to {name}, outside the folder of the scan; it was not followed."
            )
        return inside

    def _is_inside(self, file: Path) -> bool:
        try:
            resolved = file.resolve()
        except (OSError, RuntimeError, ValueError):  # symbolic links in a circle, no file name
            return False
        return any(resolved.is_relative_to(folder) for folder in self._folders)


def check_dataset(dataset: h5py.Dataset, policy: PathPolicy, depth: int = 0) -> None:
    """Raise InputError for a dataset that cannot, or should not, be read."""
    what = f"{dataset.file.filename}: {dataset.name}"
    _check_type(dataset, what)
    outside = dataset.external
    if outside:
        raise InputError(
            f"{what} keeps its values in another file ({outside[0][0]}); it was not read."
        )
    if dataset.is_virtual:
        _check_sources(dataset, policy, what, depth)
    else:
        _check_filters(dataset, what)
        _check_size(dataset, what)


def check_source_names(dataset: h5py.Dataset, policy: PathPolicy) -> None:
    """Refuse sources outside the folder by name: HDF5 may open them to determine the shape."""
    if not dataset.is_virtual:
        return
    what = f"{dataset.file.filename}: {dataset.name}"
    base = Path(dataset.file.filename)
    for name in {source.file_name for source in dataset.virtual_sources()} - {"."}:
        if _BLOCK in name:
            raise InputError(f"{what} has endless sources ({name}), which are not read.")
        policy.locate(name, base, f"{what}: a source")


def _check_type(dataset: h5py.Dataset, what: str) -> None:
    if dataset.shape is None:
        raise InputError(f"{what} is empty.")
    try:
        dtype = dataset.dtype
    except TypeError as error:
        raise InputError(f"{what} has a data type that NumPy does not know.") from error
    if h5py.check_string_dtype(dtype) is not None:
        return
    if dtype.names == MATLAB_COMPLEX and all(dtype[n].kind == "f" for n in dtype.names):
        return
    if dtype.kind not in _KINDS or dtype.itemsize > _WIDEST[dtype.kind]:
        raise InputError(
            f"{what} has data type {dtype}; expected plain numbers of up to 64 bits.",
            expected="plain numbers of up to 64 bits",
            got=dtype,
        )


def _check_filters(dataset: h5py.Dataset, what: str) -> None:
    # Without this, HDF5 answers "can't open directory (/usr/local/...)" and never names the filter.
    created = dataset.id.get_create_plist()
    for i in range(created.get_nfilters()):
        code, _, _, name = created.get_filter(i)
        if not h5py.h5z.filter_avail(code):
            label = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
            raise InputError(
                f"{what} is compressed with filter {code} ({label or 'no name'}), "
                "which this installation does not have.",
                got=code,
            )


def _check_size(dataset: h5py.Dataset, what: str) -> None:
    declared = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if declared > _ABSURD and declared > _BEST_COMPRESSION * max(stored, 1):
        raise InputError(
            f"{what} declares shape {dataset.shape}, {format_bytes(declared)}, but the file holds "
            f"{format_bytes(stored)} of it.",
            expected=declared,
            got=stored,
        )
    if dataset.chunks is not None:
        check_fits_memory(f"{what}, one chunk,", dataset.chunks, dataset.dtype)
    if dataset.ndim >= 3:
        check_fits_memory(f"{what}, one frame,", dataset.shape[-2:], np.dtype(dataset.dtype))


def _check_sources(dataset: h5py.Dataset, policy: PathPolicy, what: str, depth: int) -> None:
    # A virtual dataset whose source is missing reads zeros, silently.
    if depth >= _NESTED:
        raise InputError(f"{what} is virtual over more than {_NESTED} files in a row.")
    if dataset.ndim >= 3:
        check_fits_memory(f"{what}, one frame,", dataset.shape[-2:], np.dtype(dataset.dtype))
    base = Path(dataset.file.filename)
    for name, path in {(s.file_name, s.dset_name) for s in dataset.virtual_sources()}:
        if _BLOCK in name or _BLOCK in path:
            raise InputError(f"{what} has endless sources ({name}), which are not read.")
        if name == ".":
            _check_source(dataset.file, path, policy, what, depth)
            continue
        target = policy.admit(name, base, f"{what}: a source")
        with open_file(target) as file:
            _check_source(file, path, policy, what, depth)


def _check_source(file: h5py.File, path: str, policy: PathPolicy, what: str, depth: int) -> None:
    parent, _, name = path.strip("/").rpartition("/")
    group: Any = file.get(f"/{parent}") if _is_plain(file, parent) else None
    link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
    if link is None:
        raise InputError(f"{what}: its source {path} is not in {file.filename}.")
    if not isinstance(link, h5py.HardLink):
        raise InputError(f"{what}: its source {path} in {file.filename} is a link in turn.")
    source = group[name]
    if isinstance(source, h5py.Dataset):
        check_dataset(source, policy, depth + 1)


def _is_plain(file: h5py.File, path: str) -> bool:
    """True if every group of the path is in this file, and not behind a link."""
    node: h5py.Group = file
    for part in (p for p in path.split("/") if p):
        if not isinstance(node.get(part, getlink=True), h5py.HardLink):
            return False
        node = node[part]
    return True
