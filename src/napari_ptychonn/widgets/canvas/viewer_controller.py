"""The layers of one session in one viewer: built, kept up to date, and cleared away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer, Points
from psygnal import Signal

from napari_ptychonn.app.session import Session
from napari_ptychonn.data.result import Result
from napari_ptychonn.viewer.layers import (
    AMPLITUDES,
    DIFFERENCE,
    DIFFERENCE_IMAGES,
    DIFFERENCE_OVERLAYS,
    FRAME_IMAGES,
    GRID_SHAPE,
    KEY,
    MAP_IMAGES,
    MAP_OVERLAYS,
    PHASES,
    RESULT,
    ROLES,
    TRUST,
    TRUST_IMAGES,
    TRUST_OVERLAYS,
    LayerData,
    Role,
    point_colours,
)
from napari_ptychonn.viewer.lazy_stacks import LogFrames, PredictedPatches, ReconstructedPatches
from napari_ptychonn.viewer.view_model import PATCH_SHAPE, ViewModel, result_layers
from napari_ptychonn.widgets.canvas.difference_column import DifferenceColumn
from napari_ptychonn.widgets.canvas.hidden_column import HiddenColumn
from napari_ptychonn.widgets.canvas.point_picker import Picker
from napari_ptychonn.widgets.canvas.region_drawing import RegionDrawing
from napari_ptychonn.widgets.canvas.uncertainty_column import UncertaintyColumn
from napari_ptychonn.widgets.common.connections import Connections

if TYPE_CHECKING:
    import napari.viewer
    from numpy.typing import NDArray

TITLE_SIZE = 7.0
"""Points; less where there are more columns."""

_TITLED = (*FRAME_IMAGES, *MAP_IMAGES, *TRUST_IMAGES, *DIFFERENCE_IMAGES)


class ViewerController:
    """One canvas of eight cells to twelve (see `napari_ptychonn.viewer.layers`), and its events.

    `columns_changed` tells whether the columns of trust and of differences are shown.

    Layers that the user deletes stay away until the next scan, but for the
    region's, which comes back when something is to be drawn.  Nothing is ever
    written into a layer that is not in the viewer.
    """

    columns_changed = Signal(bool, bool)

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        self.viewer, self.session = viewer, session
        self._layers: dict[Role, Layer] = {}
        self._scene: ViewModel | None = None
        self.drawing = RegionDrawing(self)
        self._picker: Picker | None = None
        self._trust: UncertaintyColumn | None = None
        self._difference: DifferenceColumn | None = None
        self._connections = Connections()
        for signal, slot in (
            (viewer.dims.events.current_step, self._on_slider),
            (session.scan_loaded, self.build),
            (session.mask_changed, self.show_mask),
            (session.reconstruction_chosen, self.show_reconstruction),
            (session.object_changed, self.show_object),
            (session.region_chosen, self.show_region),
            (session.point_moved, self.move_to),
            (session.predictions_changed, self.show_predictions),
            (session.result_changed, self.show_result),
            (session.report_changed, self.show_report),
            (session.line_chosen, self.drawing.show_line),
        ):
            self._connections.add(signal, slot)

    # -- whole scans -----------------------------------------------------------------------

    def build(self) -> None:
        """Replace everything by the session's scan."""
        self.clear()
        session = self.session
        if session.scan is None:
            return
        shape = session.model.patch_shape if session.model is not None else PATCH_SHAPE
        self._scene = ViewModel.of(session.scan, session.reconstruction, session.positions, shape)
        self._arrange(self._scene.layers(session.region))
        self._listen()
        self.show_predictions()
        self.show_result()
        self.show_report()
        self.move_to(session.point)

    def show_alone(self, result: Result) -> None:
        """Show a result whose scan is not there."""
        for data in result_layers(result):
            self.viewer.add_layer(Layer.create(*data))

    def clear(self) -> None:
        """Take this session's layers out of the viewer and stop listening to them."""
        self._stop_listening()
        mine, self._layers, self._scene = self._layers, {}, None
        if not mine:
            return
        unlink_layers(list(mine.values()))
        layers = self.viewer.layers
        with layers.batched_update():
            for layer in mine.values():
                if layer in layers:
                    layers.remove(layer)

    def close(self) -> None:
        """Stop listening for good; the layers stay, as pictures."""
        self._stop_listening()
        self._connections.release()
        self._layers, self._scene = {}, None

    def layer(self, role: Role) -> Layer | None:
        """One of the layers, or None where the user deleted it."""
        layer = self._layers.get(role)
        return layer if layer is not None and layer in self.viewer.layers else None

    def set_layer(self, role: Role, layer: Layer) -> None:
        """Take a layer that was made again."""
        self._layers[role] = layer

    # -- what changed ----------------------------------------------------------------------

    def show_reconstruction(self) -> None:
        """Put another reconstruction into its three cells."""
        session = self.session
        if self._scene is None or session.scan is None:
            return
        shape = self._scene.patch_shape
        self._scene = ViewModel.of(session.scan, session.reconstruction, session.positions, shape)
        for data in self._scene.layers(session.region):
            _update_image(self.layer(data[1]["name"]), data)
        self._entitle()
        self.drawing.set_model(self._scene)
        self.show_predictions()
        self.show_result()
        self.show_report()
        self.move_to(session.point)
        self.viewer.fit_to_view()

    def show_mask(self) -> None:
        """Show which detector pixels are left out now, in the frames and marked on them."""
        session = self.session
        if self._scene is None or session.scan is None:
            return
        self._scene = replace(self._scene, scan=session.scan)
        frames, marks = self.layer("diffraction"), self.layer("detector centre")
        if isinstance(frames, Image):
            frames.data = LogFrames(session.scan)
        if isinstance(marks, Points):
            marks.data, options, _ = self._scene.detector_marks()
            for key in ("features", "size", "symbol", "border_color"):
                setattr(marks, key, options[key])

    def show_object(self) -> None:
        """Put the object of a running reconstruction into its two maps; the rest can wait."""
        session = self.session
        if self._scene is None or session.scan is None or session.object_so_far is None:
            return
        placed, positions = session.object_so_far.align_to(session.scan)
        scene = ViewModel.of(session.scan, placed, positions, self._scene.patch_shape)
        for data in scene.object_layers():
            _update_image(self.layer(data[1]["name"]), data)
            if layer := self.layer(data[1]["name"]):
                layer.name = str(layer.metadata[KEY]).replace("ePIE", placed.title)

    def show_region(self) -> None:
        """Colour the scan points by what they are for."""
        points, scan = self.layer("scan points"), self.session.scan
        if isinstance(points, Points) and scan is not None:
            points.face_color = point_colours(len(scan), self.session.region)

    def show_predictions(self) -> None:
        """Show newer predictions and mosaics, in place."""
        session = self.session
        if session.predictions is not None:
            self._show_patches()
        if session.mosaic is not None:
            self._show_map("PtychoNN amplitude", session.mosaic.amplitude)
            self._show_map("PtychoNN phase", session.mosaic.phase)
        self._note("beam on amplitude", shown=session.predictions is None)
        self._note("beam on phase", shown=session.predictions is None)
        self._note("here (amplitude)", shown=session.mosaic is None)
        self._note("here (phase)", shown=session.mosaic is None)

    def show_result(self) -> None:
        """Show how far to trust it, and let its maps carry it, so that saving them writes it."""
        result = self.session.result
        roles: tuple[Role, ...] = ("PtychoNN amplitude", "PtychoNN phase", *TRUST_IMAGES)
        for role in roles:
            if role in self._layers:
                self._layers[role].metadata[RESULT] = result
        if self._trust is not None and self._scene is not None:
            self._trust.show(result, self._scene.field)

    def show_report(self) -> None:
        """Show what the mosaic and the reconstruction differ in, and the line of the profile."""
        report = self.session.report
        if self._difference is not None and self._scene is not None:
            self._difference.show(None if report is None else report.full_mosaic, self._scene.field)
        self.drawing.show_line()

    def show_trust(self, shown: bool) -> None:
        """Show or hide the column of where not to trust the mosaics."""
        if self._trust is not None and self._scene is not None:
            self._show_column(self._trust, self._scene.trust_layers, shown)

    def show_difference(self, shown: bool) -> None:
        """Show or hide the column of what the mosaics and the reconstruction differ in."""
        if self._difference is not None and self._scene is not None:
            self._show_column(self._difference, self._scene.difference_layers, shown)

    def move_to(self, point: int) -> None:
        """Slider, markers and frames show this scan point."""
        if self._scene is None:
            return
        if self.viewer.dims.ndim > 2 and self.viewer.dims.current_step[0] != point:
            self.viewer.dims.set_current_step(0, point)
        here = self._scene.field.shown(self.session.positions[point])
        overlays = (*TRUST_OVERLAYS, *DIFFERENCE_OVERLAYS)
        marks: tuple[Role, ...] = ("here (amplitude)", "here (phase)", *overlays)
        for role in marks:
            _move_mark(self.layer(role), 0, here)
        _move_mark(self.layer("scan points"), -1, here)
        patches = self.layer("ePIE phase here")
        stack = patches.data if patches is not None else None
        there = isinstance(stack, ReconstructedPatches) and stack.covers(point)
        self._note("beam on ePIE", shown=not there)
        self.drawing.move_to(here)

    # -- inside ----------------------------------------------------------------------------

    def _arrange(self, made: list[LayerData]) -> None:
        """Put the layers of a scan into their cells."""
        grid, layers = self.viewer.canvas.grid, self.viewer.layers
        layers.selection.clear()
        grid.shape, grid.stride, grid.spacing = GRID_SHAPE, 2, 0.04
        grid.enabled = True
        with layers.batched_update():
            self._insert(made)
            self._entitle()
            for roles in (AMPLITUDES, PHASES):
                link_layers([self._layers[role] for role in roles], ("contrast_limits", "colormap"))
        layers.selection.active = self._layers["diffraction"]
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.viewer.fit_to_view()

    def _insert(self, made: list[LayerData]) -> dict[Role, Layer]:
        """Make layers in cell order, before other people's, so that ours keep their cells.

        napari selects each layer that it is given, and shows its controls; that
        takes long, so nobody hears of it.  The caller selects one in the end.
        """
        layers = self.viewer.layers
        new: dict[Role, Layer] = {}
        with layers.selection.events.blocker_all():
            for data in made:
                layer = Layer.create(*data)
                role: Role = layer.metadata[KEY]
                if role in _TITLED:
                    layer.name_overlay.visible = True
                    layer.name_overlay.font_size = TITLE_SIZE
                earlier = ROLES[: ROLES.index(role)]
                before = [k for k, known in enumerate(layers) if known.metadata.get(KEY) in earlier]
                layers.insert(max(before, default=-1) + 1, layer)
                new[role] = layer
        self._layers |= new
        return new

    def _show_column(
        self, column: HiddenColumn, made: Callable[[], list[LayerData]], shown: bool
    ) -> None:
        layers = self.viewer.layers
        active = layers.selection.active
        if column.visible == shown:
            return
        with layers.batched_update():
            if column.taken:
                column.visible = shown
                return
            layers.selection.clear()
            column.take(self._insert(made()))
            self._fit_columns()
        layers.selection.active = active
        self.show_result()
        self.show_report()
        self.move_to(self.session.point)

    def _entitle(self) -> None:
        """Call the reconstruction's images by what it is: not everything is an ePIE."""
        reconstruction = self.session.reconstruction
        if reconstruction is not None:
            for role, layer in self._layers.items():
                layer.name = role.replace("ePIE", reconstruction.title)

    def _listen(self) -> None:
        assert self._scene is not None
        self.drawing.connect(self._layers["training region"], self._scene)
        points, count = self._layers["scan points"], len(self._scene.scan)
        self._trust = UncertaintyColumn(self.viewer, points, count, self._fit_columns)
        self._difference = DifferenceColumn(self.viewer, self._fit_columns)
        self._picker = Picker(
            self._scene.field.shown(self.session.positions), self._is_map, self.session.move_to
        )
        self.viewer.mouse_drag_callbacks.append(self._picker)

    def _stop_listening(self) -> None:
        self.drawing.disconnect()
        for column in (self._trust, self._difference):
            if column is not None:
                column.disconnect()
        self._trust = self._difference = None
        self._tell_columns()
        if self._picker is not None:
            self.viewer.mouse_drag_callbacks.remove(self._picker)
            self._picker = None

    def _fit_columns(self) -> None:
        """Give the canvas as many columns as are asked for, and titles that fit into them."""
        rows, columns = GRID_SHAPE
        shown = [c for c in (self._trust, self._difference) if c is not None and c.visible]
        shape = (rows, columns + len(shown))
        grid = self.viewer.canvas.grid
        if grid.shape == shape:
            return
        grid.shape = shape
        for role in _TITLED:
            if (layer := self.layer(role)) is not None:
                layer.name_overlay.font_size = TITLE_SIZE * columns / shape[1]
        self.viewer.fit_to_view()
        self._tell_columns()

    def _tell_columns(self) -> None:
        trust, difference = self._trust, self._difference
        self.columns_changed.emit(
            trust is not None and trust.visible, difference is not None and difference.visible
        )

    def _show_patches(self) -> None:
        predictions, scene = self.session.predictions, self._scene
        if predictions is None or scene is None:
            return
        for role in ("single-shot amplitude", "single-shot phase"):
            layer = self._layers[role]
            assert isinstance(layer, Image)
            if not isinstance(layer.data, PredictedPatches):
                continue
            if layer.data.shape[1:] != predictions.shape:
                stack = PredictedPatches(len(layer.data), predictions.shape, layer.data.channel)
                layer.data = stack
                transform = scene.field.frame_transform(predictions.shape)
                layer.scale, layer.translate = transform["scale"], transform["translate"]
            layer.data.update(predictions)
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _show_map(self, role: Role, image: NDArray[np.float32]) -> None:
        mosaic, layer = self.session.mosaic, self.layer(role)
        if mosaic is None or self._scene is None or not isinstance(layer, Image):
            return
        if layer.data.shape == image.shape:
            layer.data[...] = image
            layer.refresh(thumbnail=False, highlight=False, extent=False)
            return
        layer.data = image.copy()
        transform = self._scene.field.map_transform(mosaic.pixel_size, mosaic.origin)
        layer.scale, layer.translate = transform["scale"], transform["translate"]

    def _note(self, role: Role, *, shown: bool) -> None:
        layer = self.layer(role)
        if isinstance(layer, Points):
            layer.text.visible = shown

    def _is_map(self, cell: tuple[int, int] | None) -> bool:
        """Whether this cell of the grid shows one of our maps, wherever it stands now."""
        if cell is None:
            return False
        layers = list(self.viewer.layers)
        shown = self.viewer.canvas.grid.contents_at(cell, self.viewer.layers)
        roles = {layers[k].metadata.get(KEY) for k in shown}
        return bool(roles & {*MAP_IMAGES, *MAP_OVERLAYS, *TRUST, *DIFFERENCE})

    def _on_slider(self, _event: Any = None) -> None:
        if self._scene is not None and self.viewer.dims.ndim > 2:
            self.session.move_to(int(self.viewer.dims.current_step[0]))


def _update_image(layer: Layer | None, data: LayerData) -> None:
    """Give an image layer new data, place and contrast; overlays stay as they are."""
    values, options, _ = data
    if not isinstance(layer, Image) or options["name"] == "diffraction":
        return
    layer.data = values
    layer.scale, layer.translate = options["scale"], options["translate"]
    layer.contrast_limits_range = layer.contrast_limits = options["contrast_limits"]
    layer.colormap = options["colormap"]


def _move_mark(layer: Layer | None, row: int, here: NDArray[np.float64]) -> None:
    """Move one point of a layer, (y, x)."""
    if isinstance(layer, Points) and len(layer.data):
        if np.array_equal(layer.data[row], here):
            return  # napari redraws for new data even if they are equal
        data = layer.data.copy()
        data[row] = here
        layer.data = data
