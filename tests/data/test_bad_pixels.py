"""Hot, dead and saturated pixels are found; what diffraction does is not taken for them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from napari_ptychonn.data.bad_pixels import BadPixels
from napari_ptychonn.data.frame_sample import FrameSample
from napari_ptychonn.simulation.scan import SimulatedScan, Simulation, diffract, simulate_scan

FRAMES = 32


@cache
def measured() -> NDArray[Any]:
    """32 frames of a simulated scan with a Poisson background of half a count."""
    scan, _ = simulate_scan((12, 12), photons=1e6)
    sample = FrameSample.from_stack(scan.frames).frames.astype(np.uint32)
    return sample + np.random.default_rng(1).poisson(0.5, sample.shape).astype(np.uint32)


@pytest.fixture
def frames() -> NDArray[Any]:
    return measured()


def inject(
    frames: NDArray[Any], rng: np.random.Generator, count: int
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """Make pixels hot (a dark rate of 30 to 10,000 counts), others dead where there is light."""
    broken = frames.copy()
    _, ky, kx = frames.shape
    y, x = np.indices((ky, kx))
    outside = np.maximum(abs(y - ky // 2), abs(x - kx // 2)) > 2
    level = frames.mean(axis=0)
    around = maximum_filter(level, 3)
    spots = rng.permutation(np.argwhere(outside))
    hot, dead = np.zeros((2, ky, kx), bool)
    for row, column in spots[:count]:
        rate = max(10 * around[row, column], 30)
        broken[:, row, column] = rng.poisson(rate * 10 ** rng.uniform(0, 2), len(frames))
        hot[row, column] = True
    lit = [spot for spot in spots[count:] if level[tuple(spot)] > 2]
    for row, column in lit[:count]:
        broken[:, row, column] = 0
        dead[row, column] = True
    return broken, hot, dead


def test_nothing_is_found_in_what_diffraction_does(frames: NDArray[Any]) -> None:
    found = BadPixels.find(frames)
    assert not found.bad.any()
    assert found.sentence == ""
    assert found.valid is None


@pytest.mark.parametrize("photons", [1e2, 1e4, 1e8])
@pytest.mark.parametrize("size", [32, 64])
def test_no_false_alarm_at_any_dose(photons: float, size: int) -> None:
    scan, _ = simulate_scan((8, 8), photons=photons, frame_size=size)
    assert not BadPixels.find(FrameSample.from_stack(scan.frames).frames).bad.any()


def test_no_false_alarm_without_noise_or_in_other_units(jittered: SimulatedScan) -> None:
    exact = diffract(jittered.truth, jittered.scan.positions[:FRAMES])
    for scaled in (exact, exact / exact.max(), exact.astype(np.float32)):
        assert not BadPixels.find(scaled).bad.any()


@settings(max_examples=25)
@given(y=st.integers(0, 63), x=st.integers(0, 63), rate=st.floats(5, 1e5), seed=st.integers(0, 99))
def test_a_hot_pixel_is_found_wherever_it_stands_out(
    y: int, x: int, rate: float, seed: int
) -> None:
    frames = measured()
    usual = maximum_filter(frames.mean(axis=0), 5)[y, x]
    broken = frames.copy()
    broken[:, y, x] = np.random.default_rng(seed).poisson(5 + rate + 12 * usual, FRAMES)
    found = BadPixels.find(broken).hot
    beside_the_beam = max(abs(y - 32), abs(x - 32)) <= 2
    assert np.argwhere(found).tolist() == ([] if beside_the_beam else [[y, x]])


def test_they_are_found_at_the_promised_rate(frames: NDArray[Any]) -> None:
    seen = wanted = false = 0
    for seed in range(20):
        broken, hot, dead = inject(frames, np.random.default_rng(seed), 12)
        found = BadPixels.find(broken)
        seen += int((found.bad & (hot | dead)).sum())
        wanted += int((hot | dead).sum())
        false += int((found.bad & ~(hot | dead)).sum())
    assert seen / wanted >= 0.95
    assert false / (20 * hot.size) < 1e-3


def test_the_direct_beam_is_not_hot(frames: NDArray[Any]) -> None:
    bright = frames.copy()
    rate = 10 * int(frames.max())
    bright[:, 32, 32:34] = np.random.default_rng(0).poisson(rate, (FRAMES, 2))
    assert not BadPixels.find(bright).bad.any()


def test_streaks_are_not_hot(frames: NDArray[Any]) -> None:
    streaked = frames.copy()
    streaked[:, 10, 5:60] += 500
    streaked[:, 5:60, 50] += 500
    assert not BadPixels.find(streaked).bad.any()


def test_stray_light_in_part_of_the_scan_is_not_hot(frames: NDArray[Any]) -> None:
    struck = frames.copy()
    struck[3, 5, 5] = 10_000
    struck[: FRAMES // 2, 50, 9] += 10_000
    assert not BadPixels.find(struck).bad.any()


def test_gaps_and_shadows_are_not_dead(frames: NDArray[Any]) -> None:
    shadowed = frames + np.uint32(20)
    shadowed[:, 20:24] = 0
    shadowed[:, 40:60, 40:60] = 0
    assert not BadPixels.find(shadowed).dead.any()


def test_pixels_that_are_known_to_be_bad_are_not_told_again(frames: NDArray[Any]) -> None:
    broken = frames.copy()
    broken[:, 5, 5] = 10_000
    usable = np.ones(frames.shape[1:], bool)
    usable[5, 5] = False
    found = BadPixels.find(broken, usable)
    assert not found.bad.any()
    assert found.valid is not None
    assert np.argwhere(~found.valid).tolist() == [[5, 5]]


def test_a_ceiling_is_seen_or_told(frames: NDArray[Any]) -> None:
    clipped = np.minimum(frames, frames.max() // 2)
    found = BadPixels.find(clipped)
    assert (found.saturated == (clipped == clipped.max()).any(axis=0)).all()
    assert "saturated" in found.sentence
    told = BadPixels.find(frames, ceiling=float(frames.max()))
    assert told.saturated.sum() == (frames.max(axis=0) == frames.max()).sum()


def test_the_same_frame_again_and_again_has_no_ceiling(frames: NDArray[Any]) -> None:
    assert not BadPixels.find(np.repeat(frames[:1], 16, axis=0)).saturated.any()


def test_more_or_fewer_can_be_masked(frames: NDArray[Any]) -> None:
    broken = frames.copy()
    broken[:, 5, 5] = 10
    broken[:, 50, 50] = 10_000
    found = BadPixels.find(broken, total=1000)
    assert re.findall(r"[\d,]*\d ?\w*", found.sentence) == [
        "2 bad", "32 of", "1,000 frames", "2 hot"
    ]  # fmt: skip
    assert found.masked_above(100.0).hot.sum() == 1
    assert found.masked_above(None).valid is None
    assert found.masked_above(None).sentence == ""


def test_a_mask_of_everything_is_not_used() -> None:
    found = BadPixels.find(np.full((8, 8, 8), 4095, np.uint16), ceiling=4095)
    assert found.bad.all()
    assert found.valid is None


@pytest.mark.parametrize("m", [0, 1, 2])
def test_too_few_frames_say_nothing(m: int) -> None:
    frames = np.zeros((m, 8, 8), np.uint16)
    frames[:, 4, 7] = 1000
    assert not BadPixels.find(frames).hot.any()


def test_frames_of_real_scans(real_data: Any) -> None:
    """What is known by looking: one hot and 23 dead pixels at 26-ID, none in the Siemens star."""
    from napari_ptychonn.io import read_scan

    counts = {}
    for file in (
        "siemens-star/siemens_star_516.h5",
        "petra-p25/PETRAIII_P25_Near_Field_Ptycho.cxi",
        "cnm-26id/test235_truncated.npz",
    ):
        scan = read_scan(real_data / file)
        assert scan.bad_pixels is not None
        assert scan.check_warnings == ()
        counts[file.split("/")[0]] = (
            int(scan.bad_pixels.hot.sum()),
            int(scan.bad_pixels.dead.sum()),
        )
    assert counts == {"siemens-star": (0, 0), "petra-p25": (0, 0), "cnm-26id": (1, 23)}


def test_frames_of_the_simulated_scan_raise_no_doubt() -> None:
    made = Simulation(points=(6, 6)).run()
    assert made.scan.check_warnings == ()
