"""The one table of file layouts: where each program keeps frames, positions, probe and object.

Adding a layout is adding a row.  The first row whose `require` is met is
used, so the most specific come first.  Rows are plain data: paths, factors
and names; what they mean is in `contents.py` and `door.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_ptychonn.core.scan import ELECTRONVOLT
from napari_ptychonn.io.signature import Container


@dataclass(frozen=True, kw_only=True)
class Field:
    """Where one quantity may be.

    Attributes
    ----------
    paths : tuple of str
        Alternatives below the group that is read; the first that exists
        counts.  'object@name' is the attribute `name` of `object`; '@name'
        an attribute of the group itself.
    scale : float
        What stored values are multiplied by to be SI units.
    """

    paths: tuple[str, ...]
    scale: float = 1.0


def at(*paths: str, scale: float = 1.0) -> Field:
    """Write a `Field` in a row of the table."""
    return Field(paths=paths, scale=scale)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one program lays out a scan, a reconstruction, or both.

    Attributes
    ----------
    name : str
        What to call it on screen.
    require : tuple of tuple of str
        One path of each inner tuple must exist for the layout to apply.
    container : str
        'HDF5', 'NPZ' or 'NPY'.
    frames : Field or None
        (n, ky, kx), or (ny, nx, ky, kx) for a raster.
    amplitude : bool
        Frames are square roots of counts.
    zero_frequency : str
        'detect', or where it is known to be stored: 'centre' or 'corner'.
    frame_indexes, position_indexes : Field or None
        The numbers by which frames and positions are joined.
    positions : Field or None
        Both coordinates in one array, axes as in `position_axes`; (n, k) or (k, n).
    position_axes : str
        'yx' or 'xy'; further columns are ignored.
    position_y, position_x : Field or None
        The coordinates in two arrays, used where `positions` is None.
    position_unit : str
        'm', 'pixel', or 'guess' (from attributes, the name, or the magnitude).
    position_mark : str
        What a position marks in a window of N pixels: 'element' N // 2,
        'middle' (N − 1) / 2, or 'corner' 0.
    mask : Field or None
        (ky, kx) detector mask.
    mask_marks : str
        Whether a non-zero mask value means a 'bad' or a 'good' pixel.
    energy, wavelength, distance, pitch_y, pitch_x : Field or None
        eV and m.
    probe, object : Field or None
        (..., py, px) and (..., ny, nx) complex.
    pixel_y, pixel_x : Field or None
        Size of an object pixel, m.
    extent_xy : Field or None
        (width, height) of the whole object, m, where the pixel size is not given.
    centre_y, centre_x : Field or None
        Position of the object's middle, (H − 1) / 2, m; 0 where not given.
    object_frame : str
        What positions count from: 'centre' of the object (physical), 'index'
        (they are pixel indices of the object), or 'guess' between the two.
    unit, title, algorithm, iterations : Field or None
        Text and a number that describe the file.
    patches : Field or None
        Per-frame predictions; marks a result of this program.
    """

    name: str
    require: tuple[tuple[str, ...], ...]
    container: Container = "HDF5"
    frames: Field | None = None
    amplitude: bool = False
    zero_frequency: Literal["detect", "centre", "corner"] = "detect"
    frame_indexes: Field | None = None
    positions: Field | None = None
    position_axes: Literal["yx", "xy"] = "yx"
    position_y: Field | None = None
    position_x: Field | None = None
    position_indexes: Field | None = None
    position_unit: Literal["m", "pixel", "guess"] = "m"
    position_mark: Literal["element", "middle", "corner"] = "element"
    mask: Field | None = None
    mask_marks: Literal["bad", "good"] = "bad"
    energy: Field | None = None
    wavelength: Field | None = None
    distance: Field | None = None
    pitch_y: Field | None = None
    pitch_x: Field | None = None
    probe: Field | None = None
    object: Field | None = None
    pixel_y: Field | None = None
    pixel_x: Field | None = None
    extent_xy: Field | None = None
    centre_y: Field | None = None
    centre_x: Field | None = None
    object_frame: Literal["centre", "index", "guess"] = "centre"
    unit: Field | None = None
    title: Field | None = None
    algorithm: Field | None = None
    iterations: Field | None = None
    patches: Field | None = None

    @property
    def has_positions(self) -> bool:
        """Whether the layout has a place for scan positions."""
        return self.positions is not None or self.position_y is not None


_DETECTOR = "instrument_1/detector_1"
_SOURCE = "instrument_1/source_1"
_PTYCHODUS = "ptychodus"

CXI = Layout(
    name="CXI",
    require=(
        ("data_1/data", f"{_DETECTOR}/data", "image_2/data"),
        ("data_1", "instrument_1", "sample_1"),
    ),
    frames=at("data_1/data", f"{_DETECTOR}/data"),
    # ptychodus' habit: sample (x, y, z), unnegated.  facts: cdtools' two signs cancel.
    positions=at(
        "sample_1/geometry_1/translation", "data_1/translation", f"{_DETECTOR}/translation"
    ),
    position_axes="xy",
    position_mark="middle",
    position_indexes=at(f"{_PTYCHODUS}/probe_position_indexes"),
    mask=at(f"{_DETECTOR}/mask", "data_1/mask"),
    energy=at(f"{_SOURCE}/energy", scale=1 / ELECTRONVOLT),
    wavelength=at(f"{_SOURCE}/wavelength"),
    distance=at(f"{_DETECTOR}/distance"),
    pitch_y=at(f"{_DETECTOR}/y_pixel_size"),
    pitch_x=at(f"{_DETECTOR}/x_pixel_size"),
    probe=at("image_1/data", f"{_SOURCE}/illumination"),
    object=at("image_2/data"),
    pixel_y=at(f"{_PTYCHODUS}/object_pixel_height_m"),
    pixel_x=at(f"{_PTYCHODUS}/object_pixel_width_m"),
    extent_xy=at("image_2/image_size"),
    centre_y=at(f"{_PTYCHODUS}/object_center_y_m"),
    centre_x=at(f"{_PTYCHODUS}/object_center_x_m"),
    title=at("title", "sample_1/name"),
)
"""Below an entry group, usually 'entry_1'."""

