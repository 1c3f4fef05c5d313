"""Checks of a scan: units, energy, beam centre, lost frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count, format_length
from napari_ptychonn.data.frame_sample import FrameSample
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.optics.illumination import illumination_width

_PHOTONS_KEV = (0.1, 200.0)
_STEPS = (1e-12, 1e-3)
_PIXELS = (1e-13, 1e-4)
_MOST_WIDTHS = 2.0
"""Probe widths between neighbouring points above which they do not overlap."""

_OFF_CENTRE = 1 / 8


def run_checks(scan: Scan, sample: FrameSample) -> tuple[str, ...]:
    """Check a scan and some of its frames for implausible values.

    Parameters
    ----------
    scan : Scan
        Scan to check.
    sample : FrameSample
        Some of its frames, zero frequency at element (ky // 2, kx // 2).

    Returns
    -------
    tuple of str
        One sentence with numbers for each problem.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # any number in a damaged file
        return (*_values(sample), *_beam(scan, sample), *_geometry(scan))


def check_overlap(
    scan: Scan, probe: NDArray[np.complex64] | None, pixel_size: tuple[float, float] | None
) -> str | None:
    """Return a warning if scan points are much further apart than the probe is wide.

    Parameters
    ----------
    scan : Scan
        Positions.
    probe : ndarray of complex64 or None
        (modes, py, px).
    pixel_size : tuple of float or None
        Of the probe, (y, x), in the unit of the scan.

    Returns
    -------
    str or None
        The sentence, or None where neighbouring points overlap.
    """
    if probe is None or pixel_size is None or len(scan) < 2 or not probe.any():
        return None
    width = illumination_width(probe) * float(np.mean(pixel_size))
    if scan.step <= _MOST_WIDTHS * width:
        return None
    return (
        f"Neighbouring points are {format_length(scan.step, scan.unit)} apart, "
        f"{scan.step / width:.3g} times the width of the beam "
        f"({format_length(width, scan.unit)}): is the unit of the positions right?"
    )


def _values(sample: FrameSample) -> Iterator[str]:
    m = len(sample.frames)
    flat = sample.frames.reshape(m, -1)
    empty = (flat == 0).all(axis=1)
    if empty.any():
        first = f", the first of them frame {sample.indices[empty][0]}" if not empty.all() else ""
        yield (
            f"{int(empty.sum())} of {format_count(m, 'sampled frame', 'are')} all zero{first}: "
            "were frames lost, or "
            "is a file of frames missing?"
        )
    if sample.frames.dtype.kind not in "if":
        return
    # Pixels that are never finite, or always the same negative number, are masked markers.
    usable = ~sample.invalid_pixels().ravel()
    broken = ~np.isfinite(flat) & usable  # no whole number is
    if bad := int(broken.any(axis=1).sum()):
        yield (
            f"{bad} of {format_count(m, 'sampled frame', 'have')} values that are not "
            "finite; they count as 0."
        )
    negative = (flat < 0) & usable & np.isfinite(flat)
    if negative.any():
        yield (
            f"{negative.mean():.2%} of the values examined are negative, down to "
            f"{flat[negative].min():.3g}; they count as 0."
        )


def _beam(scan: Scan, sample: FrameSample) -> Iterator[str]:
    if sample.has_zero_frequency_at_corner():
        yield (
            "The frames are brightest at their corners: their zero frequency is not in the middle, "
            "where it should be."
        )
        return
    good = np.ones(scan.frame_shape, bool) if scan.valid is None else scan.valid
    mean = np.where(good, sample.mean_without_spikes(), 0)
    if not (total := mean.sum()):
        return
    shape = scan.frame_shape
    centre = [
        float((mean.sum(axis=1 - axis) * np.arange(n)).sum() / total)
        for axis, n in enumerate(shape)
    ]
    off = [c - n // 2 for c, n in zip(centre, shape, strict=True)]
    if any(abs(o) > _OFF_CENTRE * n for o, n in zip(off, shape, strict=True)):
        yield (
            "The beam is not in the middle of the frames: their counts centre on row "
            f"{centre[0]:.0f}, column {centre[1]:.0f} of {shape[0]} x {shape[1]} pixels."
        )


def _geometry(scan: Scan) -> Iterator[str]:
    energy = scan.optics.energy_kev
    if energy is not None and scan.optics.electron_kev is None:
        low, high = _PHOTONS_KEV
        if not low <= energy <= high:
            yield (
                f"A photon energy of {energy:.3g} keV is outside of {low:g} to {high:g} keV: is "
                "its unit right?"
            )
    pixel = scan.pixel_size
    if scan.unit == "m" and pixel is not None and not _within(max(pixel), _PIXELS):
        yield (
            f"An object pixel of {max(pixel):.3g} m is impossible: is the energy, the distance or "
            "the detector pixel in another unit?"
        )
    if len(scan) < 2:
        return
    if pixel is not None and (np.ptp(scan.positions, axis=0) < pixel).all():
        yield "All positions lie within one object pixel: is their unit right?"
    elif scan.unit == "m" and scan.step and not _within(scan.step, _STEPS):
        yield f"Neighbouring points are {scan.step:.3g} m apart: is the unit of positions right?"
    elif (warning := check_overlap(scan, scan.probe, pixel)) is not None:
        yield warning


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]
