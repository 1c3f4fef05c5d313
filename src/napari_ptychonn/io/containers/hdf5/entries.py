"""Groups, datasets, attributes and links of an HDF5 file, as listed in the import dialog."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.entries import MOST, number_text, shortened
from napari_ptychonn.io.containers.entry import Entry, as_text, attribute_entry
from napari_ptychonn.io.containers.hdf5.file import reading
from napari_ptychonn.io.containers.hdf5.policy import check_dataset

if TYPE_CHECKING:
    from napari_ptychonn.io.containers.hdf5.tree import Hdf5Array, Hdf5Tree

_FILTERS = {
    1: "gzip",
    2: "shuffle",
    4: "szip",
    32000: "lzf",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32015: "Zstd",
    32026: "Blosc2",
}
_CHECKSUM = 3
_MOST_ATTRIBUTES = 100


def hdf5_entries(tree: Hdf5Tree, path: str) -> list[Entry]:
    """List what is directly below a group or dataset, its attributes first.

    Nothing is decoded but single numbers, and each link is followed as far
    as it may be: what is refused is listed as broken, with the reason.
    """
    path = path.strip("/")
    node = tree.node(path)
    what = f"{tree.file}: /{path}"
    if node is None:
        raise InputError(f"{what} is not in the file.")
    with reading(what):
        found = _attributes(tree, path, node)
        names = list(node) if isinstance(node, h5py.Group) else []
    found += [_branch(tree, node, path, name) for name in names[:MOST]]
    return shortened(found, path, len(found) + max(0, len(names) - MOST))


def _attributes(tree: Hdf5Tree, path: str, node: Any) -> list[Entry]:
    found = []
    for name in list(node.attrs)[:_MOST_ATTRIBUTES]:
        try:
            value = tree.attribute(path, name)
        except InputError as error:
            found.append(Entry(path=f"{path}@{name}", kind="broken", problem=str(error)))
            continue
        made = None if value is None else attribute_entry(path, name, value)
        if made is not None:
            found.append(made)
    return found


def _branch(tree: Hdf5Tree, group: h5py.Group, parent: str, name: str) -> Entry:
    path = f"{parent}/{name}".strip("/")
    link = ""
    try:
        with reading(f"{tree.file}: /{path}"):
            link = _link(group.get(name, getlink=True))
            node = tree.node(path)
            if isinstance(node, h5py.Group):
                return Entry(path=path, kind="group", link=link, leaf=not (len(node) or node.attrs))
        array = tree.array(path)
        if array is None:
            return Entry(path=path, kind="broken", link=link, problem=_nothing(tree, path, node))
    except InputError as error:
        return Entry(path=path, kind="broken", link=link, problem=str(error))
    return _dataset(tree, array, node, link)


def _nothing(tree: Hdf5Tree, path: str, node: Any) -> str:
    if node is None:
        return f"{tree.file}: /{path} is a link to something that is not there."
    if isinstance(node, h5py.Dataset):
        return f"{tree.file}: /{path} is empty."
    return f"{tree.file}: /{path} is a data type, not a dataset."


def _link(link: Any) -> str:
    if isinstance(link, h5py.SoftLink):
        return str(link.path)
    if isinstance(link, h5py.ExternalLink):
        return f"{link.filename}:{link.path}"
    return ""


def _dataset(tree: Hdf5Tree, array: Hdf5Array, node: h5py.Dataset, link: str) -> Entry:
    about: dict[str, Any] = {"path": array.path, "shape": array.shape, "link": link}
    try:
        with reading(f"{tree.file}: {array.path}"):
            about |= _storage(node, array, link)
            check_dataset(node, tree.policy)
            leaf = not len(node.attrs)
            value = as_text(node[()]) if about["type"] == "text" and not node.shape else ""
        value = value or number_text(array)
    except InputError as error:
        return Entry(kind="broken", problem=str(error), **about)
    return Entry(kind="array", value=value, leaf=leaf, **about)


def _storage(node: h5py.Dataset, array: Hdf5Array, link: str) -> dict[str, Any]:
    created = node.id.get_create_plist()
    filters = [created.get_filter(i) for i in range(created.get_nfilters())]
    names = [_FILTERS.get(code, f"filter {code}") for code, *_ in filters if code != _CHECKSUM]
    about: dict[str, Any] = {"chunks": node.chunks or (), "compression": " + ".join(names)}
    if node.is_virtual and not link:
        files = {source.file_name for source in node.virtual_sources()}
        about["link"] = f"virtual, of {len(files)} file{'s' if len(files) > 1 else ''}"
    with suppress(TypeError):  # a type that NumPy does not know, which check_dataset refuses
        is_text = h5py.check_string_dtype(node.dtype) is not None
        about["type"] = "text" if is_text else _type(array.dtype)
    return about


def _type(dtype: np.dtype[Any]) -> str:
    return str(dtype) if dtype.names is None else "compound"