PRODUCT = Layout(
    name="ptychodus product",
    require=(("object",), ("probe_position_x_m",), ("probe_position_y_m",)),
    # Usually in a second file; some scripts put the frames beside the object.
    frames=at("patterns", "dp"),
    frame_indexes=at("indexes"),
    mask=at("bad_pixels"),
    position_y=at("probe_position_y_m"),
    position_x=at("probe_position_x_m"),
    position_indexes=at("probe_position_indexes"),
    position_mark="middle",
    # Before 1.7.0 the energy was called probe_energy_eV.
    energy=at("@photon_energy_eV", "@probe_energy_eV"),
    distance=at("@detector_object_distance_m"),
    pitch_y=at("@detector_pixel_height_m"),
    pitch_x=at("@detector_pixel_width_m"),
    probe=at("probe"),
    object=at("object"),
    pixel_y=at("object@pixel_height_m", "probe@pixel_height_m"),
    pixel_x=at("object@pixel_width_m", "probe@pixel_width_m"),
    centre_y=at("object@center_y_m"),
    centre_x=at("object@center_x_m"),
    unit=at("@unit"),
    title=at("@name"),
    algorithm=at("@algorithm"),
    iterations=at("@iterations"),
    patches=at("predictions/amplitude"),
)

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="ptychodus training data",
        require=(("patterns",), ("probe_position_x_px",), ("probe_position_y_px",)),
        frames=at("patterns"),
        position_y=at("probe_position_y_px"),
        position_x=at("probe_position_x_px"),
        position_unit="pixel",
        position_mark="middle",
        mask=at("bad_pixels"),
        energy=at("photon_energy_eV", "probe_energy_eV"),
        distance=at("detector_object_distance_m"),
        probe=at("probe"),
        object=at("object"),
        pixel_y=at("object_pixel_height_m"),
        pixel_x=at("object_pixel_width_m"),
        object_frame="index",
    ),
    PRODUCT,
    Layout(
        name="ptychodus diffraction",
        require=(("patterns",), ("indexes", "bad_pixels")),
        frames=at("patterns"),
        frame_indexes=at("indexes"),
        mask=at("bad_pixels"),
        pitch_y=at("patterns@detector_pixel_height_m"),
        pitch_x=at("patterns@detector_pixel_width_m"),
    ),
    Layout(
        name="pty-chi diffraction",
        require=(("dp",),),
        frames=at("dp"),
        mask=at("bad_pixels"),
    ),
    CXI,
    Layout(
        # What tike, pty-chi scripts and this project's own data write: an object with the
        # (y, x) index in it of the centre element of each window.
        name="object with positions in pixels",
        require=(("object",), ("positions_px",)),
        positions=at("positions_px"),
        position_unit="pixel",
        position_indexes=at("indexes"),
        probe=at("probe"),
        object=at("object"),
        object_frame="index",
        title=at("@name"),
        algorithm=at("@algorithm"),
        iterations=at("@iterations"),
    ),
    Layout(
        name="PtychoPINN",
        container="NPZ",
        require=(("diffraction", "diff3d"), ("xcoords",), ("ycoords",)),
        frames=at("diffraction", "diff3d"),
        amplitude=True,
        position_y=at("ycoords"),
        position_x=at("xcoords"),
        position_unit="pixel",
        probe=at("probeGuess"),
        object=at("objectGuess"),
        object_frame="index",
    ),
    Layout(
        name="tike",
        container="NPZ",
        require=(("data",), ("scan",)),
        frames=at("data"),
        zero_frequency="corner",
        positions=at("scan"),
        position_unit="pixel",
        position_mark="corner",
        probe=at("probe"),
    ),
    Layout(
        name="PtychoNN, frames and positions",
        container="NPZ",
        require=(("reciprocal",), ("position",)),
        frames=at("reciprocal"),
        positions=at("position"),
        position_unit="guess",
        pixel_y=at("pixelsize"),
        pixel_x=at("pixelsize"),
    ),
    Layout(
        name="ptychodus diffraction (NPZ)",
        container="NPZ",
        require=(("patterns",),),
        frames=at("patterns"),
        frame_indexes=at("indexes"),
        mask=at("bad_pixels"),
        positions=at("positions", "position"),
        position_unit="guess",
    ),
    Layout(
        name="PtychoNN, frames",
        container="NPZ",
        require=(("arr_0", "reciprocal"),),
        frames=at("arr_0", "reciprocal"),
    ),
    Layout(
        name="NumPy frames",
        container="NPY",
        require=(("array",),),
        frames=at("array"),
    ),
)
"""Most specific first."""
