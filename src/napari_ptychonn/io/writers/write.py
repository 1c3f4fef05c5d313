"""Write results, reconstructions and training data in the format of the extension."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.layouts.builtin import builtin_layout
from napari_ptychonn.io.readers.geometry import centre_shift
from napari_ptychonn.io.writers import product as hdf5
from napari_ptychonn.io.writers.formats import EXCHANGE
from napari_ptychonn.io.writers.product import Product

_SLAB = 16 * 2**20
"""Bytes of frames that are copied at once."""


def write_result(path: str | Path, result: Result) -> list[Path]:
    """Write predictions and their mosaic.

    Parameters
    ----------
    path : str or Path
        `.cxi`, `.nxs`, `.ptyr`, `.npz` and `.tiff` are for other programs and
        hold the mosaic with probe and positions only (two images in the case
        of `.tiff`).  Any other name is a ptychodus product with the predictions
        in it, which `read_result` gets back.  An existing file is replaced
        once the new one is complete.
    result : Result
        The mosaic is the product's object, with 1 where nothing was predicted.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        When the disk is full, the folder missing or not writable.
    """
    path = Path(path)
    write = EXCHANGE.get(path.suffix.lower())
    if write is not None:
        return write(path, Product.of_result(result))
    hdf5.write_result(path, result)
    return [path]


def write_reconstruction(path: str | Path, reconstruction: Reconstruction) -> list[Path]:
    """Write an object, its probe and its positions; `read_reconstruction` gets them back.

    Parameters
    ----------
    path : str or Path
        Extensions as in `write_result`.
    reconstruction : Reconstruction
        Where its object is not finite, 1 is written.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        When the disk is full, the folder missing or not writable.
    """
    path = Path(path)
    write = EXCHANGE.get(path.suffix.lower())
    if write is not None:
        return write(path, Product.of_reconstruction(reconstruction))
    hdf5.write_reconstruction(path, reconstruction)
    return [path]


def write_training_data(
    path: str | Path,
    scan: Scan,
    reconstruction: Reconstruction,
    indices: NDArray[np.integer] | None = None,
) -> Path:
    """Write frames with the object that explains them, as ptychodus training data.

    Parameters
    ----------
    path : str or Path
        An HDF5 file of any name.
    scan : Scan
        Frames; bad pixels are written as 0, and marked.
    reconstruction : Reconstruction
        Of the same scan, with its probe.
    indices : ndarray of int, optional
        (m,) scan points; all by default.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        Without a probe, when the reconstruction is not of this scan, or when
        the file cannot be written.
    """
    path = Path(path)
    placed, positions = reconstruction.align_to(scan)
    if placed.probe is None:
        raise InputError(f"{reconstruction.name}: training data need a probe, and it has none.")
    chosen = np.arange(len(scan)) if indices is None else np.asarray(indices, np.int64)
    ky, kx = scan.frame_shape
    window = (placed.probe.shape[-2], placed.probe.shape[-1])
    pixels = placed.pixel_index(positions[chosen]) - centre_shift(
        builtin_layout("ptychodus training data"), window
    )
    # Where nothing is known of its size, a pixel is 1.
    height, width = scan.pixel_size or placed.pixel_size
    bad = np.zeros((ky, kx), bool) if scan.valid is None else ~scan.valid
    dtype = scan.frames.dtype
    size = len(chosen) * ky * kx * dtype.itemsize
    with replacing(path, size) as temporary, h5py.File(temporary, "w") as file:
        patterns = file.create_dataset(
            "patterns", (len(chosen), ky, kx), dtype, chunks=(1, ky, kx), compression="lzf"
        )
        step = max(1, _SLAB // max(1, ky * kx * dtype.itemsize))
        for start in range(0, len(chosen), step):
            frames = scan.read(chosen[start : start + step])
            frames[:, bad] = 0
            patterns[start : start + step] = frames
        values = {
            "bad_pixels": bad,
            "probe": placed.probe,
            "object": placed.object,
            "probe_position_x_px": pixels[:, 1],
            "probe_position_y_px": pixels[:, 0],
            "object_pixel_width_m": width,
            "object_pixel_height_m": height,
            "detector_object_distance_m": scan.optics.detector_distance or 0.0,
            "photon_energy_eV": (scan.optics.energy_kev or 0.0) * 1e3,
        }
        for name, value in values.items():
            file[name] = value
    return path
