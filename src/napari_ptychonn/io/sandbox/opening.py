"""One way to open any file that scans and reconstructions come in."""

from __future__ import annotations

from napari_ptychonn.io.containers.tree import Tree
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.sandbox.proxy import RemoteTree


def open_tree(location: Location) -> Tree:
    """Open a file in the reader process; the caller closes the tree.

    The kinds of files are in `containers/open.py`.  A file that crashes or hangs the
    library that reads it ends the reader process, and raises InputError here.
    """
    return RemoteTree(location.must_exist())
