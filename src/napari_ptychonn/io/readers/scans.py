"""Reading a scan, whichever program wrote it."""

from __future__ import annotations

from pathlib import Path

from napari_ptychonn.data.crop_bin import crop_and_bin
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.readers.build_scan import admit
from napari_ptychonn.io.readers.sources import gather


def read_scan(
    path: str | Path,
    layout: Layout | None = None,
    *,
    crop: int | None = None,
    bin: int = 1,
    positions: str | Path | None = None,
) -> Scan:
    """Read diffraction frames and scan positions.

    Parameters
    ----------
    path : str or Path
        A file, or 'FILE::/group'.  HDF5, CXI, NPZ, NPY or .npz.bz2 by
        content; half of a pair of files finds the other half beside it.
    layout : Layout, optional
        How the file is laid out, instead of what it would be recognised as.
    crop : int, optional
        Detector pixels along each axis to keep around the zero frequency.
    bin : int
        Detector pixels along each axis to sum.
    positions : str or Path, optional
        A table (text, .mda), or an HDF5, NumPy or MATLAB file with positions to use
        instead of the scan's own; 'FILE::DATASET' names one in it.

    Returns
    -------
    Scan
        Its frames stay in the file until they are looked at; its `notes` say
        what was guessed, masked or left out.

    Raises
    ------
    InputError
        One sentence: the file, what was expected, and what is there.
    """
    places = None if positions is None else Location.parse(positions)
    with gather(Location.parse(path), layout, places) as sources:
        return crop_and_bin(admit(sources), crop, bin)
