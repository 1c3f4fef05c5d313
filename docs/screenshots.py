"""Make the pictures of the user guide in a real window.

    python docs/screenshots.py siemens_star_516.h5 docs/images --labels epie_first_387

Needs a screen (``xvfb-run -s "-screen 0 1600x1000x24" python docs/screenshots.py …`` will do).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()  # no drafts of other trainings in the pictures

import napari
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication, QWidget

from napari_ptychonn.widgets.common.scroll_column import ScrollColumn
from napari_ptychonn.widgets.dock import PtychoNNDock

SIZE = 1500, 950
HEADING = 30
"""Pixels above a section that belong to its heading."""


class Photographer:
    """Acts like a user and takes pictures."""

    def __init__(self, folder: Path, theme: str) -> None:
        self.folder, self.theme = folder, theme
        self.viewer = napari.Viewer(show=True)
        self.viewer.theme = theme
        self.viewer.window.resize(*SIZE)
        _, self.dock = self.viewer.window.add_plugin_dock_widget("napari-ptychonn", "PtychoNN")
        assert isinstance(self.dock, PtychoNNDock)

    def wait(self, until: Callable[[], bool], seconds: float) -> None:
        """Let the window live until something is so."""
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.01)

    def choose(self, scan: Path, reconstruction: str) -> None:
        """Choose a reconstruction in the box of the Scan section."""
        self.dock.scan_panel.reconstruction_requested.emit(f"{scan}::{reconstruction}")
        session = self.dock.session
        self.wait(lambda: session.reconstruction.name == reconstruction and not session.running, 60)

    def scroll_to(self, panel: QWidget) -> None:
        """Bring the top of a section of the dock into view."""
        self.wait(lambda: False, 0.5)
        column = self.dock.findChild(ScrollColumn)
        assert column is not None
        content, bar = column.widget(), column.verticalScrollBar()
        assert content is not None and bar is not None
        bar.setValue(panel.mapTo(content, QPoint(0, 0)).y() - HEADING)

    def picture(self, name: str) -> None:
        """Save the window as it is, once the dock has found its layout."""
        self.wait(lambda: False, 3)
        suffix = "" if self.theme == "dark" else f"-{self.theme}"
        path = self.folder / f"{name}{suffix}.png"
        self.viewer.screenshot(path, canvas_only=False, flash=False)
        print(path, flush=True)


def main() -> None:
    """Open, choose, train, look."""
    options = _arguments()
    options.folder.mkdir(parents=True, exist_ok=True)
    shown = Photographer(options.folder, options.theme)
    dock, session = shown.dock, shown.dock.session
    shown.viewer.open(options.scan, plugin="napari-ptychonn")
    shown.wait(lambda: session.scan is not None and session.reconstruction is not None, 30)
    if options.labels:
        shown.choose(options.scan, options.labels)
    shown.picture("open")
    dock.region_panel.set_way("frames")
    dock.region_panel.last_frame.setValue(options.train)
    session.move_to(options.point)
    shown.picture("region")
    if options.steps:
        dock.train_panel.options.widgets["steps"].value = options.steps
    began = time.monotonic()
    dock.train_panel.train.click()
    shown.wait(lambda: (len(session.losses) > 6 or not session.running)
               and session.predictions is not None, 600)  # fmt: skip
    shown.picture("training")
    shown.wait(lambda: session.comparison is not None and not session.running, 3600)
    print(f"trained and predicted in {time.monotonic() - began:.0f} s")
    print(session.comparison.sentence if session.comparison else "no comparison", flush=True)
    shown.picture("result")
    if options.reference:
        shown.choose(options.scan, options.reference)
        shown.wait(lambda: session.report is not None, 60)
        print(session.comparison.sentence if session.comparison else "no comparison", flush=True)
        shown.scroll_to(dock.compare_panel)
        shown.picture("compare")
        dock.compare_panel.show_difference.click()
        shown.picture("differences")
    shown.viewer.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", help="reconstruction to train with")
    parser.add_argument("--reference", help="reconstruction to compare with")
    parser.add_argument("--train", type=int, default=387, help="first so many frames")
    parser.add_argument("--point", type=int, default=450, help="scan point to look at")
    parser.add_argument("--steps", type=int, help="shorter training than the default")
    parser.add_argument("--theme", default="dark", choices=["dark", "light"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
