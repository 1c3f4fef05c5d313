"""Domain values → napari LayerData tuples: which cell, which scale, which contrast.

One canvas in grid mode, 2 x 4 cells, two layers to a cell (`grid.stride` 2): an
image and what is drawn over it.  Cells fill row by row, left to right, in the
order of the layers, so `ROLES` is that order.  All cells share one camera:
images of single frames get a display scale that fills the extent of the maps.

Two more columns, `TRUST` and `DIFFERENCE`, come when somebody asks for them.  Hidden they
stay in the list: napari gives no cell to two layers that are both hidden.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.stitching.uncertainty import Uncertainty
from napari_ptychonn.viewer.extent import Contrast, ViewExtent, limits_of
from napari_ptychonn.viewer.lazy_stacks import LogFrames, Stack

LayerData = tuple[Any, dict[str, Any], str]

MOST_POINTS = 10_000
"""Of more scan points some are drawn, evenly chosen and larger: each costs time at every redraw."""

Role = Literal[
    "diffraction",
    "detector centre",
    "single-shot amplitude",
    "beam on amplitude",
    "single-shot phase",
    "beam on phase",
    "ePIE phase here",
    "beam on ePIE",
    "PtychoNN spread",
    "here (spread)",
    "amplitude difference",
    "here (amplitude difference)",
    "PtychoNN amplitude",
    "here (amplitude)",
    "PtychoNN phase",
    "here (phase)",
    "ePIE amplitude",
    "scan points",
    "ePIE phase",
    "training region",
    "PtychoNN residual",
    "here (residual)",
    "phase difference",
    "here (phase difference)",
]

ROLES: tuple[Role, ...] = get_args(Role)
"""Every layer that the canvas can have, in cell order: image, overlay, image, overlay, ..."""

GRID_SHAPE = (2, 4)
"""Rows and columns that are always there."""

FRAME_IMAGES, MAP_IMAGES = ROLES[0:8:2], ROLES[12:20:2]
FRAME_OVERLAYS, MAP_OVERLAYS = ROLES[1:8:2], ROLES[13:20:2]
TRUST, DIFFERENCE = (*ROLES[8:10], *ROLES[20:22]), (*ROLES[10:12], *ROLES[22:24])
TRUST_IMAGES, TRUST_OVERLAYS = TRUST[0::2], TRUST[1::2]
DIFFERENCE_IMAGES, DIFFERENCE_OVERLAYS = DIFFERENCE[0::2], DIFFERENCE[1::2]
ALWAYS: tuple[Role, ...] = tuple(r for r in ROLES if r not in {*TRUST, *DIFFERENCE})
"""Layers that every scan has from the start."""

AMPLITUDES: tuple[Role, ...] = ("single-shot amplitude", "PtychoNN amplitude", "ePIE amplitude")
PHASES: tuple[Role, ...] = (
    "single-shot phase",
    "ePIE phase here",
    "PtychoNN phase",
    "ePIE phase",
)

KEY = "napari-ptychonn"
"""Where in a layer's metadata the plugin keeps what the layer stands for."""

OPENED = "napari-ptychonn opened"
"""Where a layer made by the reader carries the `Opened` that it came from, for the dock."""

RESULT = "napari-ptychonn result"
"""Where the layers of a mosaic carry the `Result` that they belong to, for the writer."""

MARKER = "#ffd60a"
LINE = "#ffffff"
OUTLINE = "#8ce99a"
NOTE = "#9aa0aa"
FAULTY = "#ff6b6b"
COLOURS = {
    "train": "#4dabf7",
    "validation": "#ff922b",
    "gap": "#adb5bd",
    "held out": "#e64980",
}
"""What a scan point is for, to its colour; told apart by the colour-blind too."""

NOT_CHOSEN = "#ced4da"


def diffraction_layer(scan: Scan, field: ViewExtent) -> LayerData:
    """Frames, log10(1 + counts), over the whole field."""
    frames = LogFrames(scan)
    some = np.unique(np.linspace(0, len(scan) - 1, 16).astype(int))
    top = float(np.nanpercentile(np.stack([frames[int(i)] for i in some]), 99.9))
    return (
        frames,
        {
            **_image("diffraction"),
            **field.frame_transform(scan.frame_shape),
            "colormap": "inferno",
            "contrast_limits": (0.0, max(top, 0.3)),
        },
        "image",
    )


def patches_layer(role: Role, stack: Stack, field: ViewExtent, contrast: Contrast) -> LayerData:
    """Patches, one to a scan point, over the whole field."""
    _, py, px = stack.shape
    return (
        stack,
        {**_image(role), **field.frame_transform((py, px)), **_shown(role, contrast)},
        "image",
    )


def map_layer(
    role: Role,
    image: NDArray[np.float32] | None,
    field: ViewExtent,
    contrast: Contrast,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    origin: tuple[float, float] = (0.0, 0.0),
) -> LayerData:
    """A map of the sample where it lies; transparent over the whole field for None."""
    if image is None:
        data, transform = empty_map(field)
    else:
        data, transform = image, field.map_transform(pixel_size, origin)
    return data, {**_image(role), **transform, **_shown(role, contrast)}, "image"


def trust_layer(
    role: Role,
    image: NDArray[np.float32] | None,
    field: ViewExtent,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    origin: tuple[float, float] = (0.0, 0.0),
) -> LayerData:
    """A map of doubt where it lies: bright is where not to trust."""
    made, options, kind = map_layer(role, image, field, Contrast(), pixel_size, origin)
    shown = {"contrast_limits": limits_of(made, 0.0), "colormap": "inferno"}
    return made, options | shown, kind


