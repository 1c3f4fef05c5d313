from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.optics.far_field import FarField
from napari_ptychonn.simulation.scan import Simulation, diffract


@pytest.fixture(scope="module")
def two_modes():
    return Simulation(points=(4, 4), modes=2, photons=1e6, seed=3).run()


@pytest.fixture(scope="module")
def beam(two_modes):
    return FarField(two_modes.truth.probe)


@pytest.fixture(scope="module")
def exact(two_modes):
    """True patches (m, 1, 64, 64) and the square roots of their noiseless frames."""
    placed, positions = two_modes.truth.align_to(two_modes.scan)
    patches = cut_patches(placed, positions, np.arange(16))
    counts = diffract(two_modes.truth, two_modes.scan.positions)
    return tuple(
        torch.from_numpy(np.asarray(a, np.float32))[:, None]
        for a in (patches.amplitude, patches.phase, np.sqrt(counts))
    )


def update(far_field, amplitude, phase, frames):
    """(m, 2, py, px) from patches (m, 1, py, px) and amplitudes (m, 1, ky, kx)."""
    propagator = far_field.propagator(amplitude.shape[-2:])
    return propagator.update(amplitude[:, 0], phase[:, 0], propagator.measured(frames))


def residual(far_field, amplitude, phase, frames):
    propagator = far_field.propagator(amplitude.shape[-2:])
    return propagator.residual(amplitude[:, 0], phase[:, 0], propagator.measured(frames))


def test_counts_are_those_of_the_simulation(two_modes, beam, exact):
    amplitude, phase, frames = exact
    counts = beam.counts(torch.polar(amplitude, phase)[:, 0])
    assert (counts - frames[:, 0].square()).abs().sum() < 1e-3 * counts.sum()


def test_the_truth_needs_no_update(beam, exact):
    change = update(beam, *exact)
    assert change.shape == (16, 2, 64, 64)
    assert change.abs().max() < 0.02


def test_an_update_brings_a_patch_nearer_to_the_truth(beam, exact):
    """Where the beam was: the error after a step is smaller than before, in both channels."""
    amplitude, phase, frames = exact
    flat = torch.full_like(amplitude, float(amplitude.mean())), torch.zeros_like(phase)
    change = update(beam, *flat, frames)
    centre = (slice(None), slice(24, 40), slice(24, 40))
    stepped = torch.polar(*flat)[:, 0] + torch.complex(change[:, 0], change[:, 1])
    truth = torch.polar(amplitude, phase)[:, 0]
    # The far field leaves a constant phase open, so the nearest turn of each is compared.
    turn = torch.polar(torch.ones(16), (stepped * truth.conj())[centre].mean((1, 2)).angle())
    after = (stepped * turn.conj()[:, None, None] - truth)[centre].abs().mean()
    before = (torch.polar(*flat)[:, 0] * turn.conj()[:, None, None] - truth)[centre].abs().mean()
    assert after < 0.9 * before


def test_residual_is_one_for_the_truth_seen_with_photon_noise(beam, exact):
    amplitude, phase, _ = exact
    bright = FarField((beam.probe * 30).numpy(), background=5.0)
    counts = torch.poisson(
        bright.counts(torch.polar(amplitude, phase)[:, 0]),
        generator=torch.Generator().manual_seed(0),
    )
    found = residual(bright, amplitude, phase, counts.sqrt()[:, None])
    assert float(found.mean()) == pytest.approx(1.0, abs=0.05)
    wrong = residual(bright, amplitude, phase.flip(0), counts.sqrt()[:, None])
    assert (wrong > 10 * found).float().mean() > 0.9


def test_a_constant_phase_changes_nothing(beam, exact):
    amplitude, phase, frames = exact
    beam = FarField(beam.probe.numpy(), mean_object=0.9 + 0.1j)
    turned = FarField(beam.probe.numpy(), mean_object=complex((0.9 + 0.1j) * np.exp(0.7j)))
    torch.testing.assert_close(
        update(beam, amplitude, phase, frames),
        update(turned, amplitude, phase + 0.7, frames),
        rtol=1e-3,
        atol=1e-4,
    )


def test_blind_pixels_take_no_part(two_modes, exact):
    amplitude, phase, frames = exact
    valid = np.ones((64, 64), bool)
    valid[30:34, 28:31] = False
    beam = FarField(two_modes.truth.probe, valid=valid)
    broken = frames.clone()
    broken[..., 30:34, 28:31] = 1e3
    for look in (update, residual):
        seen, spoilt = (
            look(beam, amplitude, 0.5 * phase, frames),
            look(beam, amplitude, 0.5 * phase, broken),
        )
        torch.testing.assert_close(seen, spoilt)


def test_a_batch_is_as_good_as_single_frames(beam, exact):
    amplitude, phase, frames = exact
    together = update(beam, amplitude, 0 * phase, frames)
    alone = update(beam, amplitude[3:4], 0 * phase[3:4], frames[3:4])
    torch.testing.assert_close(together[3:4], alone, rtol=1e-4, atol=1e-5)


def test_another_scale_of_counts_is_the_same_beam(two_modes, beam):
    brighter = beam.scaled(4.0, 1.0)
    torch.testing.assert_close(brighter.probe, 2 * beam.probe)
    assert float(brighter.background) == 1.0
    assert replace(two_modes.truth, probe=brighter.probe.numpy()).probe.shape == (2, 64, 64)
