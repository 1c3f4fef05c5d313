from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.compatibility import compare_scans
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.epochs import train


@pytest.fixture(scope="module")
def model(toy):
    region = TrainingRegion.from_lines(toy.scan, 0, 8)
    options = TrainingOptions(epochs=1, rescans=0)
    network = NetworkOptions(width=4, size=32)
    return list(train(toy.scan, toy.reconstruction, region, options, network, device="cpu"))[
        -1
    ].best


def another(scan, **changes):
    """The same sample, scanned again."""
    moved = replace(scan, positions=scan.positions + 1e-9)
    return replace(moved, **changes)


def test_the_same_set_up_gives_no_warning(model, toy):
    assert compare_scans(model, toy.scan) == ()
    assert compare_scans(model, another(toy.scan)) == ()


def test_what_it_compares_is_kept_in_the_file(model, tmp_path):
    model.save(tmp_path / "model")
    loaded = TrainedModel.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.mean_frame, model.mean_frame)
    assert loaded.provenance["object_pixel_m"] == pytest.approx(model.pixel_size)


@given(factor=st.floats(0.1, 10))
def test_patches_have_the_pixel_of_their_scan_or_are_refused(model, toy, factor):
    size = tuple(edge * factor for edge in toy.scan.pixel_size)
    scan = another(toy.scan, pixel_size=size)
    if not 0.49 < factor < 2.02:
        with pytest.raises(InputError) as error:
            model.pixel_size_in(scan)
        assert error.value.got == pytest.approx(size)
        assert error.value.expected == pytest.approx(toy.scan.pixel_size)
    elif 0.51 < factor < 1.98:
        assert model.pixel_size_in(scan) == pytest.approx(size, rel=0.011)
        assert bool(compare_scans(model, scan)) == (abs(factor - 1) > 0.01)


@given(gain=st.floats(1e-3, 1e3))
def test_another_dose_is_reported(model, toy, gain):
    scan = another(toy.scan, frames=toy.scan.frames * np.float32(gain))
    found = compare_scans(model, scan)
    if 0.6 < gain < 1.7:
        assert found == ()
    elif not 0.4 < gain < 2.2:
        assert len(found) == 1


def test_another_energy_and_illumination_are_reported(model, toy):
    optics = replace(toy.scan.optics, wavelength=toy.scan.optics.wavelength * 1.1)
    (energy,) = compare_scans(model, another(toy.scan, optics=optics))
    assert f"{optics.energy_kev:.4g}" in energy
    (illumination,) = compare_scans(
        model, another(toy.scan, frames=np.roll(toy.scan.frames, 12, axis=-1))
    )
    assert "0." in illumination


def test_bad_pixels_where_the_model_expects_counts_are_reported(model, toy):
    valid = np.ones(toy.scan.frame_shape, bool)
    middle = toy.scan.frame_shape[0] // 2
    valid[middle - 4 : middle + 4, middle:] = False
    hidden = compare_scans(model, another(toy.scan, valid=valid))
    assert any(str((~valid).sum()) in sentence for sentence in hidden)
    valid[:] = True
    valid[:2] = False
    assert compare_scans(model, another(toy.scan, valid=valid)) == ()


def test_positions_that_contradict_the_labels_are_reported_until_they_are_corrected(toy):
    mirrored = ScanCorrection.parse("positions-flip-x").apply(toy.scan)
    region = TrainingRegion.from_lines(mirrored, 0, 8)
    options, network = TrainingOptions(epochs=1, rescans=0), NetworkOptions(width=4, size=32)
    *_, last = train(mirrored, toy.reconstruction, region, options, network, device="cpu")
    (warning,) = compare_scans(last.best, mirrored)
    assert "positions-flip-x" in warning
    corrected = ScanCorrection.parse("positions-flip-x").apply(mirrored)
    assert compare_scans(last.best, corrected) == ()
    np.testing.assert_array_equal(last.best.held_out(corrected), last.best.held_out(mirrored))
