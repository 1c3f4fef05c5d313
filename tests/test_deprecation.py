"""Names of the previous version still work, and say what they are called now."""

from dataclasses import replace

import numpy as np
import pytest

import napari_ptychonn
from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.result import Result
from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.network.training.pretraining import Pretraining
from napari_ptychonn.stitching.mosaic import Mosaic, window_weight
from napari_ptychonn.stitching.uncertainty import Uncertainty


@pytest.mark.parametrize(("old", "new"), [("Practice", "Pretraining"), ("Trust", "Uncertainty")])
def test_old_top_level_names_are_the_new_classes(old, new):
    with pytest.warns(DeprecationWarning, match=f"{old} .*{new}"):
        assert getattr(napari_ptychonn, old) is getattr(napari_ptychonn, new)


def test_a_name_that_never_was_is_an_attribute_error():
    with pytest.raises(AttributeError):
        napari_ptychonn.Nothing  # noqa: B018


@pytest.fixture(scope="module")
def result(toy):
    indices = np.arange(40)
    patches = cut_patches(toy.truth, toy.scan.positions, indices)
    patches = replace(patches, residual=np.ones(40, np.float32))
    positions = toy.scan.positions[indices]
    mosaic = Mosaic.covering(positions, patches.shape, toy.truth.pixel_size)
    mosaic.add(patches, positions)
    weight = window_weight(patches.shape)
    return Result(
        predictions=patches,
        positions=positions,
        mosaic=mosaic.image(),
        unit="m",
        uncertainty=Uncertainty.from_predictions(patches, positions, mosaic.image(), weight, 1.5),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (lambda r: r.trust, lambda r: r.uncertainty),
        (lambda r: r.mosaic.spread, lambda r: r.mosaic.overlap_std),
        (lambda r: r.uncertainty.spread, lambda r: r.uncertainty.overlap_std),
        (lambda r: r.uncertainty.residual, lambda r: r.uncertainty.diffraction_residual),
        (lambda r: r.uncertainty.limit, lambda r: r.uncertainty.residual_limit),
        (lambda r: r.uncertainty.doubt, lambda r: r.uncertainty.score),
    ],
)
def test_old_attributes_of_a_result_give_the_same_values(result, old, new):
    with pytest.warns(DeprecationWarning, match=" is now "):
        found = old(result)
    np.testing.assert_array_equal(found, new(result))


def test_old_methods_do_what_the_new_ones_do(toy, result):
    with pytest.warns(DeprecationWarning, match=r"Reconstruction\.under .*align_to"):
        placed, positions = toy.truth.under(toy.scan)
    assert placed.origin == toy.truth.align_to(toy.scan)[0].origin
    np.testing.assert_array_equal(positions, toy.scan.positions)
    with pytest.warns(DeprecationWarning, match="compare_result"):
        comparison = result.compare(toy.truth)
    with pytest.warns(DeprecationWarning, match="illuminated"):
        assert comparison.lit is comparison.illuminated
    with pytest.warns(DeprecationWarning, match="align_result"):
        aligned = result.pair(toy.truth)
    with pytest.warns(DeprecationWarning, match="reference"):
        assert aligned.wanted is aligned.reference
    with pytest.warns(DeprecationWarning, match="simulate_for_scan"):
        scan, _ = Pretraining(points=16).on(toy.scan)
    assert len(scan) == 16
    with pytest.warns(DeprecationWarning, match="uses_probe"):
        assert NetworkOptions().knows_beam
    with pytest.warns(DeprecationWarning, match="bad_pixels"):
        assert toy.scan.faulty is None
