"""Pictures: that they show what they say, and that nothing leaks out of them."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from napari_ptychonn import plots
from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.result import Result
from napari_ptychonn.simulation.scan import simulate_scan
from napari_ptychonn.stitching.mosaic import Mosaic

HISTORY = [
    {
        "number": k,
        "train_loss": 1.0 / k,
        "validation_loss": 0.2 + (k - 6) ** 2 / 50,
        "phase_loss": 0.3 / k,
        "amplitude_loss": 0.02 / k,
    }
    for k in range(1, 11)
]


@pytest.fixture(scope="module")
def predicted():
    """A scan, its reconstruction, and a result that is the labels but for a global phase."""
    scan, reconstruction = simulate_scan((14, 12), photons=1e5)
    placed, positions = reconstruction.align_to(scan)
    labels = cut_patches(placed, positions, np.arange(len(scan)), phase_offset=0.4)
    mosaic = Mosaic.covering(positions, labels.shape, placed.pixel_size, anchor=placed.origin)
    mosaic.add(labels, positions)
    result = Result(
        predictions=labels,
        positions=positions,
        mosaic=mosaic.image(),
        unit="m",
        probe=reconstruction.probe,
    )
    return scan, reconstruction, result


def images(axes):
    return np.ma.filled(axes.images[0].get_array().astype(float), np.nan)


def test_loss_curve_marks_the_epoch_that_was_kept():
    figure = plots.plot_losses(HISTORY)
    loss, error = figure.axes
    (marker,) = [line for line in loss.lines if line.get_marker() == "o"]
    assert marker.get_xdata()[0] == 6
    assert loss.get_xlabel() == error.get_xlabel() == "epoch"
    assert [text.get_text() for text in error.get_legend().get_texts()] == [
        "phase, rad",
        "amplitude",
    ]


def test_loss_curve_without_validation_frames():
    bare = [dict.fromkeys(HISTORY[0]) | {"number": k, "train_loss": 0.5} for k in (1, 2)]
    figure = plots.plot_losses(bare)
    assert len(figure.axes[0].lines) == 1


def test_single_shots_show_pairs_with_the_same_limits(predicted):
    scan, reconstruction, result = predicted
    figure = plots.plot_single_shots(scan, result, reconstruction, [20, 77, 130])
    cells = np.array(figure.axes[:15]).reshape(3, 5)
    assert [cell.get_title() for cell in cells[0]] == [
        "Frame", "degraded truth", "PtychoNN", "degraded truth", "PtychoNN",
    ]  # fmt: skip
    for left, right in ((1, 2), (3, 4)):
        for row in cells:
            assert row[left].images[0].get_clim() == row[right].images[0].get_clim()
            np.testing.assert_allclose(images(row[left]), images(row[right]), atol=1e-4)
    np.testing.assert_array_equal(
        images(cells[1, 0]), np.where(scan.frames[77] > 0, scan.frames[77], 0.5)
    )
    labels = {bar.get_xlabel() for axes in figure.axes for bar in axes.child_axes}
    assert {"counts", "amplitude", "phase, rad"} <= labels


def test_mosaics_differ_by_nothing_where_nothing_differs(predicted):
    scan, reconstruction, result = predicted
    region = TrainingRegion.from_indices(scan, slice(0, 96))
    figure = plots.plot_mosaics(scan, result, reconstruction, region)
    cells = np.array(figure.axes[:6]).reshape(2, 3)
    for row in cells:
        assert row[0].images[0].get_clim() == row[1].images[0].get_clim()
        assert np.nanmax(images(row[2])) < 1e-4
    assert all(cell.collections for cell in cells.flat)  # the training region's outline


def test_mosaics_of_another_grid_are_interpolated(predicted):
    scan, reconstruction, result = predicted
    mosaic = Mosaic.covering(result.positions, (64, 64), (10e-9, 10e-9), anchor=(4e-9, 3e-9))
    mosaic.add(result.predictions, result.positions)
    figure = plots.plot_mosaics(scan, replace(result, mosaic=mosaic.image()), reconstruction)
    assert np.nanmedian(images(figure.axes[5])) < 0.1
    assert "training region" not in figure.get_supxlabel()


def test_the_style_of_the_user_is_left_alone(predicted, tmp_path):
    before = dict(mpl.rcParams)
    path = plots.save_figure(plots.plot_losses(HISTORY), tmp_path / "loss.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before


def test_points_are_chosen_among_the_candidates_and_away_from_the_rim(predicted):
    scan, reconstruction, _ = predicted
    candidates = np.arange(84, len(scan))
    points = plots.choose_points(scan, reconstruction, candidates, (64, 64), 3)
    assert len(set(points)) == 3
    assert set(points) <= set(candidates.tolist())


def test_a_scan_in_pixels_has_its_scale_in_pixels(predicted):
    scan, reconstruction, result = predicted
    in_pixels = replace(scan, unit="pixel", positions=scan.positions / 10e-9, pixel_size=(1.0, 1.0))
    figure = plots.plot_single_shots(in_pixels, replace(result, unit="pixel"), reconstruction, [20])
    texts = [text.get_text() for text in figure.axes[1].texts]
    assert texts == ["10 px"]