def difference_layer(role: Role, field: ViewExtent) -> LayerData:
    """A map of mosaic minus reconstruction, empty as yet: white is no difference."""
    made, options, kind = map_layer(role, None, field, Contrast())
    shown = {"contrast_limits": (-1.0, 1.0), "colormap": "coolwarm"}
    return made, options | shown, kind


def drawn_points(count: int) -> NDArray[np.int64]:
    """Which of `count` scan points are drawn."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(np.int64))


def point_features(count: int, trust: Uncertainty | None) -> dict[str, NDArray[Any]]:
    """What the scan points layer knows of each point that is drawn; the last is the mark."""
    spread, residual, doubt = np.full((3, count + 1), np.nan, np.float32)
    disagrees = np.zeros(count + 1, np.bool_)
    if trust is not None:
        spread[trust.indices] = trust.overlap_std
        doubt[trust.indices] = trust.score
        disagrees[trust.disagreeing] = True
        if trust.diffraction_residual is not None:
            residual[trust.indices] = trust.diffraction_residual
    drawn = np.append(drawn_points(count), count)
    known = {"spread": spread, "residual": residual, "doubt": doubt, "disagrees": disagrees}
    return {"point": drawn, **{name: values[drawn] for name, values in known.items()}}


def empty_map(field: ViewExtent) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """What a map shows before there is one: nothing, over the whole field."""
    height, width = field.size
    pixel = (height / 2, width / 2)
    transform = {
        "scale": pixel,
        "translate": (field.top + pixel[0] / 2, field.left + pixel[1] / 2),
        **field.flat(),
    }
    return np.full((2, 2), np.nan, np.float32), transform


def marker_layer(
    role: Role, field: ViewExtent, diameter: float, symbol: str, note: str
) -> LayerData:
    """A hollow mark in the middle of the field, and a note for as long as the cell is empty.

    The data are two points: the mark, then the place of the note.
    """
    return (
        np.asarray([field.centre, field.note_place]),
        {
            "name": role,
            **field.flat(),
            "metadata": {KEY: role},
            "size": [diameter, 1e-3 * diameter],
            "symbol": symbol,
            "face_color": "transparent",
            "border_color": [OUTLINE if role in FRAME_OVERLAYS else MARKER, "transparent"],
            "border_width": 0.06,
            "border_width_is_relative": True,
            "features": {"note": ["", note]},
            "text": {"string": "{note}", "size": 9, "color": NOTE, "anchor": "center"},
        },
        "points",
    )


def with_squares(marker: LayerData, places: NDArray[np.float64], diameter: float) -> LayerData:
    """Add hollow squares (n, 2) to a marker layer, behind its two points."""
    data, options, kind = marker
    n = len(places)
    return (
        np.concatenate([data, places]),
        {
            **options,
            "size": [*options["size"], *[diameter] * n],
            "symbol": [options["symbol"]] * 2 + ["square"] * n,
            "border_color": [*options["border_color"], *[FAULTY] * n],
            "features": {"note": [*options["features"]["note"], *[""] * n]},
        },
        kind,
    )


def scan_points_layer(
    scan: Scan,
    positions: NDArray[np.float64],
    field: ViewExtent,
    region: TrainingRegion | None,
    diameter: float,
) -> LayerData:
    """Scan points in the colour of what they are for; the last point marks where we are."""
    drawn = drawn_points(len(scan))
    dot = (scan.step or 1.0) * field.factor * np.sqrt(len(scan) / len(drawn))
    shown = field.shown(positions[drawn])
    return (
        np.concatenate([shown, shown[:1]]),
        {
            "name": "scan points",
            **field.flat(),
            "metadata": {KEY: "scan points"},
            "size": np.append(np.full(len(shown), dot), diameter),
            "symbol": ["disc"] * len(shown) + ["square"],
            "face_color": point_colours(len(scan), region),
            "border_color": np.concatenate([np.zeros((len(shown), 4)), [_rgba(MARKER)]]),
            "border_width": 0.06,
            "border_width_is_relative": True,
            "antialiasing": 0.0,
            "opacity": 0.55,
        },
        "points",
    )


def point_colours(count: int, region: TrainingRegion | None) -> NDArray[np.float32]:
    """Face colours of the points that are drawn and, transparent, of the mark: (…, 4)."""
    colours = np.tile(_rgba(NOT_CHOSEN), (count + 1, 1))
    colours[-1] = 0.0
    if region is not None:
        parts = (region.train, region.validation, region.gap, region.held_out)
        for colour, part in zip(COLOURS.values(), parts, strict=True):
            colours[part] = _rgba(colour)
    return np.concatenate([colours[drawn_points(count)], colours[-1:]])


def region_layer(field: ViewExtent) -> LayerData:
    """Where the training region is drawn."""
    return (
        None,
        {
            "name": "training region",
            "ndim": 2,
            **field.flat(),
            "metadata": {KEY: "training region"},
            "face_color": "transparent",
            "edge_color": COLOURS["train"],
            "edge_width": max(field.size) / 80,
            "features": {"part": np.empty(0, np.str_)},
            "opacity": 1.0,
        },
        "shapes",
    )


def _image(role: Role) -> dict[str, Any]:
    return {
        "name": role,
        "metadata": {KEY: role},
        "rgb": False,
        "multiscale": False,
        "interpolation2d": "nearest",
    }


def _shown(role: Role, contrast: Contrast) -> dict[str, Any]:
    if role in PHASES:
        return {"contrast_limits": contrast.phase, "colormap": contrast.phase_colormap}
    return {"contrast_limits": contrast.amplitude, "colormap": "gray"}


def _rgba(colour: str) -> NDArray[np.float32]:
    """'#rrggbb' → (4,), 0 … 1."""
    return np.asarray(np.asarray([*bytes.fromhex(colour[1:]), 255]) / 255, np.float32)
