"""Reading and writing files: the only part that knows what is inside them.

`read_scan`, `read_reconstruction`, `list_reconstructions`, `describe`,
`write_reconstruction`, `write_result`, `write_training_data` and `read_result`.  'FILE::/group'
names a group inside a file.  Importing this imports none of the file
libraries; the first use of a name does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ptychonn.io.description import Description, describe
    from napari_ptychonn.io.reconstructions import list_reconstructions, read_reconstruction
    from napari_ptychonn.io.results import read_result
    from napari_ptychonn.io.scans import read_scan
    from napari_ptychonn.io.writing import (
        write_reconstruction,
        write_result,
        write_training_data,
    )

__all__ = [
    "Description",
    "describe",
    "list_reconstructions",
    "read_reconstruction",
    "read_result",
    "read_scan",
    "write_reconstruction",
    "write_result",
    "write_training_data",
]

_MODULES = {
    "Description": "description",
    "describe": "description",
    "list_reconstructions": "reconstructions",
    "read_reconstruction": "reconstructions",
    "read_result": "results",
    "read_scan": "scans",
    "write_reconstruction": "writing",
    "write_result": "writing",
    "write_training_data": "writing",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
