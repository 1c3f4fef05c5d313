"""Cropping frames around the zero frequency, and binning detector pixels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.frame_transforms import Bin, Crop, sum_squares
from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError

SMALLEST = 8
_TOLERANCE = 0.02


def crop_and_bin(scan: Scan, crop: int | None = None, bin: int = 1) -> Scan:
    """Crop each frame around the zero frequency and bin it.

    Parameters
    ----------
    scan : Scan
        Whole frames.
    crop : int, optional
        Detector pixels along each axis that are kept.  The object pixel becomes larger
        by the same factor.
    bin : int
        Detector pixels along each axis that are summed.  The object pixel stays,
        and a frame covers less of the object.

    Returns
    -------
    Scan
        Frames are cropped and binned on access.  A binned pixel is valid where all of
        its pixels are.

    Raises
    ------
    InputError
        When fewer than 8 pixels would be left, or `crop` is larger than the frames.
    """
    if bin < 1 or (crop is not None and crop < 1):
        raise InputError(f"expected to crop and bin to 1 pixel or more, got {crop} and {bin}.")
    ky, kx = scan.frame_shape
    size = tuple((n if crop is None else crop) // bin * bin for n in (ky, kx))
    if size == (ky, kx) and bin == 1:
        return scan
    if any(s > n or s // bin < SMALLEST for s, n in zip(size, (ky, kx), strict=True)):
        raise InputError(
            f"{scan.name}: frames of {ky} x {kx} pixels cannot be cropped to "
            f"{'themselves' if crop is None else crop} and binned by {bin}: expected a result of "
            f"at least {SMALLEST} pixels."
        )
    height, width = size
    window = _window((ky, kx), size)
    top, left = window[0].start, window[1].start
    share = (height / ky, width / kx)
    bad_pixels = (
        None if scan.bad_pixels is None else scan.bad_pixels.transformed(lambda i: i[window])
    )
    valid = None if scan.valid is None else scan.valid[window]
    if valid is not None and bin > 1:
        valid = sum_squares(valid, bin, np.dtype(np.int64)) == bin**2
        bad_pixels = None
    if valid is not None and not valid.any():
        raise InputError(f"{scan.name}: no good detector pixel is left after cropping and binning.")
    pitch = scan.optics.detector_pitch
    return replace(
        scan,
        frames=LazyFrames.from_stack(scan.frames).transform(
            Crop(top, left, height, width), Bin(bin)
        ),
        positions=scan.positions * np.asarray(share) if scan.unit == "pixel" else scan.positions,
        pixel_size=_pixel_of(scan, (height, width), share),
        valid=None if valid is None or valid.all() else valid,
        bad_pixels=bad_pixels,
        probe=None if scan.probe is None else _reduced_probe(scan.probe, window, bin),
        optics=replace(
            scan.optics,
            detector_pitch=None if pitch is None else (pitch[0] * bin, pitch[1] * bin),
        ),
        notes=(
            *scan.notes,
            f"Frames of {ky} x {kx} pixels were cropped to {height} x {width}"
            + (f" and binned to {height // bin} x {width // bin}." if bin > 1 else "."),
        ),
    )


def crop_and_bin_reconstruction(
    made: Reconstruction, full_scan: Scan, crop: int | None = None, bin: int = 1
) -> Reconstruction:
    """Crop and bin a reconstruction as `crop_and_bin` does the frames.

    Parameters
    ----------
    made : Reconstruction
        Of the full frames; one with another probe size or pixel size is returned
        unchanged.
    full_scan : Scan
        Before it was cropped and binned.
    crop, bin : int
        As given to `crop_and_bin`.

    Returns
    -------
    Reconstruction
        Probe and object without the spatial frequencies that were cropped, at the larger
        pixel; the middle of the probe where pixels are binned.  The far field of their
        product is the cropped one, as far as the cropped frequencies do not scatter into it.
    """
    ky, kx = full_scan.frame_shape
    size = tuple((n if crop is None else crop) // bin * bin for n in (ky, kx))
    if (size == (ky, kx) and bin == 1) or not matches_uncropped(made, full_scan):
        return made
    window = _window((ky, kx), size)
    share = np.array([size[0] / ky, size[1] / kx])
    in_pixels = made.unit == "pixel"
    scale = share if in_pixels else np.ones(2)
    pixel = np.asarray(made.pixel_size) / (1.0 if in_pixels else share)
    origin = np.asarray(made.origin) * scale
    return replace(
        made,
        object=_coarser(made.object, (ky, kx), (size[0], size[1])),
        probe=None if made.probe is None else _reduced_probe(made.probe, window, bin),
        pixel_size=(float(pixel[0]), float(pixel[1])),
        origin=(float(origin[0]), float(origin[1])),
        positions=None if made.positions is None else made.positions * scale,
    )


def matches_uncropped(made: Reconstruction, full_scan: Scan) -> bool:
    """Whether the probe size, else the pixel size, of a reconstruction is that of full frames."""
    if made.probe is not None and made.probe.shape[-2:] != full_scan.frame_shape:
        return False
    if made.unit == "pixel" or full_scan.unit == "pixel" or full_scan.pixel_size is None:
        return True
    return np.allclose(made.pixel_size, full_scan.pixel_size, rtol=_TOLERANCE, atol=0)


def _coarser(
    image: NDArray[np.complex64], whole: tuple[int, int], kept: tuple[int, int]
) -> NDArray[np.complex64]:
    """Sample an image (ny, nx) at whole / kept of its pixels, from its first one on."""
    values: NDArray[np.complex128] = image.astype(np.complex128)
    for axis, (n, m) in enumerate(zip(whole, kept, strict=True)):
        if n == m:
            continue
        values = np.moveaxis(values, axis, 0)
        length = len(values)
        # Pad to a length that divides without rest, and to keep the seam off the image.
        unit = n // math.gcd(n, m)
        longer = -(-(length + length // 4) // unit) * unit
        padded = np.pad(values, ((0, longer - length), (0, 0)), mode="edge")
        few = longer * m // n
        far = np.fft.fftshift(np.fft.fft(padded, axis=0), axes=0)
        start = longer // 2 - few // 2
        near = np.fft.ifft(np.fft.ifftshift(far[start : start + few], axes=0), axis=0)
        values = np.moveaxis(near[: -(-length * m // n)] * (m / n), 0, axis)
    return np.ascontiguousarray(values, np.complex64)


def _window(whole: tuple[int, ...], size: tuple[int, ...]) -> tuple[slice, slice]:
    """The middle of a frame."""
    top, left = (n // 2 - m // 2 for n, m in zip(whole, size, strict=True))
    return slice(top, top + size[0]), slice(left, left + size[1])


def _pixel_of(
    scan: Scan, size: tuple[int, ...], share: tuple[float, float]
) -> tuple[float, float] | None:
    """Object pixel (y, x) of cropped frames; unchanged if it fits the cropped frames already."""
    pixel = scan.pixel_size
    if pixel is None or scan.unit == "pixel":
        return pixel
    expected = scan.optics.object_pixel((size[0], size[1]))
    if expected is not None and np.allclose(pixel, expected, rtol=_TOLERANCE, atol=0):
        return pixel
    return pixel[0] / share[0], pixel[1] / share[1]


def _reduced_probe(
    probe: NDArray[np.complex64], window: tuple[slice, slice], bin: int
) -> NDArray[np.complex64]:
    """Probe (modes, py, px) whose far field is the cropped one; binned, its middle."""
    axes = (-2, -1)
    far = np.fft.fft2(np.fft.ifftshift(probe, axes), norm="ortho")
    kept = np.fft.fftshift(far, axes)[(..., *window)]
    near = np.fft.ifft2(np.fft.ifftshift(kept, axes), norm="ortho")
    whole = np.fft.fftshift(near, axes)
    height, width = (n // bin for n in whole.shape[-2:])
    top, left = whole.shape[-2] // 2 - height // 2, whole.shape[-1] // 2 - width // 2
    return np.asarray(whole[..., top : top + height, left : left + width], np.complex64)
