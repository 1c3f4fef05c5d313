"""All the layers of a scan together, and what a file that was opened looks like on its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan, Unit
from napari_ptychonn.tasks.events import Loaded
from napari_ptychonn.viewer.extent import Contrast, ViewExtent, contrast_of, phase_zero
from napari_ptychonn.viewer.layers import (
    DIFFERENCE_IMAGES,
    DIFFERENCE_OVERLAYS,
    OPENED,
    RESULT,
    ROLES,
    TRUST_IMAGES,
    LayerData,
    Role,
    difference_layer,
    diffraction_layer,
    map_layer,
    marker_layer,
    patches_layer,
    region_layer,
    scan_points_layer,
    trust_layer,
    with_squares,
)
from napari_ptychonn.viewer.lazy_stacks import Channel, PredictedPatches, ReconstructedPatches

PATCH_SHAPE = (64, 64)
"""Before there is a model: the patch of the default network."""

UNTRAINED, UNRECONSTRUCTED, UNLIT = "press Train", "no reconstruction here", "needs a probe"
MOST_MARKED = 500
"""Faulty pixels that are marked at most: more would hide the frame."""

UNCOMPARED = "nothing compared"


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewModel:
    """A scan, what it is compared with, and how both are shown.

    Attributes
    ----------
    scan : Scan
        Frames.
    reconstruction : Reconstruction or None
        Placed under the scan.
    positions : ndarray of float64
        (n, 2) of the frames, in the scan's unit.
    patch_shape : tuple of int
        Pixels of a patch (py, px).
    field, contrast
        Shared by all cells.
    zero : float
        The phase of the reconstruction that is shown as 0, rad.
    """

    scan: Scan
    reconstruction: Reconstruction | None
    positions: NDArray[np.float64]
    patch_shape: tuple[int, int]
    field: ViewExtent
    contrast: Contrast
    zero: float

    @classmethod
    def of(
        cls,
        scan: Scan,
        reconstruction: Reconstruction | None,
        positions: NDArray[np.float64],
        patch_shape: tuple[int, int] = PATCH_SHAPE,
    ) -> ViewModel:
        """Work out extent and contrast; the reconstruction is placed already."""
        contrast, zero = Contrast(), 0.0
        if reconstruction is not None:
            zero = phase_zero(reconstruction, positions, patch_shape)
            contrast = contrast_of(reconstruction, scan, positions, zero)
        pixel = None if reconstruction is None else reconstruction.pixel_size
        return cls(
            scan=scan,
            reconstruction=reconstruction,
            positions=positions,
            patch_shape=patch_shape,
            field=ViewExtent.of(scan, patch_shape, pixel),
            contrast=contrast,
            zero=zero,
        )

    def layers(self, region: TrainingRegion | None) -> list[LayerData]:
        """Every layer that is there from the start, in cell order."""
        made = [
            diffraction_layer(self.scan, self.field),
            *self.prediction_layers(),
            *self.reconstruction_layers(),
            *self._marks(),
            scan_points_layer(
                self.scan, self.positions, self.field, region, max(self.patch_extent)
            ),
            region_layer(self.field),
        ]
        return sorted(made, key=lambda data: ROLES.index(data[1]["name"]))

    def prediction_layers(self) -> list[LayerData]:
        """Patches and mosaics, all empty as yet."""
        channels: dict[Role, Channel] = {
            "single-shot amplitude": "amplitude",
            "single-shot phase": "phase",
        }
        maps: tuple[Role, ...] = ("PtychoNN amplitude", "PtychoNN phase")
        return [
            *(self._patches(role, self._none(channel)) for role, channel in channels.items()),
            *(map_layer(role, None, self.field, self.contrast) for role in maps),
        ]

    def trust_layers(self) -> list[LayerData]:
        """How far to trust the mosaics, with overlays, in cell order; empty as yet."""
        spread, residual = (trust_layer(role, None, self.field) for role in TRUST_IMAGES)
        return [
            spread,
            self._here("here (spread)", UNTRAINED),
            residual,
            self._here("here (residual)", UNLIT),
        ]

    def difference_layers(self) -> list[LayerData]:
        """What mosaic and reconstruction differ in, with overlays, in cell order; empty as yet."""
        pairs = zip(DIFFERENCE_IMAGES, DIFFERENCE_OVERLAYS, strict=True)
        return [
            data
            for image, here in pairs
            for data in (difference_layer(image, self.field), self._here(here, UNCOMPARED))
        ]

    def reconstruction_layers(self) -> list[LayerData]:
        """Patch, amplitude and phase of the reconstruction; empty without one."""
        placed = self.reconstruction
        if placed is None:
            return [
                self._patches("ePIE phase here", self._none("phase")),
                map_layer("ePIE amplitude", None, self.field, self.contrast),
                map_layer("ePIE phase", None, self.field, self.contrast),
            ]
        here = ReconstructedPatches(placed, self.positions, self.patch_shape, "phase", self.zero)
        return [self._patches("ePIE phase here", here), *self.object_layers()]

    def object_layers(self) -> list[LayerData]:
        """Amplitude and phase of the reconstruction, where they lie."""
        placed = self.reconstruction
        if placed is None:
            return []
        images: dict[Role, NDArray[np.float32]] = {
            "ePIE amplitude": np.abs(placed.object),
            "ePIE phase": np.angle(placed.object * np.exp(-1j * np.float32(self.zero))),
        }
        return [
            map_layer(role, image, self.field, self.contrast, placed.pixel_size, placed.origin)
            for role, image in images.items()
        ]

    @property
    def patch_extent(self) -> tuple[float, float]:
        """Height and width of a patch on the maps, display units."""
        placed = self.reconstruction
        pixel = placed.pixel_size if placed is not None else self.scan.pixel_size
        if pixel is None:
            side = 2 * self.field.factor * (self.scan.step or 1.0)
            return side, side
        height, width = np.asarray(pixel) * self.patch_shape * self.field.factor
        return float(height), float(width)

    def detector_marks(self) -> LayerData:
        """Cross in the middle of the frames, and a square around each faulty pixel."""
        small = 0.05 * min(self.field.size)
        centre = marker_layer("detector centre", self.field, small, "cross", "")
        faulty = self.scan.bad_pixels
        pixels = np.empty((0, 2)) if faulty is None else np.argwhere(faulty.bad)[:MOST_MARKED]
        frame = self.field.frame_transform(self.scan.frame_shape)
        pitch, first = (np.asarray(frame[key])[1:] for key in ("scale", "translate"))
        return with_squares(centre, first + pixels * pitch, max(3 * float(pitch[0]), small / 4))

    def _marks(self) -> list[LayerData]:
        beam = self._beam() * min(self.field.size)
        return [
            self.detector_marks(),
            marker_layer("beam on amplitude", self.field, beam, "disc", UNTRAINED),
            marker_layer("beam on phase", self.field, beam, "disc", UNTRAINED),
            marker_layer("beam on ePIE", self.field, beam, "disc", UNRECONSTRUCTED),
            self._here("here (amplitude)", UNTRAINED),
            self._here("here (phase)", UNTRAINED),
        ]

    def _here(self, role: Role, note: str) -> LayerData:
        """A square around the patch of the current point, on a map."""
        return marker_layer(role, self.field, max(self.patch_extent), "square", note)

    def _beam(self) -> float:
        """Diameter of a disc as large as the area above half the beam's intensity; patch = 1."""
        from napari_ptychonn.optics.illumination import illumination_weight
        from napari_ptychonn.stitching.mosaic import window_weight

        placed = self.reconstruction
        if placed is None or placed.probe is None:
            weight = window_weight(self.patch_shape)
        else:
            weight = illumination_weight(placed.probe, self.patch_shape)
        lit = np.count_nonzero(weight >= 0.5 * weight.max()) / weight.size
        return float(2 * np.sqrt(lit / np.pi))

    def _none(self, channel: Channel) -> PredictedPatches:
        return PredictedPatches(len(self.scan), self.patch_shape, channel)

    def _patches(self, role: Role, stack: PredictedPatches | ReconstructedPatches) -> LayerData:
        return patches_layer(role, stack, self.field, self.contrast)


