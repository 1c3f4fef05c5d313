"""From domain values to what napari is given, without napari's window."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Layer

from napari_ptychonn.data.patches import Predictions, cut_patches
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.result import Result
from napari_ptychonn.stitching.mosaic import MosaicImage
from napari_ptychonn.stitching.uncertainty import Uncertainty
from napari_ptychonn.tasks.events import Loaded
from napari_ptychonn.viewer import layers as drawn_layers
from napari_ptychonn.viewer.extent import Contrast, ViewExtent, illuminated
from napari_ptychonn.viewer.layers import (
    ALWAYS,
    AMPLITUDES,
    DIFFERENCE,
    FRAME_IMAGES,
    MAP_IMAGES,
    OPENED,
    PHASES,
    RESULT,
    ROLES,
    TRUST,
    point_colours,
    point_features,
)
from napari_ptychonn.viewer.lazy_stacks import LogFrames, PredictedPatches, ReconstructedPatches
from napari_ptychonn.viewer.view_model import ViewModel, opened_layers, result_layers


@pytest.fixture
def scene(toy):
    placed, positions = toy.reconstruction.align_to(toy.scan)
    return ViewModel.of(toy.scan, placed, positions)


def by_name(layers):
    return {options["name"]: (data, options, kind) for data, options, kind in layers}


def test_every_role_has_one_layer_in_cell_order(scene):
    made = scene.layers(None)
    columns = scene.trust_layers(), scene.difference_layers()
    for expected, part in zip((ALWAYS, TRUST, DIFFERENCE), (made, *columns), strict=True):
        assert [options["name"] for _, options, _ in part] == list(expected)
        assert {kind for _, _, kind in part[::2]} == {"image"}
    assert {*ALWAYS, *TRUST, *DIFFERENCE} == set(ROLES)


def test_all_layers_agree_on_units(scene):
    layers = [Layer.create(*data) for data in scene.layers(None)]
    assert {tuple(map(str, layer.units[-2:])) for layer in layers} == {("nanometer", "nanometer")}


def test_frames_fill_the_field_of_the_maps(scene):
    layers = {data[1]["name"]: Layer.create(*data) for data in scene.layers(None)}
    field = scene.field
    for role in FRAME_IMAGES:
        low, high = layers[role].extent.world[:, -2:]
        pitch = layers[role].scale[-2:]
        assert np.max((high - low + pitch) / field.size) == pytest.approx(1.0)
        np.testing.assert_allclose((low + high) / 2, field.centre, atol=1e-6)


def test_maps_lie_where_the_object_lies(scene, toy):
    data, options, _ = by_name(scene.layers(None))["ePIE phase"]
    assert data.shape == toy.reconstruction.object.shape
    np.testing.assert_allclose(options["scale"], np.asarray(toy.reconstruction.pixel_size) * 1e9)
    np.testing.assert_allclose(options["translate"], np.asarray(toy.reconstruction.origin) * 1e9)


def test_pairs_start_with_the_same_contrast(scene):
    made = by_name(scene.layers(None))
    for roles in (AMPLITUDES, PHASES):
        assert len({made[role][1]["contrast_limits"] for role in roles}) == 1
        assert len({made[role][1]["colormap"] for role in roles}) == 1


def test_without_a_reconstruction_the_maps_are_empty_but_not_black(toy):
    made = by_name(ViewModel.of(toy.scan, None, toy.scan.positions).layers(None))
    for role in MAP_IMAGES:
        assert np.isnan(made[role][0]).all()
    assert np.isnan(made["ePIE phase here"][0].image(0)).all()


def test_contrast_ignores_the_rim_that_the_beam_never_saw(toy):
    placed, positions = toy.reconstruction.align_to(toy.scan)
    lit = illuminated(placed, positions, 1.5 * toy.scan.step)
    noisy = placed.object.copy()
    noisy[~lit] = 100
    loud = replace(placed, object=noisy)
    assert ViewModel.of(toy.scan, loud, positions).contrast.amplitude[1] < 2


def test_contrast_ignores_what_only_frames_lit_that_it_was_not_made_of(toy):
    placed, positions = toy.truth.align_to(toy.scan)
    half = np.arange(len(positions) // 2)
    field = placed.object.copy()
    lit = illuminated(placed, positions[half], 2 * toy.scan.step)
    field[~lit] *= 100
    part = replace(placed, object=field, indices=half, positions=positions[half])
    assert ViewModel.of(toy.scan, part, positions).contrast.amplitude[1] < 2


def test_a_phase_that_goes_around_gets_a_cyclic_colormap():
    around = np.linspace(-3.1, 3.1, 100, dtype=np.float32)
    contrast = Contrast.of(np.ones(3, np.float32), around)
    assert contrast.phase == pytest.approx((-np.pi, np.pi))
    assert contrast.phase_colormap == "twilight_shifted"
    assert Contrast.of(around, around / 4).phase_colormap == "viridis"
    assert contrast.amplitude[0] < contrast.amplitude[1], "even without any contrast"


def test_scan_points_say_what_they_are_for(toy):
    region = TrainingRegion.from_indices(toy.scan, slice(0, 100))
    colours = point_colours(len(toy.scan), region)
    used = [np.unique(colours[part], axis=0) for part in (region.train, region.held_out)]
    assert [len(c) for c in used] == [1, 1]
    assert not np.array_equal(*used)
    assert colours[-1, 3] == 0, "the mark is hollow"


def test_a_scan_in_pixels_is_shown_in_pixels(toy):
    scan = replace(toy.scan, positions=toy.scan.positions / 1e-8, unit="pixel", pixel_size=None)
    field = ViewExtent.of(scan, (64, 64), None)
    assert field.unit == "pixel"
    assert field.size == pytest.approx(np.ptp(scan.positions, axis=0) + 64)


def test_frames_are_logarithms_and_masked_pixels_are_transparent(toy):
    valid = np.ones(toy.scan.frame_shape, np.bool_)
    valid[3, 4] = False
    frames = LogFrames(replace(toy.scan, valid=valid))
    image = frames[7, 2:10, 2:10]
    assert np.isnan(image[1, 2])
    expected = np.log10(1.0 + toy.scan.frames[7])[2:10, 2:10]
    np.testing.assert_allclose(np.delete(image.ravel(), 10), np.delete(expected.ravel(), 10), 1e-6)
    assert frames[2:5].shape == (3, *toy.scan.frame_shape)
    assert np.asarray(frames).shape == frames.shape


def test_of_very_many_scan_points_some_are_drawn(toy, monkeypatch):
    monkeypatch.setattr(drawn_layers, "MOST_POINTS", 40)
    region = TrainingRegion.from_indices(toy.scan, slice(0, 100))
    field = ViewExtent.of(toy.scan, (64, 64), None)
    data, options, _ = drawn_layers.scan_points_layer(
        toy.scan, toy.scan.positions, field, region, 9.0
    )
    drawn = drawn_layers.drawn_points(len(toy.scan))
    assert len(drawn) == 40
    np.testing.assert_allclose(data[:-1], field.shown(toy.scan.positions[drawn]))
    assert len(options["size"]) == len(options["face_color"]) == len(options["symbol"]) == 41
    whole = np.asarray(options["size"])[:-1] ** 2 * 40
    np.testing.assert_allclose(whole, (toy.scan.step * 1e9) ** 2 * len(toy.scan))
    features = point_features(len(toy.scan), None)
    np.testing.assert_array_equal(features["point"][:-1], drawn)
    assert {len(values) for values in features.values()} == {41}


def test_patches_appear_as_they_are_predicted():
    stack = PredictedPatches(5, (4, 4), "phase")
    ones = np.ones((1, 4, 4), np.float32)
    stack.update(Predictions(indices=np.array([3]), amplitude=ones, phase=2 * ones))
    assert np.isnan(stack[2]).all()
    assert (stack[3] == 2).all()
    stack.update(Predictions(indices=np.arange(2, 5), amplitude=ones[[0] * 3], phase=ones[[0] * 3]))
    assert (stack[2:5] == 1).all(), "newer ones replace older ones"
    assert np.isnan(stack[:2]).all()


def test_patches_of_the_reconstruction_are_the_labels(toy):
    placed, positions = toy.reconstruction.align_to(toy.scan)
    stack = ReconstructedPatches(placed, positions, (64, 64), "phase", 0.2)
    label = cut_patches(placed, positions, np.array([9]), (64, 64), 0.2)
    np.testing.assert_array_equal(stack[9], label.phase[0])
    huge = ReconstructedPatches(placed, positions, (512, 512), "phase")
    assert np.isnan(huge[0]).all(), "off the object"


def test_an_opened_file_carries_itself(toy):
    opened = Loaded(path=Path("scan.h5"), scan=toy.scan, reconstruction=toy.reconstruction)
    made = opened_layers(opened)
    assert {options["name"] for _, options, _ in made} == {
        "diffraction",
        "ePIE amplitude",
        "ePIE phase",
    }
    assert all(options["metadata"][OPENED] is opened for _, options, _ in made)


def test_a_model_comes_as_an_empty_layer():
    opened = Loaded(path=Path("model.safetensors"), model=object())
    ((data, options, kind),) = opened_layers(opened)
    assert len(Layer.create(data, options, kind).data) == 0
    assert options["metadata"][OPENED] is opened


@pytest.fixture
def result():
    image = np.ones((6, 8), np.float32)
    spread = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    patches = Predictions(indices=np.array([0]), amplitude=image[None], phase=image[None])
    mosaic = MosaicImage(
        amplitude=image,
        phase=image,
        weight=image,
        overlap_std=spread,
        pixel_size=(1e-8, 2e-8),
        origin=(-1e-7, 0.0),
    )
    return Result(predictions=patches, positions=np.zeros((1, 2)), mosaic=mosaic, unit="m")


@pytest.fixture
def trust():
    return Uncertainty(
        indices=np.array([4, 1]),
        overlap_std=np.array([0.2, 0.1], np.float32),
        diffraction_residual=np.array([1.1, 3.0], np.float32),
        residual_map=np.full((6, 8), 2, np.float32),
        residual_limit=1.5,
    )


def test_the_mosaics_of_a_result_lie_where_they_should(result):
    layers = by_name(result_layers(result))
    _, options, _ = layers["PtychoNN phase"]
    assert options["scale"] == pytest.approx((10, 20))
    assert options["translate"] == pytest.approx((-100, 0))
    assert options["metadata"][RESULT] is result


def test_where_not_to_trust_a_result_lies_under_its_mosaics(result, trust):
    layers = by_name(result_layers(replace(result, uncertainty=trust)))
    for name, image in (
        ("PtychoNN spread", result.mosaic.overlap_std),
        ("PtychoNN residual", trust.residual_map),
    ):
        data, options, _ = layers[name]
        np.testing.assert_array_equal(data, image)
        for key in ("scale", "translate", "units"):
            assert options[key] == layers["PtychoNN phase"][1][key]
        assert not options["visible"]
        Layer.create(*layers[name])
    assert layers["PtychoNN spread"][1]["contrast_limits"] == pytest.approx((0, 0.99))


def test_the_residual_is_not_shown_where_there_is_none(result, trust):
    blind = replace(trust, diffraction_residual=None, residual_map=None)
    for each in (result, replace(result, uncertainty=blind)):
        assert list(by_name(result_layers(each))) == [
            "PtychoNN amplitude",
            "PtychoNN phase",
            "PtychoNN spread",
        ]


def test_scan_points_know_how_far_to_trust_them(trust):
    features = point_features(5, trust)
    np.testing.assert_array_equal(features["disagrees"], [0, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(features["residual"][[1, 4]], [3.0, 1.1], rtol=1e-6)
    np.testing.assert_allclose(features["doubt"][trust.indices], trust.score, rtol=1e-6)
    assert np.isnan(features["spread"][[0, 2, 3, 5]]).all()
    assert np.isnan(point_features(5, None)["residual"]).all()
