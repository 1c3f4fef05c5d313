"""How stored frames become upright ones with the zero frequency in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.frame_sample import FrameSample
from napari_ptychonn.data.frame_source import FrameSource
from napari_ptychonn.data.frame_transforms import Crop, FrameTransform, Reorient, reorient
from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.layouts.optics import read_optics
from napari_ptychonn.io.layouts.resolved import ResolvedLayout

_TOO_CLOSE = 16
"""Beam centres within 1 / 16 of the frame from its edge are unset defaults, not measurements."""

_NEAR = 1 / 10
"""Distance, in frames, up to which the counts centre on the beam."""

Window = tuple[int, int, int, int]
_Pair = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class _Cropping:
    window: Window | None = None
    note: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DetectorFrame:
    """What is done to every frame, and to the mask.

    Attributes
    ----------
    orientation : int
        Bits `FLIP_COLUMNS`, `FLIP_ROWS`, `TRANSPOSE` of `data.frame_transforms`.
    window : tuple of int or None
        (top, left, height, width) that is kept, of the turned frame.
    notes : tuple of str
        What was done, in words.
    warnings : tuple of str
        What is doubtful about it.
    """

    orientation: int = 0
    window: Window | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, contents: ResolvedLayout, source: FrameSource) -> DetectorFrame:
        """Find out what is to be done to the frames of a file; reads some where it must."""
        orientation = contents.layout.orientation ^ _declared_orientation(contents)
        notes = [f"Frames were turned (orientation {orientation})."] if orientation else []
        cropping = _window(contents, LazyFrames(source))
        return cls(
            orientation=orientation,
            # The beam's place is that in frames as stored; no file with both is known.
            window=None if orientation else cropping.window,
            notes=(*notes, *((cropping.note,) if cropping.note is not None else ())),
            warnings=cropping.warnings,
        )

    @property
    def transforms(self) -> tuple[FrameTransform, ...]:
        """What lazy frames do when they are read."""
        return (
            *((Reorient(self.orientation),) if self.orientation else ()),
            *((Crop(*self.window),) if self.window is not None else ()),
        )

    def image(self, image: NDArray[Any]) -> NDArray[Any]:
        """Reorient and crop one image of the detector."""
        image = reorient(image, self.orientation)
        if self.window is None:
            return image
        top, left, height, width = self.window
        return image[..., top : top + height, left : left + width]


def _declared_orientation(contents: ResolvedLayout) -> int:
    code = contents.number("orientation_code")
    if code is None:
        return 0
    if code not in range(8):
        raise InputError(
            f"{contents.description}: expected an orientation from 0 to 7, got {code:g}."
        )
    return int(code)


def _window(contents: ResolvedLayout, frames: LazyFrames) -> _Cropping:
    """Find the largest square around the direct beam; none where that is the whole frame."""
    readings = contents.reading("beam_y"), contents.reading("beam_x")
    if any(reading.value is None for reading in readings):
        return _Cropping()
    stored = _pair(*(reading.value for reading in readings))
    beam = stored
    has_unit = any(r.unit is not None and r.unit.kind == "length" for r in readings)
    if has_unit:
        pitch = read_optics(contents)[0].detector_pitch
        if pitch is None:
            return _Cropping(
                warnings=(
                    f"Ignored the beam centre {_at(stored, 'm')} stored in the file: the size of "
                    "a detector pixel is not known.",
                )
            )
        beam = stored[0] / pitch[0], stored[1] / pitch[1]
    beam, warnings = _most_likely(contents, beam, frames, has_unit=has_unit)
    frame = frames.shape[1:]
    # The beam's pixel becomes element N // 2 of an even window.
    centre = _nearest(beam)
    margins = [min(c, n - c) for c, n in zip(centre, frame, strict=True)]
    if min(margins) * _TOO_CLOSE < min(frame):
        return _Cropping(
            note=f"Ignored the beam centre {_at(stored)} stored in the file: it is too close to "
            "the edge of the frame.",
            warnings=warnings,
        )
    half = min(margins)
    top, left = centre[0] - half, centre[1] - half
    if (top, left) == (0, 0) and max(frame) - 2 * half <= 1:
        return _Cropping(warnings=warnings)
    return _Cropping(
        window=(top, left, 2 * half, 2 * half),
        note=f"Frames of {frame[0]} x {frame[1]} pixels were cropped to {2 * half} x {2 * half} "
        f"around the direct beam, which the file puts at {_at(beam)}.",
        warnings=warnings,
    )


def _most_likely(
    contents: ResolvedLayout, stored: _Pair, frames: LazyFrames, *, has_unit: bool
) -> tuple[_Pair, tuple[str, ...]]:
    """Beam centre, pixels, that agrees with where the counts are.

    Numbers of pixels are believed unless the counts centre elsewhere, and agree with the
    numbers exchanged or, where they have no unit, taken as millimetres or metres.
    """
    measured = FrameSample.from_stack(frames).centre_of_counts()
    if measured is None or _is_near(stored, measured, frames):
        return stored, ()
    pitch = read_optics(contents)[0].detector_pitch
    readings = {"with x and y exchanged": stored[::-1]}
    if pitch is not None and not has_unit:
        for unit, factor in (("mm", 1e-3), ("m", 1.0)):
            y, x = (value * factor / edge for value, edge in zip(stored, pitch, strict=True))
            readings[f"in {unit}"] = y, x
            readings[f"in {unit} with x and y exchanged"] = x, y
    doubt = (
        f"The file puts the direct beam at {_at(stored)}, and the counts centre on "
        f"{_at(measured)} of {frames.shape[1]} x {frames.shape[2]} pixels"
    )
    for how, beam in readings.items():
        if _is_near(beam, measured, frames):
            return beam, (f"{doubt}: the beam centre was read {how}, as {_at(beam)}.",)
    return stored, (f"{doubt}: is the beam centre right?",)


def _is_near(beam: _Pair, measured: _Pair, frames: LazyFrames) -> bool:
    edge = min(frames.shape[1:])
    return max(abs(b - m) for b, m in zip(beam, measured, strict=True)) <= edge * _NEAR


def _pair(y: float | None, x: float | None) -> _Pair:
    assert y is not None
    assert x is not None
    return y, x


def _nearest(place: _Pair) -> tuple[int, int]:
    return int(np.floor(place[0] + 0.5)), int(np.floor(place[1] + 0.5))


def _at(place: _Pair, unit: str = "") -> str:
    if unit:
        return f"({place[0]:.4g}, {place[1]:.4g}) {unit}"
    return f"({place[0]:.1f}, {place[1]:.1f})"
