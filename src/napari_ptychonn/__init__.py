"""Train PtychoNN on part of a ptychography scan and watch it predict the rest.

Public names are imported when they are first used, so that importing the
package imports neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ptychonn.core.errors import InputError
    from napari_ptychonn.core.metrics import Comparison, compare
    from napari_ptychonn.core.model import TrainedModel
    from napari_ptychonn.core.mosaic import Mosaic
    from napari_ptychonn.core.options import NetworkOptions, TrainingOptions
    from napari_ptychonn.core.patches import Predictions, cut_patches
    from napari_ptychonn.core.practice import Practice
    from napari_ptychonn.core.reconstruction import Reconstruction
    from napari_ptychonn.core.region import Split, TrainingRegion
    from napari_ptychonn.core.report import Report
    from napari_ptychonn.core.result import Result
    from napari_ptychonn.core.scan import Optics, Scan
    from napari_ptychonn.core.simulate import Simulation, simulate_scan
    from napari_ptychonn.core.training import Epoch, train
    from napari_ptychonn.core.trust import Trust
    from napari_ptychonn.engines import EngineOptions, Iteration, reconstruct
    from napari_ptychonn.exports import write_report
    from napari_ptychonn.io import (
        read_reconstruction,
        read_result,
        read_scan,
        write_reconstruction,
        write_result,
    )

    __version__: str

__all__ = [
    "Comparison",
    "EngineOptions",
    "Epoch",
    "InputError",
    "Iteration",
    "Mosaic",
    "NetworkOptions",
    "Optics",
    "Practice",
    "Predictions",
    "Reconstruction",
    "Report",
    "Result",
    "Scan",
    "Simulation",
    "Split",
    "TrainedModel",
    "TrainingOptions",
    "TrainingRegion",
    "Trust",
    "__version__",
    "compare",
    "cut_patches",
    "read_reconstruction",
    "read_result",
    "read_scan",
    "reconstruct",
    "simulate_scan",
    "train",
    "write_reconstruction",
    "write_report",
    "write_result",
]

_HOMES = {
    "core.errors": ("InputError",),
    "core.metrics": ("Comparison", "compare"),
    "core.model": ("TrainedModel",),
    "core.mosaic": ("Mosaic",),
    "core.options": ("NetworkOptions", "TrainingOptions"),
    "core.patches": ("Predictions", "cut_patches"),
    "core.practice": ("Practice",),
    "core.reconstruction": ("Reconstruction",),
    "core.region": ("Split", "TrainingRegion"),
    "core.report": ("Report",),
    "core.result": ("Result",),
    "core.scan": ("Optics", "Scan"),
    "core.simulate": ("Simulation", "simulate_scan"),
    "core.training": ("Epoch", "train"),
    "core.trust": ("Trust",),
    "engines": ("EngineOptions", "Iteration", "reconstruct"),
    "exports": ("write_report",),
    "io": (
        "read_reconstruction",
        "read_result",
        "read_scan",
        "write_reconstruction",
        "write_result",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = _version()
    elif name in _HOME_OF:
        value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-ptychonn")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"
