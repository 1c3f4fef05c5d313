"""A window with the dock in it, and small scans that train in a second."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from napari.components import ViewerModel
from npe2 import PluginManifest

import napari_ptychonn
from napari_ptychonn.app import autosave as drafts
from napari_ptychonn.app.session import Session
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.tasks.events import Loaded
from napari_ptychonn.widgets.canvas.viewer_controller import ViewerController
from napari_ptychonn.widgets.task_controller import TaskController

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


@pytest.fixture(autouse=True)
def _own_drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer no test what another one left unsaved."""
    monkeypatch.setattr(drafts, "folder", lambda: tmp_path / "drafts")


@pytest.fixture
def shown_errors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the dock shows as errors, instead of napari's notifications."""
    shown: list[str] = []
    for module in (
        "task_controller",
        "file_controller",
        "panels.reconstruct",
        "panels.scan",
        "panels.train",
    ):
        monkeypatch.setattr(f"napari_ptychonn.widgets.{module}.show_error", shown.append)
    return shown


@pytest.fixture
def bare_controllers(qapp: Any) -> Callable[[Session], tuple[TaskController, ViewerController]]:
    """Controllers of a session without a window."""

    def make(session: Session) -> tuple[TaskController, ViewerController]:
        return TaskController(session), ViewerController(ViewerModel(), session)

    return make


@pytest.fixture
def plugin(npe2pm: Any) -> Iterator[Any]:
    """The manifest, registered, installed or not."""
    with npe2pm.tmp_plugin(manifest=PluginManifest.from_file(MANIFEST)) as registered:
        yield registered


@pytest.fixture(scope="session")
def small() -> Loaded:
    """14 x 14 points of a known object."""
    made = Simulation(points=(14, 14), frame_size=32).run()
    return Loaded(path=Path("small"), scan=made.scan, reconstruction=made.reconstruction)


@pytest.fixture(scope="session")
def small_file(small: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as an HDF5 file with its reconstruction, as a beamline could write it."""
    path = tmp_path_factory.mktemp("scans") / "small.h5"
    assert small.scan is not None
    assert small.reconstruction is not None
    return write_scan(path, small.scan, small.reconstruction)


@pytest.fixture
def window(make_napari_viewer: Callable[..., Any], plugin: Any) -> Any:
    """A shown viewer, on which the plugin is registered."""
    # napari collects garbage for every layer that comes or goes; going through all that the
    # imported libraries hold each time would take most of the tests' time.
    gc.collect()
    gc.freeze()
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 950)
    return viewer


@pytest.fixture
def dock(window: Any) -> PtychoNNDock:
    """The dock, opened as a user does, in `window`; quick options."""
    _, widget = window.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    options, network = widget.train_panel.options.widgets, widget.train_panel.network.widgets
    options["steps"].value = 60
    options["batch_size"].value = 16
    options["rescans"].value = 0
    network["size"].value = 32
    network["width"].value = 4
    return widget


@pytest.fixture
def opened(qtbot: Any) -> Callable[..., Any]:
    """Open a file in a window as a user does; gives the session of its dock."""

    def open_file(window: Any, dock: PtychoNNDock, path: Path) -> Any:
        window.open(path, plugin="napari-ptychonn")
        qtbot.waitUntil(lambda: dock.session.scan is not None, timeout=60_000)
        return dock.session

    return open_file


@pytest.fixture
def finish(qtbot: Any) -> Callable[..., None]:
    """Wait until a training or a prediction has been compared."""

    def wait(dock: PtychoNNDock, timeout: int = 60_000) -> None:
        qtbot.waitUntil(lambda: dock.session.report is not None, timeout=timeout)
        qtbot.waitUntil(lambda: not dock.session.running, timeout=timeout)

    return wait


@pytest.fixture
def quick() -> Callable[..., None]:
    """Choose how long the next training is."""

    def choose(dock: PtychoNNDock, steps: int = 60, epochs: int = 0) -> None:
        options = dock.train_panel.options.widgets
        options["steps"].value, options["epochs"].value = steps, epochs

    return choose
