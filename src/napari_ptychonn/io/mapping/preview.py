"""Preview a dataset mapping: mean frame, positions and object, read as when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.frame_sample import FrameSample
from napari_ptychonn.data.frame_transforms import Square
from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan, Unit
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.opened_file import read_reconstruction, read_scan
from napari_ptychonn.io.readers.orientation import DetectorFrame
from napari_ptychonn.io.readers.sources import Sources, open_sources

MOST_FRAMES = 64
_MOST_BYTES = 64 * 2**20
_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class MappingPreview:
    """What can be seen of a scan that is being put together.

    Attributes
    ----------
    problem : str
        Why it cannot be opened, one sentence; '' where it can.
    mean : ndarray of float64 or None
        (ky, kx) mean of some frames, zero frequency in the middle.
    frames : int
        How many frames there are.
    averaged : int
        How many of them the mean is of.
    positions : ndarray of float64 or None
        (n, 2), (y, x) in `unit`, one for each frame that is used.
    unit : {'m', 'pixel'}
        Of positions, step and object.
    step : float
        Median distance of neighbouring points.
    pixel_size : tuple of float or None
        Object pixel (y, x), in `unit`, where it is known.
    energy_kev : float or None
        Photon energy.
    reconstruction : Reconstruction or None
        The object, placed under the positions.
    notes : tuple of str
        What was guessed, masked or left out.
    """

    problem: str = ""
    mean: NDArray[np.float64] | None = None
    frames: int = 0
    averaged: int = 0
    positions: NDArray[np.float64] | None = None
    unit: Unit = "pixel"
    step: float = 0.0
    pixel_size: tuple[float, float] | None = None
    energy_kev: float | None = None
    reconstruction: Reconstruction | None = None
    notes: tuple[str, ...] = ()


def preview_mapping(
    path: str | Path,
    layout: Layout,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    positions: str | None = None,
) -> MappingPreview:
    """Read a scan as a layout has it, and look at some of its frames.

    Parameters
    ----------
    path : str or Path
        A file.
    layout : Layout
        What was chosen.
    should_stop : callable
        Asked before every few frames; a mean of fewer is returned then.
    positions : str, optional
        See `read_scan`.
    """
    try:
        scan = read_scan(path, layout, positions=positions)
    except InputError as error:
        return _partial(path, layout, str(error))
    try:
        mean, averaged = _mean(scan, should_stop)
    except InputError as error:
        return MappingPreview(problem=str(error), frames=len(scan))
    placed, where, notes = _placed(path, layout, scan, positions)
    return MappingPreview(
        mean=mean,
        frames=len(scan),
        averaged=averaged,
        positions=where,
        unit=scan.unit,
        step=scan.step,
        pixel_size=scan.pixel_size if scan.unit == "m" else None,
        energy_kev=scan.optics.energy_kev,
        reconstruction=placed,
        notes=(*scan.warnings, *scan.notes, *notes),
    )


def _mean(scan: Scan, should_stop: Callable[[], bool]) -> tuple[NDArray[np.float64], int]:
    """Average frames that are spread evenly over the scan."""
    ky, kx = scan.frame_shape
    affordable = max(1, _MOST_BYTES // max(1, ky * kx * scan.frames.dtype.itemsize))
    count = min(len(scan), MOST_FRAMES, affordable)
    indices = np.unique(np.linspace(0, len(scan) - 1, count).astype(np.int64))
    total, done = np.zeros((ky, kx)), 0
    for start in range(0, len(indices), _AT_ONCE):
        if done and should_stop():
            break
        part = scan.read(indices[start : start + _AT_ONCE])
        total += _finite(part).sum(axis=0, dtype=np.float64)
        done += len(part)
    mean = total / max(done, 1)
    if scan.valid is not None:
        mean[~scan.valid] = 0.0
    return mean, done


def _finite(frames: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.nan_to_num(frames, nan=0.0, posinf=0.0, neginf=0.0))


def _placed(
    path: str | Path, layout: Layout, scan: Scan, positions_source: str | None
) -> tuple[Reconstruction | None, NDArray[np.float64], tuple[str, ...]]:
    """Put the object under the scan, as opening it will."""
    if not layout.has_object:
        return None, scan.positions, ()
    try:
        placed, positions = read_reconstruction(path, layout, positions=positions_source).align_to(
            scan
        )
    except InputError as error:
        return None, scan.positions, (f"The object is not used: {error}",)
    return placed, positions, ()


def _partial(path: str | Path, layout: Layout, problem: str) -> MappingPreview:
    """Show of a scan that cannot be opened what can be seen of it."""
    found = MappingPreview(problem=problem)
    try:
        with open_sources(Location.parse(path), layout) as sources:
            found = _with_frames(found, sources)
            positions = sources.positions
            good = positions.values[np.isfinite(positions.values).all(axis=1)]
            return replace(found, positions=good, unit=positions.unit)
    except InputError:
        return found


def _with_frames(found: MappingPreview, sources: Sources) -> MappingPreview:
    array, layout = sources.array, sources.frames.layout
    shaping = DetectorFrame.of(sources.frames, array.source())
    stack = LazyFrames(array.source(), shaping.transforms)
    if layout.amplitude:
        stack = stack.transform(Square())
    sample = FrameSample.from_stack(stack)
    corner = layout.zero_frequency == "corner"
    if layout.zero_frequency == "detect":
        corner = sample.has_zero_frequency_at_corner()
    mean = sample.mean()
    return replace(
        found,
        mean=np.fft.fftshift(mean) if corner else mean,
        frames=sample.total,
        averaged=len(sample.frames),
    )
