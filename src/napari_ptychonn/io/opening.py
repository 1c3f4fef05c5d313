"""One way to open any file that scans and reconstructions come in."""

from __future__ import annotations

from napari_ptychonn.core.errors import InputError
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.npz import NumpyTree
from napari_ptychonn.io.signature import container_of
from napari_ptychonn.io.tree import Tree

EXPECTED = "an HDF5 or CXI file, a NumPy .npz or .npy file, or a .npz.bz2 file"


def open_tree(location: Location) -> Tree:
    """Open by content, whatever the extension says; the caller closes the tree."""
    file = location.must_exist()
    container = container_of(file)
    if container == "HDF5":
        from napari_ptychonn.io.hdf5 import Hdf5Tree

        return Hdf5Tree(file)
    if container in ("NPZ", "NPY", "BZ2"):
        return NumpyTree(file)
    if container == "safetensors":
        raise InputError(f"{file} is a model, not a scan or a reconstruction.")
    what = "plain text" if container == "text" else "of an unknown kind"
    raise InputError(f"{file} is {what}; expected {EXPECTED}.")
