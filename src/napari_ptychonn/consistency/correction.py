"""Corrections of a scan that was read with the wrong orientation, scale or centre."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.frame_transforms import (
    FLIP_COLUMNS,
    FLIP_ROWS,
    TRANSPOSE,
    Reorient,
    Roll,
    reorient,
)
from napari_ptychonn.data.lazy_frames import LazyFrames
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.data.scan import Scan

_FRAME_WORDS = {
    "frames-transpose": TRANSPOSE,
    "frames-flip-rows": FLIP_ROWS,
    "frames-flip-columns": FLIP_COLUMNS,
}
_POSITION_WORDS = {
    "positions-exchange": TRANSPOSE,
    "positions-flip-y": FLIP_ROWS,
    "positions-flip-x": FLIP_COLUMNS,
}
_SHIFT, _SCALE, _ZERO = "frames-shift", "positions-scale", "positions-about-zero"

WORDS = (*_FRAME_WORDS, f"{_SHIFT}=ROWS:COLUMNS", *_POSITION_WORDS, f"{_SCALE}=FACTOR", _ZERO)
"""What the text of a correction is made of, separated by commas."""


@dataclass(frozen=True, kw_only=True)
class ScanCorrection:
    """What is done to the frames and positions of a scan; the default is nothing.

    Attributes
    ----------
    frames : int
        Bits `FLIP_COLUMNS`, `FLIP_ROWS`, `TRANSPOSE` of `data.frame_transforms`.
    shift : tuple of int
        Rows and columns by which frames are rolled after that; half a frame moves the
        zero frequency from the corner to the centre.
    positions : int
        The same bits for positions: (y, x) are exchanged first, then y (`FLIP_ROWS`) and
        x (`FLIP_COLUMNS`) are mirrored.
    scale : float
        Factor of the positions.
    about_zero : bool
        Whether positions are mirrored and scaled about (0, 0) instead of the middle of
        the scan, where an object's place is known in the coordinates of the stage.
    """

    frames: int = 0
    shift: tuple[int, int] = (0, 0)
    positions: int = 0
    scale: float = 1.0
    about_zero: bool = False

    def __post_init__(self) -> None:
        if self.frames not in range(8) or self.positions not in range(8):
            raise InputError(
                "a correction has orientations from 0 to 7, got "
                f"{self.frames} and {self.positions}.",
                expected="0 to 7",
                got=(self.frames, self.positions),
            )
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise InputError(
                f"{_SCALE} must be a number above 0, got {self.scale:g}.",
                expected="above 0",
                got=self.scale,
            )

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return self != ScanCorrection()

    @classmethod
    def parse(cls, text: str) -> ScanCorrection:
        """Read the text of a correction, as `str` writes it.

        Parameters
        ----------
        text : str
            Such as 'frames-transpose,positions-flip-x,positions-scale=1000'; '' is none.

        Raises
        ------
        InputError
            Naming the word that is not one of `WORDS`.
        """
        frames = positions = 0
        shift, scale, about_zero = (0, 0), 1.0, False
        for word in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = word.partition("=")
            try:
                if name == _SHIFT:
                    rows, columns = value.split(":")
                    shift = int(rows), int(columns)
                elif name == _SCALE:
                    scale = float(value)
                elif word == _ZERO:
                    about_zero = True
                elif word in _FRAME_WORDS:
                    frames |= _FRAME_WORDS[word]
                else:
                    positions |= _POSITION_WORDS[word]
            except (KeyError, ValueError) as error:
                raise InputError(
                    f"a correction is made of {', '.join(WORDS)}; got {word!r}.",
                    expected=WORDS,
                    got=word,
                ) from error
        return cls(
            frames=frames, shift=shift, positions=positions, scale=scale, about_zero=about_zero
        )

    def __str__(self) -> str:
        """Text that `parse` reads."""
        return ",".join(
            [
                *(word for word, bit in _FRAME_WORDS.items() if self.frames & bit),
                *([f"{_SHIFT}={self.shift[0]}:{self.shift[1]}"] if any(self.shift) else []),
                *(word for word, bit in _POSITION_WORDS.items() if self.positions & bit),
                *([f"{_SCALE}={self.scale:.6g}"] if self.scale != 1 else []),
                *([_ZERO] if self.about_zero else []),
            ]
        )

    @property
    def description(self) -> str:
        """What it does, for a sentence: 'the frames are flipped up-down and …'."""
        parts = []
        if done := _name_orientation(self.frames, "transposed", "flipped {}", "rows", "columns"):
            parts.append(f"the frames are {done}")
        if any(self.shift):
            rows, columns = self.shift
            parts.append(
                f"the frames are shifted by {format_count(rows, 'row')} and "
                f"{format_count(columns, 'column')}, cyclically"
            )
        if done := _name_orientation(
            self.positions, "exchanged in y and x", "mirrored in {}", "y", "x"
        ):
            parts.append(f"the positions are {done}")
        if self.scale != 1:
            parts.append(f"distances between positions are multiplied by {self.scale:.4g}")
        return " and ".join(parts) or "nothing is changed"

    def apply(self, scan: Scan) -> Scan:
        """Return the corrected scan.

        Raises
        ------
        InputError
            When frames that are not square are to be transposed with a probe beside them.
        """
        if not self:
            return scan
        transforms = [
            *([Reorient(self.frames)] if self.frames else []),
            *([Roll(*self.shift)] if any(self.shift) else []),
        ]
        optics, valid, bad = scan.optics, scan.valid, scan.bad_pixels
        if self.frames & TRANSPOSE and optics.detector_pitch is not None:
            optics = replace(optics, detector_pitch=optics.detector_pitch[::-1])
        pixel = scan.pixel_size
        if self.frames & TRANSPOSE and pixel is not None:
            pixel = pixel[::-1]
        return replace(
            scan,
            frames=LazyFrames.from_stack(scan.frames).transform(*transforms)
            if transforms
            else scan.frames,
            positions=self.apply_to_positions(scan.positions),
            valid=None if valid is None else self.apply_to_image(valid),
            bad_pixels=None if bad is None else bad.transformed(self.apply_to_image),
            optics=optics,
            pixel_size=pixel,
            # Lines are rows of points in the order of the scan, whichever way they run.
            notes=(*scan.notes, f"Corrected as chosen: {self.description}."),
        )

    def apply_to_image(self, image: NDArray[Any]) -> NDArray[Any]:
        """Correct images of the detector (..., ky, kx)."""
        turned = reorient(image, self.frames)
        return np.ascontiguousarray(np.roll(turned, self.shift, axis=(-2, -1)))

    def apply_to_positions(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correct positions (n, 2)."""
        if not (self.positions or self.scale != 1) or not len(positions):
            return positions
        middle = np.zeros(2)
        if not self.about_zero:
            middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
        return (positions - middle) @ orientation_matrix(self.positions).T * self.scale + middle


def orientation_matrix(orientation: int) -> NDArray[np.float64]:
    """Matrix (2, 2) that exchanges and mirrors (y, x) by the bits of an orientation."""
    matrix = np.eye(2)[::-1] if orientation & TRANSPOSE else np.eye(2)
    signs = [-1.0 if orientation & bit else 1.0 for bit in (FLIP_ROWS, FLIP_COLUMNS)]
    return np.asarray(np.diag(signs) @ matrix)


def _name_orientation(orientation: int, exchange: str, flip: str, rows: str, columns: str) -> str:
    if orientation == FLIP_ROWS | FLIP_COLUMNS:
        return "rotated by 180°"
    flipped = [
        name for bit, name in ((FLIP_ROWS, rows), (FLIP_COLUMNS, columns)) if orientation & bit
    ]
    parts = [exchange] if orientation & TRANSPOSE else []
    if flipped:
        parts.append(flip.format(" and ".join(flipped)))
    return " and ".join(parts)
