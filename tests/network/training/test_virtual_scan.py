from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptychonn.data.patches import phase_origin
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.training.virtual_scan import VirtualScan
from napari_ptychonn.simulation.scan import Simulation, diffract


def rescan_of(simulated, reconstruction=None, scan=None):
    scan = scan or simulated.scan
    placed, positions = (reconstruction or simulated.truth).align_to(scan)
    indices = np.arange(len(scan))
    offset = phase_origin(placed, positions, indices)
    return VirtualScan.from_reconstruction(scan, placed, positions, indices, 64, offset, "cpu")


def draw(virtual, scan, count, seed):
    preprocessing = Preprocessing.fit(scan, np.arange(len(scan)), scaling="raw")
    return virtual.sample_batch(count, preprocessing, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def two_modes():
    return Simulation(points=(8, 8), modes=2, photons=1e5).run()


def test_forward_model_is_that_of_the_simulation(toy):
    virtual = rescan_of(toy)
    modelled = virtual.expected(virtual.centres[40:45]).numpy()
    exact = diffract(toy.truth, toy.scan.positions[40:45])
    assert np.abs(modelled - exact).sum() < 0.03 * exact.sum()
    assert virtual.agreement > 0.98


def test_all_probe_modes_take_part(two_modes):
    virtual = rescan_of(two_modes)
    modelled = virtual.expected(virtual.centres[27:30]).numpy()
    exact = diffract(two_modes.truth, two_modes.scan.positions[27:30])
    assert np.abs(modelled - exact).sum() < 0.03 * exact.sum()


def test_counts_follow_the_scan_whatever_the_probe_is_scaled_to(toy):
    off = replace(toy.truth, probe=toy.truth.probe * 40)
    virtual = rescan_of(toy, off)
    modelled = virtual.expected(virtual.centres).sum(dim=(1, 2)).mean()
    assert float(modelled) == pytest.approx(toy.scan.frames.sum() / len(toy.scan), rel=0.01)


def test_labels_are_the_object_under_the_frame(toy):
    """A virtual frame predicted back by the forward model from its own label."""
    virtual = rescan_of(toy)
    batch = draw(virtual, toy.scan, 6, seed=1)
    patch = torch.polar(batch.amplitude[:, 0], batch.phase[:, 0])
    again = virtual.far_field.counts(patch)
    measured, modelled = batch.frames[:, 0], again
    for a, b in zip(measured, modelled, strict=True):
        assert np.corrcoef(a.sqrt().ravel(), b.sqrt().ravel())[0, 1] > 0.98


def test_virtual_frames_are_reproducible_and_all_different(toy):
    virtual = rescan_of(toy)
    first, again = (draw(virtual, toy.scan, 4, seed=7) for _ in range(2))
    torch.testing.assert_close(first.frames, again.frames, rtol=0, atol=0)
    assert len({float(frame.sum()) for frame in first.phase}) == 4


def test_what_the_training_frames_did_not_light_is_not_used(toy):
    """Nonsense outside the lit area changes neither frames nor labels."""
    placed, _ = toy.truth.align_to(toy.scan)
    probe = np.zeros_like(placed.probe)
    probe[:, 24:40, 24:40] = placed.probe[:, 24:40, 24:40]
    compact = replace(placed, probe=probe)
    exact = diffract(compact, toy.scan.positions)
    scan = replace(toy.scan, frames=np.random.default_rng(0).poisson(exact))
    nonsense = compact.object.copy()
    nonsense[:20], nonsense[:, -20:] = 9j, -9
    drawn = [
        draw(rescan_of(toy, replace(compact, object=o), scan), scan, 8, seed=2)
        for o in (compact.object, nonsense)
    ]
    torch.testing.assert_close(drawn[0].amplitude, drawn[1].amplitude, rtol=0, atol=1e-4)


def test_saturation_is_kept(toy):
    ceiling = int(np.quantile(toy.scan.frames, 0.999))
    scan = replace(toy.scan, frames=np.minimum(toy.scan.frames, ceiling))
    virtual = rescan_of(toy, scan=scan)
    assert virtual.ceiling == ceiling
    frames = draw(virtual, scan, 8, seed=0).frames
    assert frames.max() <= ceiling


def test_background_is_found(toy):
    noise = np.random.default_rng(0).poisson(3.0, toy.scan.frames.shape)
    scan = replace(toy.scan, frames=toy.scan.frames + noise)
    background = float(rescan_of(toy, scan=scan).far_field.background)
    assert background == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"probe": None}, "no probe"),
        ({"probe": np.ones((1, 32, 32), np.complex64)}, "32x32 pixels and the frames 64x64"),
        ({"probe": np.ones((1, 64, 64), np.complex64)}, "does not explain the frames"),
    ],
)
def test_probes_that_cannot_serve_say_so(toy, change, says):
    with pytest.raises(InputError, match=says):
        rescan_of(toy, replace(toy.truth, **change))


def test_a_share_of_the_frames_is_what_it_is_among_all(toy):
    """To the last digit: photon noise is random, and must not be so twice."""
    virtual = rescan_of(toy)
    preprocessing = Preprocessing.fit(toy.scan, np.arange(len(toy.scan)), scaling="raw")
    whole = draw(virtual, toy.scan, 6, seed=4)
    share = virtual.sample_batch(6, preprocessing, torch.Generator().manual_seed(4), range(1, 4))
    for name in ("frames", "amplitude", "phase", "weight"):
        torch.testing.assert_close(getattr(share, name), getattr(whole, name)[1:4], rtol=0, atol=0)