def opened_layers(opened: Loaded) -> list[LayerData]:
    """Layers for napari's reader: complete pictures without the dock, and what the dock adopts.

    A model has nothing to show; an empty layer carries it.
    """
    made = _layers_of(opened)
    for _, options, _ in made:
        options["metadata"] = {**options["metadata"], OPENED: opened}
    return made


def result_layers(result: Result) -> list[LayerData]:
    """The two mosaics of a result and, hidden, how far to trust them, where they lie."""
    mosaic = result.mosaic
    images: dict[Role, NDArray[np.float32]] = {
        "PtychoNN amplitude": mosaic.amplitude,
        "PtychoNN phase": mosaic.phase,
    }
    where = (mosaic.pixel_size, mosaic.origin)
    field = ViewExtent.around(mosaic.phase.shape, *where, result.unit)
    made = [
        *_free_maps(images, *where, result.unit),
        *(trust_layer(role, image, field, *where) for role, image in trust_maps(result).items()),
    ]
    for _, options, _ in made:
        options["metadata"] = {**options["metadata"], RESULT: result}
        options["visible"] = options["name"] not in TRUST_IMAGES
    return made


def trust_maps(result: Result) -> dict[Role, NDArray[np.float32]]:
    """Maps of where not to trust a result: the spread, and the residual where it is known."""
    maps: dict[Role, NDArray[np.float32]] = {"PtychoNN spread": result.mosaic.overlap_std}
    if result.uncertainty is not None and result.uncertainty.residual_map is not None:
        maps["PtychoNN residual"] = result.uncertainty.residual_map
    return maps


def _layers_of(opened: Loaded) -> list[LayerData]:
    if opened.scan is not None:
        return _scan_layers(opened.scan, opened.reconstruction)
    if opened.result is not None:
        return result_layers(opened.result)
    if opened.reconstruction is not None:
        return _reconstruction_layers(opened.reconstruction)
    return [(None, {"name": f"model {opened.path.name}", "ndim": 2, "metadata": {}}, "points")]


def _scan_layers(scan: Scan, reconstruction: Reconstruction | None) -> list[LayerData]:
    placed, positions = None, scan.positions
    if reconstruction is not None:
        placed, positions = reconstruction.align_to(scan)
    scene = ViewModel.of(scan, placed, positions)
    return [*scene.object_layers(), diffraction_layer(scan, scene.field)]


def _reconstruction_layers(reconstruction: Reconstruction) -> list[LayerData]:
    images: dict[Role, NDArray[np.float32]] = {
        "ePIE amplitude": np.abs(reconstruction.object),
        "ePIE phase": np.angle(reconstruction.object),
    }
    where = (reconstruction.pixel_size, reconstruction.origin)
    return _free_maps(images, *where, reconstruction.unit)


def _free_maps(
    images: dict[Role, NDArray[np.float32]],
    pixel_size: tuple[float, float],
    origin: tuple[float, float],
    unit: Unit,
) -> list[LayerData]:
    """Maps (amplitude, phase) without a scan to lie under."""
    amplitude, phase = images.values()
    field = ViewExtent.around(amplitude.shape, pixel_size, origin, unit)
    contrast = Contrast.of(amplitude, phase)
    return [
        map_layer(role, image, field, contrast, pixel_size, origin)
        for role, image in images.items()
    ]
