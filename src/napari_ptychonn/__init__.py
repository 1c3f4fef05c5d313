"""Train PtychoNN on part of a ptychography scan and predict the rest, in napari.

Public names are listed in ``__init__.pyi`` and imported on first use, so that
importing the package imports neither torch nor Qt.
"""

from __future__ import annotations

from typing import Any

import lazy_loader

_lazy_getattr, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_RENAMED = {"Practice": "Pretraining", "Trust": "Uncertainty"}
"""Old public names, which work for one version, and the new ones."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("napari-ptychonn")
        except PackageNotFoundError:  # run from a source tree that is not installed
            return "0+unknown"
    if name in _RENAMED:
        from napari_ptychonn.deprecation import warn_renamed

        warn_renamed(f"napari_ptychonn.{name}", f"napari_ptychonn.{_RENAMED[name]}")
        return _lazy_getattr(_RENAMED[name])
    return _lazy_getattr(name)
