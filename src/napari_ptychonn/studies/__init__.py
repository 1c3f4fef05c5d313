"""The paper's experiments on any scan: sparse sampling, few training frames, a warm start.

Each study is an iterator: it yields `Progress` while it works, and the study so
far after every finished point, so that stopping loses no finished point.
"""

from typing import Any

import lazy_loader

from napari_ptychonn.deprecation import warn_renamed

_lazy_getattr, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
_RENAMED = {"Stage": "Progress", "thinned": "subsample_scan"}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warn_renamed(f"napari_ptychonn.studies.{name}", _RENAMED[name])
        name = _RENAMED[name]
    return _lazy_getattr(name)
