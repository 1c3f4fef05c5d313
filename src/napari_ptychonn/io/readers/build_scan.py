"""Build a valid `Scan` from what was found in a file and beside it."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.consistency.gain import Gain, estimate_gain
from napari_ptychonn.data.bad_pixels import BadPixels
from napari_ptychonn.data.checks import run_checks
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.frame_sample import FrameSample
from napari_ptychonn.data.frame_source import ArraySource
from napari_ptychonn.data.frame_transforms import (
    TRANSPOSE,
    Divide,
    ShiftZeroFrequency,
    Square,
)
from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.data.scan import Optics, Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.autodetect.recognise import why_not_labels
from napari_ptychonn.io.layouts.optics import read_optics
from napari_ptychonn.io.layouts.resolved import ResolvedLayout
from napari_ptychonn.io.positions.matching import FrameMatching
from napari_ptychonn.io.positions.positions import Positions
from napari_ptychonn.io.positions.raster import find_lines, lines_of_raster
from napari_ptychonn.io.readers.geometry import centre_shift, pixel_size, read_probe, window_shape
from napari_ptychonn.io.readers.masks import read_masks
from napari_ptychonn.io.readers.near_field import note_on_field
from napari_ptychonn.io.readers.orientation import DetectorFrame
from napari_ptychonn.io.readers.sources import Sources

logger = logging.getLogger(__name__)

_UNCALIBRATED = (
    "The object pixel size is not known: energy, detector distance and detector pitch are not all "
    "in the file."
)

_GROWING = "The file is still being written; this is what was in it when it was opened."


def build_scan(sources: Sources) -> Scan:
    """Build a scan; its notes list everything that was guessed, masked or left out."""
    positions, matching = sources.positions, sources.matching
    transform = DetectorFrame.of(sources.frames, sources.array.source())
    stack, sample, gain, frame_notes = _stack(sources, transform, matching, len(positions))
    optics, optics_notes, optics_warnings = _optics(sources, transform)
    masks = read_masks(
        sources.frames, transform, sample, in_corner=ShiftZeroFrequency() in stack.transforms
    )
    faulty = BadPixels.find(
        sample.frames, masks.usable, total=sample.total, ceiling=_ceiling(sources, gain)
    )
    positions_source = (
        sources.positions_source if sources.positions_source is not None else sources.frames
    )
    typed = sources.frames.is_typed("pixel_y")
    pixel = pixel_size(sources.frames if typed else positions_source, optics, stack.shape[1:])
    probe, probe_notes = _probe(positions_source, sources.frames, stack)
    if probe is not None and gain.value is not None:
        probe = probe / np.float32(np.sqrt(gain.value))
    labels = why_not_labels(sources.frames)
    scan = Scan(
        frames=stack,
        positions=_centred(positions_source, positions, stack, pixel)[matching.positions],
        unit=positions.unit,
        pixel_size=pixel if positions.unit == "m" else None,
        valid=faulty.valid,
        bad_pixels=faulty,
        line=_line(sources, positions, matching),
        probe=probe,
        optics=optics,
        name=sources.frames.tree.file.name.split(".")[0],
        source=sources.frames.tree.file,
        notes=(
            *sources.notes,
            *((_GROWING,) if sources.frames.tree.still_written else ()),
            *positions.notes,
            *matching.notes,
            *transform.notes,
            *frame_notes,
            *masks.notes,
            *probe_notes,
            *optics_notes,
            *(() if labels is None else (f"{labels[0].upper()}{labels[1:]}.",)),
        ),
    )
    if (
        scan.unit == "pixel"
        and pixel is not None
        and positions_source.layout.position_unit == "pixel"
    ):
        scan = scan.in_metres(pixel)
    scan, field_warnings = _with_field(scan)
    if sources.frames.layout.correction:
        scan = ScanCorrection.parse(sources.frames.layout.correction).apply(scan)
        sample = FrameSample.from_stack(scan.frames)
    warnings = (
        *sources.frames.warnings,
        *positions.warnings,
        *matching.warnings,
        *optics_warnings,
        *transform.warnings,
        *masks.warnings,
        *field_warnings,
        *([] if gain.warning is None else [gain.warning]),
        *run_checks(scan, sample),
    )
    scan = replace(scan, check_warnings=warnings)
    stack.close()
    for note in scan.notes:
        logger.info("%s: %s", scan.name, note)
    return scan


def _stack(
    sources: Sources, transform: DetectorFrame, matching: FrameMatching, positions: int
) -> tuple[LazyFrames, FrameSample, Gain, list[str]]:
    layout = sources.frames.layout
    stack, notes = _stored_frames(sources, transform, positions)
    if layout.amplitude:
        stack = stack.transform(Square())
    if not np.array_equal(matching.frames, np.arange(len(stack))):
        stack = stack.select(matching.frames)
    if layout.amplitude:
        notes.append("The file holds amplitudes; they are squared to get counts.")
    sample = FrameSample.from_stack(stack)
    gain = estimate_gain(sample.frames, ~sample.invalid_pixels())
    to_photons = [
        *([Square()] if gain.amplitudes else []),
        *([] if gain.value in (None, 1.0) else [Divide(gain.value)]),
    ]
    if to_photons:
        stack = stack.transform(*to_photons)
        sample = FrameSample.from_stack(stack)
    if gain.value not in (None, 1.0):
        notes.append(f"One photon counts {gain.value:.6g} in the frames; they are divided by it.")
    corner = layout.zero_frequency == "corner"
    if layout.zero_frequency == "detect":
        corner = sample.has_zero_frequency_at_corner()
    if corner:
        stack = stack.transform(ShiftZeroFrequency())
        sample = replace(sample, frames=np.fft.fftshift(sample.frames, axes=(-2, -1)))
        notes.append("Zero frequency is stored at the corner of the frames; moved to the centre.")
    return stack, sample, gain, notes


def _ceiling(sources: Sources, gain: Gain) -> float | None:
    """Largest count that the detector can hold, photons."""
    stored = sources.frames.number("ceiling")
    return stored if stored is None or gain.value is None else stored / gain.value


def _stored_frames(
    sources: Sources, transform: DetectorFrame, positions: int
) -> tuple[LazyFrames, list[str]]:
    if not sources.frame_axis_is_last(positions):
        return LazyFrames(sources.array.source(), transform.transforms), []
    if sources.frames.tree.container == "HDF5":
        raise InputError(
            f"{sources.frames.description}: expected frames (n, ky, kx) in "
            f"{sources.array.path}, got "
            f"{sources.array.shape} for {format_count(positions, 'position')}."
        )
    turned = np.moveaxis(sources.array.read(), -1, 0)
    return LazyFrames(ArraySource(turned)), [
        "Frames are stored as (ky, kx, n); the axes were reordered."
    ]


def _optics(
    sources: Sources, transform: DetectorFrame
) -> tuple[Optics, tuple[str, ...], tuple[str, ...]]:
    """Take each number from the file of frames, else from the neighbour."""
    optics, notes, warnings = read_optics(sources.frames)
    if optics.detector_pitch is not None and transform.orientation & TRANSPOSE:
        optics = replace(optics, detector_pitch=optics.detector_pitch[::-1])
    if sources.positions_source is None or sources.positions_source is sources.frames:
        return optics, notes, warnings
    other, other_notes, other_warnings = read_optics(sources.positions_source)
    merged = Optics(
        wavelength=optics.wavelength or other.wavelength,
        detector_distance=optics.detector_distance or other.detector_distance,
        detector_pitch=optics.detector_pitch or other.detector_pitch,
    )
    return merged, (*notes, *other_notes), (*warnings, *other_warnings)


def _probe(
    positions_source: ResolvedLayout, frames: ResolvedLayout, stack: LazyFrames
) -> tuple[NDArray[np.complex64] | None, list[str]]:
    probe = read_probe(positions_source)
    if probe is None and frames is not positions_source:
        probe = read_probe(frames)
    if probe is None or probe.shape[1:] == stack.shape[1:]:
        return probe, []
    return None, [
        f"The probe has {probe.shape[1:]} pixels and the frames {stack.shape[1:]}; not used."
    ]


def _centred(
    positions_source: ResolvedLayout,
    positions: Positions,
    stack: LazyFrames,
    pixel: tuple[float, float] | None,
) -> NDArray[np.float64]:
    window = window_shape(positions_source) or stack.shape[1:]
    shift = centre_shift(positions_source.layout, window)
    if positions.unit == "pixel":
        return positions.values + shift
    # Without a pixel size there is no object to be half a pixel off from.
    return positions.values if pixel is None else positions.values + shift * np.asarray(pixel)


def _line(
    sources: Sources, positions: Positions, matching: FrameMatching
) -> NDArray[np.int64] | None:
    if sources.is_raster:
        return lines_of_raster(sources.lead)[matching.frames]
    return find_lines(positions.values[matching.positions])


def _with_field(scan: Scan) -> tuple[Scan, tuple[str, ...]]:
    """Add what is wrong with the far field: a note on a near field, otherwise a warning."""
    found = note_on_field(scan)
    if found is not None and found[1]:
        # A near-field frame is a magnified picture: λz/(N·pitch) is not its pixel.
        return replace(scan, pixel_size=None, notes=(*scan.notes, found[0])), ()
    if scan.pixel_size is None:
        scan = replace(scan, notes=(*scan.notes, _UNCALIBRATED))
    return scan, () if found is None else (found[0],)
