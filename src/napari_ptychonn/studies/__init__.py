"""The paper's experiments on any scan: sparse sampling, few training frames, a warm start.

Each study is an iterator: it yields `Stage` while it works, and the study so
far after every finished point, so that stopping loses nothing that was done.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ptychonn.studies.size import SizeStudy, size_study
    from napari_ptychonn.studies.sparse import SparseStudy, sparse_study
    from napari_ptychonn.studies.stage import Stage
    from napari_ptychonn.studies.thinning import thinned
    from napari_ptychonn.studies.warm_start import WarmStartStudy, warm_start_study
    from napari_ptychonn.studies.writing import write_study

__all__ = [
    "SizeStudy",
    "SparseStudy",
    "Stage",
    "WarmStartStudy",
    "size_study",
    "sparse_study",
    "thinned",
    "warm_start_study",
    "write_study",
]

_MODULES = {
    "SizeStudy": "size",
    "SparseStudy": "sparse",
    "Stage": "stage",
    "WarmStartStudy": "warm_start",
    "size_study": "size",
    "sparse_study": "sparse",
    "thinned": "thinning",
    "warm_start_study": "warm_start",
    "write_study": "writing",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
