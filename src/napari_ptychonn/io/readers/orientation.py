"""How stored frames become upright ones with the zero frequency in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.frame_transforms import Crop, FrameTransform, Reorient, reorient
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.layouts.resolved import ResolvedLayout

_TOO_CLOSE = 16
"""Beam centres within 1 / 16 of the frame from its edge are unset defaults, not measurements."""

Window = tuple[int, int, int, int]


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
    """

    orientation: int = 0
    window: Window | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, contents: ResolvedLayout, frame: tuple[int, int]) -> DetectorFrame:
        """Ask a file what is to be done to its frames of shape (ky, kx)."""
        orientation = contents.layout.orientation ^ _declared_orientation(contents)
        notes = [f"Frames were turned (orientation {orientation})."] if orientation else []
        window, about = _window(contents, frame)
        if window is not None and orientation:
            window = None  # Where the beam is was said for frames as stored; no such file is known.
        return cls(
            orientation=orientation,
            window=window,
            notes=(*notes, *((about,) if about is not None else ())),
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


def _window(contents: ResolvedLayout, frame: tuple[int, int]) -> tuple[Window | None, str | None]:
    """Find the largest square around the direct beam; None where that is the whole frame."""
    y, x = contents.number("beam_y"), contents.number("beam_x")
    if y is None or x is None:
        return None, None
    # The beam's pixel becomes element N // 2 of an even window.
    centre = (int(np.floor(y + 0.5)), int(np.floor(x + 0.5)))
    where = f"({y:.1f}, {x:.1f})"
    margins = [min(c, n - c) for c, n in zip(centre, frame, strict=True)]
    if min(margins) * _TOO_CLOSE < min(frame):
        return None, (
            f"Ignored the beam centre {where} stored in the file: it is too close to the edge "
            "of the frame."
        )
    half = min(margins)
    top, left = centre[0] - half, centre[1] - half
    if (top, left) == (0, 0) and max(frame) - 2 * half <= 1:
        return None, None
    return (top, left, 2 * half, 2 * half), (
        f"Frames of {frame[0]} x {frame[1]} pixels were cropped to {2 * half} x {2 * half} around "
        f"the direct beam, which the file puts at {where}."
    )
