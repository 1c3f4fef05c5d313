"""One way to open any file that scans and reconstructions come in."""

from __future__ import annotations

from napari_ptychonn.io.location import Location
from napari_ptychonn.io.remote import RemoteTree
from napari_ptychonn.io.tree import Tree


def open_tree(location: Location) -> Tree:
    """Open a file, in the process that opens files; the caller closes the tree.

    Which kinds there are is in `containers.py`.  A file that crashes or
    hangs the library that reads it ends that process, and is refused here.
    """
    return RemoteTree(location.must_exist())
