"""What the manifest points to: the one reader, the writer, sample data."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.tasks.events import NotRecognised
    from napari_ptychonn.widgets.dock import PtychoNNDock

log = logging.getLogger(__name__)

LayerData = tuple[Any, dict[str, Any], str]
ReaderFunction = Callable[[str | list[str]], list[LayerData]]

SIEMENS_STAR_URL = (
    "https://raw.githubusercontent.com/AdvancedPhotonSource/tike/"
    "f1e8cd028e5edfe8a21ae48256ea892605448c62/tests/data/siemens-star-small.npz.bz2"
)
SIEMENS_STAR_SHA256 = "dbce7715c1d4a7c28a48f684dacc7d343fbc5d06fe993d6ea31714ffb5c68d3d"

OTHER_CONTAINERS = {"text", "unknown"}


def get_reader(path: str | list[str]) -> ReaderFunction | None:
    """Offer to read a file when its first bytes are those of a container that we know.

    There is exactly one reader: of two that match, napari picks one at random.
    """
    first = Path(path[0] if isinstance(path, list) else path)
    try:
        from napari_ptychonn.io.containers.signature import container_of

        known = first.is_file() and container_of(first) not in OTHER_CONTAINERS
    except OSError:
        return None
    return read_layers if known or _is_damaged(first) else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Read scans, reconstructions, results and models into layers that the dock adopts.

    A file that cannot be used leaves a notification of one sentence and no layer;
    where there are datasets in it, the dock asks which of them is what.
    """
    from napari_ptychonn.tasks.events import Loaded
    from napari_ptychonn.tasks.load import LoadTask
    from napari_ptychonn.viewer.view_model import opened_layers

    layers: list[LayerData] = []
    for one in path if isinstance(path, list) else [path]:
        try:
            for found in LoadTask(path=one).run():
                if isinstance(found, Loaded):
                    if (dock := _open_dock()) is not None:
                        dock.take(found)  # which makes the layers, in their cells, once
                    else:
                        layers += opened_layers(found)
                elif not _asked(found) and not found.has_reconstruction:
                    _tell(found.reason)
        except InputError as error:
            _tell(str(error))
    return layers or [(None,)]  # type: ignore[list-item]  # npe2's way to say: read, but nothing to show


def write_layers(path: str, layers: list[LayerData]) -> list[str]:
    """Write the result, or else the reconstruction, that some of these layers belong to.

    Raises
    ------
    InputError
        When none of the layers is part of either.
    """
    from napari_ptychonn.io import write_reconstruction, write_result
    from napari_ptychonn.viewer.layers import OPENED, RESULT

    for _, options, _ in layers:
        result = options.get("metadata", {}).get(RESULT)
        if result is not None:
            return [str(file) for file in write_result(path, result)]
    for _, options, _ in layers:
        opened = options.get("metadata", {}).get(OPENED)
        if opened is not None and opened.reconstruction is not None:
            return [str(file) for file in write_reconstruction(path, opened.reconstruction)]
    raise InputError(
        "only a PtychoNN mosaic or a reconstruction can be saved in this form; predict first, then "
        "select 'PtychoNN amplitude' or 'PtychoNN phase'."
    )


def simulated_scan() -> list[LayerData]:
    """Make the simulated scan: sample data that needs no network."""
    from napari_ptychonn.tasks.load import simulate_sample
    from napari_ptychonn.viewer.view_model import opened_layers

    return opened_layers(simulate_sample())


def siemens_star() -> list[LayerData]:
    """Fetch the Siemens star once, check it, and read it; it has no ePIE of its own."""
    from napari_ptychonn.tasks.load import load_file
    from napari_ptychonn.viewer.view_model import opened_layers

    try:
        return opened_layers(load_file(fetch_siemens_star()))
    except InputError as error:
        _tell(str(error))
        return []


def fetch_siemens_star() -> Path:
    """Download the scan to the cache folder, unless it is there already.

    Raises
    ------
    InputError
        Without a connection, or when what came is not the file expected.
    """
    import pooch

    try:
        found = pooch.retrieve(
            SIEMENS_STAR_URL,
            known_hash=f"sha256:{SIEMENS_STAR_SHA256}",
            path=pooch.os_cache("napari-ptychonn"),
            fname="siemens-star-small.npz.bz2",
        )
    except (OSError, ValueError) as error:
        raise InputError(
            "The Siemens star could not be downloaded "
            f"({type(error).__name__}); check the internet connection, or open a copy of "
            f"{SIEMENS_STAR_URL.rpartition('/')[2]}."
        ) from error
    return Path(found)


def _is_damaged(path: Path) -> bool:
    """A file of ours by its name that holds nothing readable deserves our sentence, not silence."""
    return path.is_file() and path.suffix.lower() in {
        ".h5",
        ".hdf5",
        ".cxi",
        ".nxs",
        ".safetensors",
    }


def _open_dock() -> PtychoNNDock | None:
    """Find the dock of the current viewer, if it is open."""
    # Never imported here: a reader must not pay for the window.
    module = sys.modules.get("napari_ptychonn.widgets.dock")
    if module is None or threading.current_thread() is not threading.main_thread():
        return None
    import napari

    viewer = napari.current_viewer()
    widgets = () if viewer is None else viewer.window.dock_widgets.values()
    docks = (w for w in widgets if isinstance(w, module.PtychoNNDock) and not w.tasks.is_closed)
    return next(docks, None)


def _asked(found: NotRecognised) -> bool:
    """Let the dock ask which dataset of a file is what; False where nobody can answer."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None or threading.current_thread() is not threading.main_thread():
        return False
    try:
        _, dock = viewer.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
    except (KeyError, ValueError):  # used from a script, without the plugin being installed
        return False
    dock.complete(found)
    return True


def _tell(sentence: str) -> None:
    from napari.utils.notifications import show_error

    log.error(sentence)
    show_error(sentence)
