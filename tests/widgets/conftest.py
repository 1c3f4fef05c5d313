"""A window with the dock in it, and small scans that train in a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import torch
from npe2 import PluginManifest

import napari_ptychonn
from napari_ptychonn.core.simulate import Simulation
from napari_ptychonn.jobs import Opened

if TYPE_CHECKING:
    from napari_ptychonn.widgets.dock import PtychoNNDock

MANIFEST = Path(napari_ptychonn.__file__).with_name("napari.yaml")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads of torch wait for each other a long time on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def plugin(npe2pm: Any) -> Iterator[Any]:
    """The manifest, registered, installed or not."""
    with npe2pm.tmp_plugin(manifest=PluginManifest.from_file(MANIFEST)) as registered:
        yield registered


@pytest.fixture(scope="session")
def small() -> Opened:
    """14 x 14 points of a known object."""
    made = Simulation(points=(14, 14), frame_size=32).run()
    return Opened(path=Path("small"), scan=made.scan, reconstruction=made.reconstruction)


@pytest.fixture(scope="session")
def small_file(small: Opened, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as an HDF5 file with its reconstruction, as a beamline could write it."""
    path = tmp_path_factory.mktemp("scans") / "small.h5"
    scan, known = small.scan, small.reconstruction
    assert scan is not None
    assert known is not None
    with h5py.File(path, "w") as file:
        file["diffraction"] = np.asarray(scan.frames)
        file["positions_px"] = scan.positions / np.asarray(known.pixel_size)
        group = file.create_group("epie")
        group["object"] = known.object
        group["probe"] = known.probe
        group["positions_px"] = scan.positions / np.asarray(known.pixel_size)
        group["indices"] = np.arange(len(scan))
        group.attrs["origin_px"] = np.asarray(known.origin) / np.asarray(known.pixel_size)
    return path


@pytest.fixture
def window(make_napari_viewer: Callable[..., Any], plugin: Any) -> Any:
    """A shown viewer, on which the plugin is registered."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 950)
    return viewer


@pytest.fixture
def dock(window: Any) -> PtychoNNDock:
    """The dock, opened as a user does, in `window`; quick options."""
    _, widget = window.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    quicken(widget)
    return widget


def quicken(dock: PtychoNNDock, steps: int = 60) -> None:
    """Options that train in a second or two."""
    options, network = dock.train_panel.options.widgets, dock.train_panel.network.widgets
    options["steps"].value = steps
    options["batch_size"].value = 16
    options["rescans"].value = 0
    network["size"].value = 32
    network["width"].value = 4
