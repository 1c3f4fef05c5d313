"""A file layout as plain data: paths, factors and names.

`napari_ptychonn.io.layouts.resolved` looks them up in a file, and the readers
apply them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.io.containers.signature import Container

Axes = Literal["yx", "xy"]
Flip = Literal["", "y", "x", "yx"]
Mark = Literal["element", "middle", "corner"]
ObjectFrame = Literal["centre", "middle", "element", "index", "matlab", "guess"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """Where one quantity may be.

    Attributes
    ----------
    paths : tuple of str
        Alternatives below the group that is read; the first that exists
        counts.  'object@name' is the attribute `name` of `object`; '@name'
        an attribute of the group itself.  '*' stands for any part of one
        name: the first of those that exist, in the order of the numbers in
        them.
    scale : float
        What stored values are multiplied by to be SI units (eV for an
        energy).  A unit that the file itself names comes first.
    index : int or None
        Which element, where a number is one of several in an array.
    every : bool
        All arrays that '*' finds, one behind the other along their first axis.
    fixed : bool
        `scale` holds even where the file names a unit: the file is known to be wrong.
    constant : float or None
        The number itself, in SI units (eV for an energy), where no file has it.
    """

    paths: tuple[str, ...] = ()
    scale: float = 1.0
    index: int | None = None
    every: bool = False
    fixed: bool = False
    constant: float | None = None

    @classmethod
    def at(
        cls,
        *paths: str,
        scale: float = 1.0,
        index: int | None = None,
        every: bool = False,
        fixed: bool = False,
    ) -> Field:
        """Make a field of alternative paths."""
        return cls(paths=paths, scale=scale, index=index, every=every, fixed=fixed)


NUMBERS = frozenset(
    {
        "beam_y",
        "beam_x",
        "orientation_code",
        "ceiling",
        "stage_angle",
        "energy",
        "wavelength",
        "distance",
        "pitch_y",
        "pitch_x",
        "pixel_y",
        "pixel_x",
        "centre_y",
        "centre_x",
        "origin_y",
        "origin_x",
        "iterations",
    }
)
"""Fields of a layout that are one number, which may be given as such (`Field.constant`)."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one program lays out a scan, a reconstruction, or both.

    Attributes
    ----------
    name : str
        What to call it on screen.
    require : tuple of tuple of str
        One path of each inner tuple must exist for the layout to apply.
    priority : int
        Layouts are tried from the highest to the lowest; users' own come before all.
    container : str
        'HDF5', 'NPZ', 'NPY', 'TIFF', 'MATLAB' or '4D-STEM'.
    notes : tuple of str
        Sentences for the user: which convention was taken where programs differ.

    frames : Field or None
        (n, ky, kx), (ny, nx, ky, kx) for a raster, or (ky, kx) for one frame.
    amplitude : bool
        Frames are square roots of counts.
    zero_frequency : str
        'detect', or where it is known to be stored: 'centre' or 'corner'.
    beam_y, beam_x : Field or None
        Pixel that the direct beam hits; frames are cropped around it.
    orientation : int
        How frames and mask are to be turned, 0 to 7, as in ptypy: 1 flips
        columns, 2 rows, 4 transposes, which is done first.
    orientation_code : Field or None
        Where the file says so itself.
    frame_indexes, position_indexes : Field or None
        The numbers by which frames and positions are joined.
    mask : Field or None
        (ky, kx) detector mask, or one for each frame.
    mask_marks : str
        Whether a non-zero mask value means a 'bad' or a 'good' pixel.
    mask_bits : str
        'any' bit marks a bad pixel, or only the defects of the 'cxi' format.
    dark : Field or None
        Dark frame; reported in a note, never subtracted.
    ceiling : Field or None
        Largest count that the detector can give.

    positions : Field or None
        Both coordinates in one array, axes as in `position_axes`; (n, k) or (k, n).
    position_axes : str
        'yx' or 'xy'; further columns are ignored.
    position_y, position_x : Field or None
        The coordinates in two arrays, used where `positions` is None.
    position_flip : str
        Coordinates to negate: '', 'y', 'x' or 'yx'.
    position_unit : str
        'm', 'pixel', or 'guess' (from attributes, the name, or the magnitude).
    position_mark : str
        What a position marks in a window of N pixels: 'element' N // 2,
        'middle' (N − 1) / 2, or 'corner' 0.
    beside_swap, beside_flip : bool, str
        Positions that come from a file beside this one, or from a raster without
        positions: whether y and x are exchanged, and what is negated then.
    stage_angle : Field or None
        Degrees by which the stage is turned: it shortens x by the cosine.
    correction : str
        What is done to frames and positions after all else, in the words of
        `ScanCorrection.parse`; '' is nothing.

    energy, wavelength, distance, pitch_y, pitch_x : Field or None
        eV and m.
    angstrom : bool
        Wavelength, object pixel and positions are in ångström where the first two (without
        them, the last) are too large for metres.
    probe, object : Field or None
        (..., py, px) and (..., ny, nx) complex.
    object_amplitude, object_phase : Field or None
        The object in two real images, phase in rad, where `object` is None.
    image_axes : str
        'yx', or 'xy' where probe and object are stored transposed (MATLAB).
    pixel_y, pixel_x : Field or None
        Size of an object pixel, m.
    extent_xy : Field or None
        (width, height) of the whole object, m, where the pixel size is not given.
    centre_y, centre_x : Field or None
        Position of the object's middle, (H − 1) / 2, m.
    origin_y, origin_x : Field or None
        Position of the object's pixel (0, 0), m (object pixels where `origin_unit` says so).
    origin_unit : str
        'm' or 'pixel'.
    rows_y, columns_x : Field or None
        Coordinate of each row and column of the object; where they fall, the
        object is turned round.
    object_frame : str
        What positions count from where neither centre nor origin is given:
        'centre' the middle of all positions; 'middle' the object's
        (H − 1) / 2; 'element' its H // 2; 'index' its first pixel; 'matlab'
        1-based, around the object's middle, as fold_slice does; 'guess'
        between 'index' and 'centre'.
    frame_labels : Field or None
        Complex patches, one for each frame; reported in a note, never used.
    unit, title, algorithm, iterations : Field or None
        Text and a number that describe the file.
    patches : Field or None
        Per-frame predictions; marks a result of this program.
    """

    name: str
    require: tuple[tuple[str, ...], ...]
    priority: int = 0
    container: Container = "HDF5"
    notes: tuple[str, ...] = ()

    frames: Field | None = None
    amplitude: bool = False
    zero_frequency: Literal["detect", "centre", "corner"] = "detect"
    beam_y: Field | None = None
    beam_x: Field | None = None
    orientation: int = 0
    orientation_code: Field | None = None
    frame_indexes: Field | None = None
    mask: Field | None = None
    mask_marks: Literal["bad", "good"] = "bad"
    mask_bits: Literal["any", "cxi"] = "any"
    dark: Field | None = None
    ceiling: Field | None = None

    positions: Field | None = None
    position_axes: Axes = "yx"
    position_y: Field | None = None
    position_x: Field | None = None
    position_flip: Flip = ""
    position_indexes: Field | None = None
    position_unit: Literal["m", "pixel", "guess"] = "m"
    position_mark: Mark = "element"
    beside_swap: bool = False
    beside_flip: Flip = ""
    stage_angle: Field | None = None
    correction: str = ""

    energy: Field | None = None
    wavelength: Field | None = None
    distance: Field | None = None
    pitch_y: Field | None = None
    pitch_x: Field | None = None

    angstrom: bool = False

    probe: Field | None = None
    object: Field | None = None
    object_amplitude: Field | None = None
    object_phase: Field | None = None
    image_axes: Axes = "yx"
    pixel_y: Field | None = None
    pixel_x: Field | None = None
    extent_xy: Field | None = None
    centre_y: Field | None = None
    centre_x: Field | None = None
    origin_y: Field | None = None
    origin_x: Field | None = None
    origin_unit: Literal["m", "pixel"] = "m"
    rows_y: Field | None = None
    columns_x: Field | None = None
    object_frame: ObjectFrame = "centre"

    frame_labels: Field | None = None
    unit: Field | None = None
    title: Field | None = None
    algorithm: Field | None = None
    iterations: Field | None = None
    patches: Field | None = None

    def __post_init__(self) -> None:
        ScanCorrection.parse(self.correction)

    @property
    def has_positions(self) -> bool:
        """Whether the layout has a place for scan positions."""
        return self.positions is not None or self.position_y is not None

    @property
    def has_object(self) -> bool:
        """Whether the layout has a place for a reconstructed object."""
        return self.object is not None or self.object_amplitude is not None
