"""Masks of the detector, out of the file or out of markers in the frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.frame_sample import FrameSample
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.tree import Array
from napari_ptychonn.io.layouts.resolved import ResolvedLayout
from napari_ptychonn.io.readers.orientation import DetectorFrame

CXI_DEFECTS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x40 | 0x80 | 0x200 | 0x400
"""Invalid, saturated, hot, dead, shadowed, to be ignored, bad, missing, noisy.

Bits of the CXI format (https://github.com/FilipeMaia/CXI), version 1.6; the others are
information about pixels that were measured, such as 'has signal'.
"""

_INVERTED = 0.9
"""Share of the counts in masked pixels above which a mask is taken as inverted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """Pixels of the detector that can be used.

    Attributes
    ----------
    usable : ndarray of bool
        (ky, kx), in upright frames with the zero frequency in the middle.
    notes, warnings : tuple of str
        What was masked, and what is doubtful about it.
    """

    usable: NDArray[np.bool_]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_masks(
    contents: ResolvedLayout, transform: DetectorFrame, sample: FrameSample, *, in_corner: bool
) -> Masks:
    """Read the mask of a file, and find markers in some of its frames.

    Parameters
    ----------
    contents : ResolvedLayout
        Of the file with the frames.
    transform : DetectorFrame
        What is done to the frames.
    sample : FrameSample
        Some of them after that.
    in_corner : bool
        Whether the zero frequency is stored at the corner.

    Raises
    ------
    InputError
        When no pixel is left.
    """
    bad, notes, warnings = _read_mask(contents, transform, sample, in_corner=in_corner)
    if (dark := contents.array("dark")) is not None:
        notes.append(f"There is a dark frame in {dark.path}; it was not subtracted.")
    marked = sample.invalid_pixels() & ~bad
    if count := int(marked.sum()):
        notes.append(
            f"{format_count(count, 'pixel', 'hold')} a marker (negative, saturated or not a "
            "number) instead of a "
            f"count in {len(sample.frames)} of {format_count(sample.total, 'frame')} examined; "
            "masked."
        )
    usable = ~(bad | marked)
    if not usable.any():
        raise InputError(f"{contents.description}: every detector pixel is marked as bad.")
    return Masks(usable=usable, notes=tuple(notes), warnings=tuple(warnings))


def _read_mask(
    contents: ResolvedLayout, transform: DetectorFrame, sample: FrameSample, *, in_corner: bool
) -> tuple[NDArray[np.bool_], list[str], list[str]]:
    """Bad pixels, notes and warnings."""
    shape = sample.frames.shape[1:]
    array = contents.array("mask")
    if array is None:
        return np.zeros(shape, bool), [], []
    values, notes = _mask_image(array)
    values = transform.image(values)
    if values.shape != shape:
        unused = f"The mask in {array.path} has shape {array.shape}, frames have {shape}; not used."
        return np.zeros(shape, bool), [unused], []
    bad = _bad_pixels(contents, values)
    if in_corner:
        bad = np.fft.fftshift(bad)
    warnings = []
    if _is_inverted(bad, sample):
        warnings.append(
            f"The mask in {array.path} marks {int(bad.sum())} of {bad.size} detector pixels as "
            "bad, which hold nearly all counts: it was read the other way round. To read it as it "
            "is, or without this warning, save a layout that sets mask_marks."
        )
        bad = ~bad if not bad.all() else np.zeros_like(bad)
    notes.append(f"{int(bad.sum())} of {bad.size} detector pixels are masked by the file.")
    return bad, notes, warnings


def _bad_pixels(contents: ResolvedLayout, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels that a mask marks as bad, by the convention of its layout."""
    if values.dtype.kind in "fc":
        unknown = ~np.isfinite(values)
        known = np.unique(values[~unknown])
        if unknown.any() and len(known) <= 1:
            return np.asarray(unknown)
        values = np.where(unknown, contents.layout.mask_marks == "bad", values)
    if contents.layout.mask_marks == "good":
        return np.asarray(values == 0)
    if contents.layout.mask_bits == "cxi" and values.dtype.kind in "iu":
        return np.asarray((values.astype(np.int64) & CXI_DEFECTS) != 0)
    return np.asarray(values != 0)


def _is_inverted(bad: NDArray[np.bool_], sample: FrameSample) -> bool:
    """Whether most pixels are masked, and with them nearly all counts."""
    if bad.mean() <= 0.5:
        return False
    counts = sample.mean_without_spikes()
    return float(counts[bad].sum()) > _INVERTED * float(counts.sum())


def _mask_image(array: Array) -> tuple[NDArray[Any], list[str]]:
    """Read a mask; of one for each frame, the first."""
    if len(array.shape) <= 2 or math.prod(array.shape) == 0:
        return array.read(), []
    source = array.source()
    first = source.block((*(0 for _ in array.shape[:-2]), *(slice(0, n) for n in array.shape[-2:])))
    source.close()
    return first, [f"Of the masks in {array.path}, one for each frame, the first is used for all."]
