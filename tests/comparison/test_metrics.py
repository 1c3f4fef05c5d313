import json
from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.comparison.metrics import compare
from napari_ptychonn.data.patches import Patches, cut_patches
from napari_ptychonn.errors import InputError


@pytest.fixture
def labels(toy):
    placed, positions = toy.truth.align_to(toy.scan)
    indices = np.arange(40, 80)
    return cut_patches(placed, positions, indices), positions[indices], placed


def test_perfect_predictions_have_no_error(labels):
    patches, positions, placed = labels
    result = compare(patches, positions, placed)
    assert result.frames == 40
    assert result.single_shot.phase_mae < 1e-5
    assert result.single_shot.phase_correlation > 0.99999
    assert result.mosaic.phase_mae < 1e-4
    assert result.mosaic.amplitude_ssim > 0.999
    assert result.mosaic.phase_psnr > 60


def test_one_phase_offset_is_forgiven_even_across_the_wrap(labels):
    patches, positions, placed = labels
    turned = np.angle(np.exp(1j * (patches.phase + 3.0))).astype(np.float32)
    result = compare(replace(patches, phase=turned), positions, placed)
    assert result.single_shot.phase_mae < 1e-5
    assert result.single_shot.phase_correlation > 0.9999
    assert abs(result.mosaic.alignment.offset + 3.0) < 0.01


def test_a_constant_scores_as_the_constant(labels):
    patches, positions, placed = labels
    flat = replace(
        patches,
        phase=np.full_like(patches.phase, 0.2),
        amplitude=np.full_like(patches.amplitude, np.median(patches.amplitude)),
    )
    errors = compare(flat, positions, placed).single_shot
    assert errors.phase_mae == pytest.approx(errors.constant_phase_mae, rel=1e-3)
    assert errors.amplitude_mae == pytest.approx(errors.constant_amplitude_mae, rel=1e-3)
    assert errors.phase_correlation == pytest.approx(0.0, abs=1e-3)


def test_known_errors_are_measured(labels):
    patches, positions, placed = labels
    noise = np.random.default_rng(0).normal(0, 0.1, patches.phase.shape).astype(np.float32)
    result = compare(replace(patches, phase=patches.phase + noise), positions, placed)
    assert result.single_shot.phase_mae == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.02)
    assert result.mosaic.phase_mae < result.single_shot.phase_mae


def test_only_errors_in_the_beam_count_for_the_lit_numbers(labels):
    patches, positions, placed = labels
    phase = patches.phase.copy()
    phase[:, :8] += 0.5  # a rim that this probe hardly reaches
    result = compare(replace(patches, phase=phase), positions, placed)
    assert result.illuminated.phase_mae < 0.4 * result.single_shot.phase_mae


def test_ramp_scale_and_shift_of_the_mosaic_are_taken_away(labels):
    patches, positions, placed = labels
    moved = positions + np.asarray(placed.pixel_size) * [0.4, -0.3]
    index = placed.pixel_index(positions)
    y, x = np.mgrid[0:64, 0:64] - 32
    ramp = 0.02 * (index[:, 0, None, None] + y) - 0.01 * (index[:, 1, None, None] + x)
    changed = replace(
        patches,
        phase=(patches.phase + ramp).astype(np.float32),
        amplitude=patches.amplitude * 1.3,
    )
    result = compare(changed, moved, placed).mosaic
    assert result.alignment.scale == pytest.approx(1 / 1.3, rel=0.01)
    np.testing.assert_allclose(result.alignment.ramp, (-0.02, 0.01), atol=2e-3)
    np.testing.assert_allclose(result.alignment.shift, (-0.4, 0.3), atol=0.1)
    assert result.phase_correlation > 0.97


def test_frames_off_the_object_are_counted(labels):
    patches, positions, placed = labels
    away = positions.copy()
    away[:3] += 1.0
    result = compare(patches, away, placed)
    assert (result.frames, result.left_out) == (37, 3)
    with pytest.raises(InputError, match="none of the 40"):
        compare(patches, positions + 1.0, placed)


def test_the_numbers_are_plain_json(labels):
    patches, positions, placed = labels
    numbers = json.loads(json.dumps(compare(patches, positions, placed).as_dict()))
    assert set(numbers) == {"frames", "left_out", "single_shot", "lit", "mosaic"}
    assert "constant" in compare(patches, positions, placed).sentence


def test_one_single_frame_can_be_compared(labels):
    patches, positions, placed = labels
    one = Patches(
        indices=patches.indices[:1], amplitude=patches.amplitude[:1], phase=patches.phase[:1]
    )
    assert compare(one, positions[:1], placed).frames == 1
