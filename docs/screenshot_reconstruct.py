"""Make the picture of a reconstruction in mid-run: a scan of which nothing but its frames is known.

    python docs/screenshot_reconstruct.py siemens_star_516.h5 docs/images

Needs a screen, as `screenshots.py` does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from screenshots import Photographer

from napari_ptychonn import read_scan
from napari_ptychonn.cli.demonstration import write_scan


def main() -> None:
    """Open, reconstruct, look, stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=387, help="first so many frames")
    parser.add_argument("--iterations", type=int, default=15, help="before the picture")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bare = write_scan(Path(folder) / "star.h5", replace(read_scan(options.scan), probe=None))
        _photograph(bare, options)


def _photograph(bare: Path, options: argparse.Namespace) -> None:
    shown = Photographer(options.folder, "dark")
    dock, session = shown.dock, shown.dock.session
    shown.viewer.open(bare, plugin="napari-ptychonn")
    shown.wait(lambda: session.scan is not None, 30)
    dock.region_panel.set_way("frames")
    dock.region_panel.last_frame.setValue(options.train)
    dock.reconstruct_panel.reconstruct.click()
    shown.scroll_to(dock.reconstruct_panel)
    shown.wait(lambda: len(session.errors) >= options.iterations or not session.running, 3600)
    shown.wait(lambda: False, 2)
    shown.picture("reconstruct")
    asked = time.monotonic()
    dock.reconstruct_panel.stop.click()
    shown.wait(lambda: not session.running, 60)
    print(f"stopped {time.monotonic() - asked:.1f} s after it was asked to")
    shown.viewer.close()


if __name__ == "__main__":
    main()
