"""What every test gets: napari settings of its own, and a look at what it leaves behind."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from napari_ptychonn.simulation.scan import SimulatedScan, Simulation

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

PACKAGE = "napari_ptychonn"

# napari reads these once, when it is imported: no fixture would be early enough.
_settings = tempfile.TemporaryDirectory(prefix="napari-ptychonn-", ignore_cleanup_errors=True)
os.environ["NAPARI_CONFIG"] = str(Path(_settings.name) / "settings.yaml")
os.environ["XDG_STATE_HOME"] = _settings.name  # models that tests leave unsaved
os.environ["NAPARI_ENSURE_PLUGIN_MAIN_THREAD"] = "1"
# Toy networks gain nothing from a second thread, and two test runs on one machine lose much.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is not a defect; on a server every run tries the same examples.
settings.register_profile(
    "napari-ptychonn", deadline=None, derandomize="CI" in os.environ, print_blob=True
)
settings.load_profile("napari-ptychonn")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real scans, named by NAPARI_PTYCHONN_DATA; the test skips where there is none."""
    folder = os.environ.get("NAPARI_PTYCHONN_DATA")
    if not folder:
        pytest.skip("needs real scans: set NAPARI_PTYCHONN_DATA to their folder")
    if not Path(folder).is_dir():
        pytest.fail(f"NAPARI_PTYCHONN_DATA names {folder}, which is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def siemens_star(real_data: Path) -> Path:
    """516 far-field frames of a Siemens star with two ePIE reconstructions, in one file."""
    return real_data / "siemens-star" / "siemens_star_516.h5"


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Folder for pictures of the window; NAPARI_PTYCHONN_SCREENSHOTS keeps them."""
    folder = Path(os.environ.get("NAPARI_PTYCHONN_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test after which one of its threads still runs or one of our widgets still lives."""
    threads, widgets = _threads(), _widgets()
    failures = request.session.testsfailed
    yield
    if request.session.testsfailed > failures:
        return  # the traceback of a failed test holds on to whatever the test held
    deadline = time.monotonic() + 2.0
    while (left := _threads() - threads) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"still running after the test: {left}"
    assert not (alive := _widgets() - widgets), f"still alive after the test: {alive}"


@pytest.fixture(autouse=True)
def _logs_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a command line run in this process has set up for itself."""
    logger = logging.getLogger(PACKAGE)
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logger, "handlers", [])
    logger.setLevel(logging.NOTSET)


def _threads() -> set[threading.Thread]:
    """Threads that keep the interpreter from ending."""
    return {thread for thread in threading.enumerate() if not thread.daemon}


def _widgets() -> set[QWidget]:
    """Widgets of this package that nobody deleted."""
    if "qtpy.QtWidgets" not in sys.modules:
        return set()
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    if QApplication.instance() is None:
        return set()
    gc.collect()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return {w for w in QApplication.allWidgets() if type(w).__module__.startswith(PACKAGE)}


@pytest.fixture(scope="session")
def toy() -> SimulatedScan:
    """12 x 12 points, 30 nm apart, of a known object; positions fall on its pixels."""
    return Simulation(points=(12, 12)).run()


@pytest.fixture(scope="session")
def jittered() -> SimulatedScan:
    """The same with positions between the pixels and a spiral path."""
    return Simulation(points=(12, 12), path="spiral", jitter=3e-9).run()
