"""HDF5 files under the policy of `policy.py`: each link and dataset is checked before use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory, format_bytes
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.compression_ratio import check_compression_ratio
from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.containers.hdf5.entries import hdf5_entries
from napari_ptychonn.io.containers.hdf5.file import open_file, reading
from napari_ptychonn.io.containers.hdf5.policy import (
    MATLAB_COMPLEX,
    PathPolicy,
    check_dataset,
    check_source_names,
)
from napari_ptychonn.io.containers.hdf5.source import Hdf5Source
from napari_ptychonn.io.containers.signature import Container

_MOST_LINKS = 32
_MOST_OBJECTS = 20_000
_DEEPEST = 16
_LARGEST_ATTRIBUTE = 2**20


class Hdf5Array:
    """One dataset, in the folder of the scan."""

    def __init__(self, dataset: h5py.Dataset, path: str, tree: Hdf5Tree) -> None:
        self._dataset, self.path, self._tree = dataset, path, tree
        with reading(f"{tree.file}: {path}"):
            check_source_names(dataset, tree.policy)
            self.shape: tuple[int, ...] = tuple(dataset.shape or ())
            self.dtype = _type_of(dataset)

    def read(self) -> NDArray[Any]:
        """Read all of it, after `check_dataset`."""
        what = f"{self._tree.file}: {self.path}"
        with reading(what):
            check_dataset(self._dataset, self._tree.policy)
            check_fits_memory(what, self.shape, self.dtype)
            check_compression_ratio(what, self.shape, self.dtype, self.stored)
            values = np.asarray(self._dataset[()])
        if values.dtype.names == MATLAB_COMPLEX:
            return np.asarray(values["real"] + 1j * values["imag"], dtype=self.dtype)
        return values

    @property
    def stored(self) -> int | None:
        """Bytes in this file; None for a virtual dataset, whose values are in other files."""
        with reading(f"{self._tree.file}: {self.path}"):
            return None if self._dataset.is_virtual else int(self._dataset.id.get_storage_size())

    def source(self) -> Hdf5Source:
        """Open it for reading frame by frame, after `check_dataset`."""
        with reading(f"{self._tree.file}: {self.path}"):
            check_dataset(self._dataset, self._tree.policy)
        file = self._dataset.file
        return Hdf5Source(
            Path(file.filename),
            self._dataset.name,
            self.shape,
            self.dtype,
            self._dataset.chunks,
            bool(file.swmr_mode),
        )


class Hdf5Tree:
    """An open HDF5 file and the files in its folder that it links to.

    Links are followed here, not by HDF5, so that each step can be refused:
    an external link may point at any file of the machine.
    """

    container: Container = "HDF5"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.policy = PathPolicy(file)
        self._open: dict[Path, h5py.File] = {}
        self._problems: list[str] = []
        self.root = self._opened(file)
        self.still_written = bool(self.root.swmr_mode)

    def _opened(self, file: Path) -> h5py.File:
        if file not in self._open:
            self._open[file] = open_file(file)
        return self._open[file]

    def close(self) -> None:
        """Close every file that was opened on the way."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def __enter__(self) -> Hdf5Tree:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def array(self, path: str) -> Hdf5Array | None:
        """Return the dataset at `path`; InputError for a link that dangles or leads outside."""
        node = self.node(path)
        return Hdf5Array(node, path.strip("/"), self) if _has_values(node) else None

    def exists(self, path: str) -> bool:
        """True if there is a dataset or a group at `path`."""
        node = self.node(path)
        return isinstance(node, h5py.Group) or _has_values(node)

    def attribute(self, path: str, name: str) -> Any | None:
        """Return one attribute; the others are not touched."""
        what = f"{self.file}: attribute {name} of /{path.strip('/')}"
        with reading(what):
            node = self.node(path)
            if node is None or name not in node.attrs:
                return None
            attribute = node.attrs.get_id(name)
            if attribute.get_space().get_simple_extent_type() == h5py.h5s.NULL:
                return None
            size = attribute.get_storage_size()
            if size > _LARGEST_ATTRIBUTE:
                raise InputError(f"{what} has {format_bytes(size)}; expected a number or a text.")
            return node.attrs[name]

    def node(self, path: str) -> h5py.Group | h5py.Dataset | None:
        """Follow hard, soft and external links to a group or dataset; None when not there."""
        with reading(str(self.file)):
            return self._follow(path)

    def _follow(self, path: str) -> h5py.Group | h5py.Dataset | None:
        node: Any = self.root
        parts = [p for p in path.split("/") if p]
        for _ in range(_MOST_LINKS + len(parts)):
            if not parts:
                return node
            if not isinstance(node, h5py.Group):
                return None
            name = parts.pop(0)
            link = node.get(name, getlink=True)
            if link is None:
                return None
            if isinstance(link, h5py.ExternalLink):
                node, ahead = self._leave(node, name, link), link.path
            elif isinstance(link, h5py.SoftLink):
                self._check_soft_link(node, name, link)
                node, ahead = (node.file if link.path.startswith("/") else node), link.path
            else:
                node, ahead = node[name], ""
            parts = [p for p in ahead.split("/") if p and p != "."] + parts
        raise InputError(f"{self.file}: /{path.strip('/')} is a link that leads in a circle.")

    def _check_soft_link(self, group: h5py.Group, name: str, link: h5py.SoftLink) -> None:
        start = group.file if link.path.startswith("/") else group
        first = next((p for p in link.path.split("/") if p), "")
        if first and start.get(first, getlink=True) is None:
            raise InputError(
                f"{self.file}: the link {group.name.rstrip('/')}/{name} points to {link.path}, "
                "which is not there."
            )

    def _leave(self, group: h5py.Group, name: str, link: h5py.ExternalLink) -> h5py.File:
        what = f"{self.file}: the link {group.name.rstrip('/')}/{name}"
        target = self.policy.admit(link.filename, Path(group.file.filename), what)
        return self._opened(target)

    def arrays(self) -> Iterator[Hdf5Array]:
        """Every dataset that can be reached, once, nearest to the root first."""
        for path, node in self._walk():
            if _has_values(node):
                try:
                    array = Hdf5Array(node, path, self)
                except InputError as error:
                    self._problems.append(str(error))
                    continue
                yield array

    def groups(self) -> Iterator[str]:
        """Every group below the root, nearest first."""
        for path, node in self._walk():
            if isinstance(node, h5py.Group):
                yield path

    def branches(self, path: str) -> list[Entry]:
        """List what is directly below a group or dataset, links that lead nowhere among it."""
        return hdf5_entries(self, path)

    def problems(self) -> tuple[str, ...]:
        """Links that were left alone while walking, and why."""
        return tuple(dict.fromkeys(self._problems))

    def _walk(self) -> Iterator[tuple[str, Any]]:
        # h5py's visititems skips soft and external links, and plain recursion
        # never ends in a file whose groups contain themselves.
        seen = {_identity(self.root)}
        level: list[tuple[str, h5py.Group]] = [("", self.root)]
        for _ in range(_DEEPEST):
            below: list[tuple[str, h5py.Group]] = []
            for prefix, group in level:
                for name in self._names_in(group):
                    path = f"{prefix}/{name}".strip("/")
                    found = self._node_or_problem(path)
                    if found is None or found[1] in seen:
                        continue
                    node, key = found
                    seen.add(key)
                    if len(seen) > _MOST_OBJECTS:
                        return
                    yield path, node
                    if isinstance(node, h5py.Group):
                        below.append((path, node))
            level = below

    def _names_in(self, group: h5py.Group) -> list[str]:
        with reading(f"{self.file}: {group.name}"):
            return list(group)

    def _node_or_problem(self, path: str) -> tuple[Any, tuple[str, int]] | None:
        try:
            node = self.node(path)
            if not isinstance(node, h5py.Group | h5py.Dataset):
                return None
            return node, _identity(node)
        except InputError as error:
            self._problems.append(str(error))
            return None


def _has_values(node: Any) -> bool:
    """Whether it is a dataset, and not a null one, which counts as absent."""
    return isinstance(node, h5py.Dataset) and node.shape is not None


def _type_of(dataset: h5py.Dataset) -> np.dtype[Any]:
    """Type of one element; void where NumPy has no such type, which `check_dataset` refuses."""
    try:
        dtype: np.dtype[Any] = dataset.dtype
    except TypeError:
        return np.dtype("V1")
    if dtype.names == MATLAB_COMPLEX:
        return np.result_type(dtype["real"], np.complex64)
    return dtype


def _identity(node: Any) -> tuple[str, int]:
    """One object has one address in one file, however many links lead to it."""
    with reading(f"{node.file.filename}: {node.name}"):
        return node.file.filename, int(h5py.h5o.get_info(node.id).addr)
