"""Make the pictures of choosing datasets: a file that nobody has heard of, and a mirrored one.

    python docs/screenshot_picker.py siemens_star_516.h5 docs/images

Needs a screen, as `screenshots.py` does.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import h5py
import numpy as np
from screenshots import Photographer

from napari_ptychonn import read_reconstruction, read_scan
from napari_ptychonn.io.layouts import user as user_layouts
from napari_ptychonn.widgets.import_dialog.dialog import ImportDialog
from napari_ptychonn.widgets.import_dialog.role_row import TYPED

DISTANCE = 1.92
"""Metres, which no dataset of the made-up file has."""

SPOILT = 8
"""Rows and columns of the detector that the made-up beamline does not trust."""


def main() -> None:
    """Drop, look, choose, open; then correct."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # What is remembered here is not for the next file that somebody opens.
        user_layouts.layouts_folder = lambda: Path(folder) / "layouts"
        _photograph(
            write_strange(options.scan, Path(folder) / "endstation_0042.h5"), options.folder
        )


def write_strange(scan: Path, path: Path) -> Path:
    """Write a scan as a beamline could that has its own names for everything."""
    known, made = read_scan(scan), read_reconstruction(scan)
    mask = np.zeros(known.frame_shape, np.uint8)
    mask[:SPOILT, :SPOILT] = 1
    with h5py.File(path, "w") as file:
        run = file.create_group("run")
        run.attrs["sample"] = "Siemens star"
        run.create_dataset(
            "camera/stack", data=known.frames[:], chunks=(1, *known.frame_shape), compression="lzf"
        )
        run["camera/dead_pixels"] = mask
        run["camera/part_2"] = h5py.ExternalLink("endstation_0042_part2.h5", "/run/camera/stack")
        run["stage/samy"] = -known.positions[:, 0]
        run["stage/samx"] = known.positions[:, 1]
        run["stage/timestamp"] = np.arange(len(known)) * 0.1
        run["machine/ring_current"] = np.full(len(known), 102.3)
        run["mono"] = h5py.SoftLink("/run/machine/mono")
        file["run/machine/mono/energy_keV"] = 8.8
        file["results/epie/object"] = made.object
        file["results/epie/probe"] = made.probe
    return path


def _photograph(strange: Path, folder: Path) -> None:
    shown = Photographer(folder, "dark")
    dock, session = shown.dock, shown.dock.session
    shown.viewer.open(strange, plugin="napari-ptychonn")
    shown.wait(lambda: dock.files.dialog is not None, 30)
    dialog = dock.files.dialog
    assert isinstance(dialog, ImportDialog)
    shown.wait(lambda: dialog.is_ready, 60)
    dialog.form.rows["positions"].unit.setCurrentText("object pixel")
    dialog.form.flip_y.setChecked(True)
    distance = dialog.form.rows["distance"]
    distance.box.setCurrentIndex(distance.box.findText(TYPED))
    distance.number.setText(str(DISTANCE))
    for path in ("run", "run/camera", "run/stage", "results", "results/epie"):
        shown.wait(lambda path=path: dialog.tree.item(path) is not None, 10)
        dialog.tree.item(path).setExpanded(True)
    shown.wait(lambda: dialog.tree.item("results/epie/object") is not None, 10)
    dialog.tree.setCurrentItem(dialog.tree.item("run/camera/part_2"))
    dialog.tree.clearSelection()
    dialog.name.setText("Our endstation")
    shown.wait(lambda: dialog.is_ready, 60)
    shown.wait(lambda: False, 1)
    _save(dialog, folder / "picker.png")
    dialog.open_button.click()
    shown.wait(lambda: session.scan is not None and not session.running, 60)
    shown.viewer.close()


def _save(dialog: ImportDialog, path: Path) -> None:
    if not dialog.grab().save(str(path)):
        raise OSError(f"{path} cannot be written.")
    print(path, flush=True)


if __name__ == "__main__":
    main()
