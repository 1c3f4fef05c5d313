"""The kinds of files that scans and reconstructions come in, each with its own reader.

Runs in the process that opens files (`service.py`), never in napari's.
"""

from __future__ import annotations

from pathlib import Path

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.npz import NumpyTree
from napari_ptychonn.io.containers.signature import container_of
from napari_ptychonn.io.containers.tree import Tree

EXPECTED = (
    "an HDF5, CXI, NumPy (.npz, .npy, .npz.bz2) or MATLAB file, a TIFF image of amplitude or "
    "phase, or a 4D-STEM file (.mib, .dm4, EMPAD .raw)"
)


def open_container(file: Path) -> Tree:
    """Open by content, whatever the extension says; the caller closes the tree."""
    container = container_of(file)
    if container == "HDF5":
        from napari_ptychonn.io.containers.hdf5.tree import Hdf5Tree

        return Hdf5Tree(file)
    if container in ("NPZ", "NPY", "BZ2"):
        return NumpyTree(file)
    if container == "TIFF":
        from napari_ptychonn.io.containers.tiff import open_tiff

        return open_tiff(file)
    if container == "MATLAB":
        from napari_ptychonn.io.containers.matlab import open_matlab

        return open_matlab(file)
    if container == "4D-STEM":
        from napari_ptychonn.io.containers.electron_detectors import open_electrons

        return open_electrons(file)
    if container == "safetensors":
        raise InputError(f"{file} is a model, not a scan or a reconstruction.")
    what = "plain text" if container == "text" else "of an unknown kind"
    raise InputError(f"{file} is {what}; expected {EXPECTED}.")
