from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ptychonn.data.patches import Patches
from napari_ptychonn.network.inference.predictor import Predictor
from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.ptychonn import PtychoNN
from napari_ptychonn.optics.far_field import FarField
from napari_ptychonn.optics.probe import ZonePlate
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.stitching.mosaic import Mosaic


def trained(options, far_field=None):
    """A network as training might leave it: every statistic and weight of its own."""
    torch.manual_seed(3)
    network = PtychoNN(options, far_field)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    network.label_mean.copy_(torch.tensor([0.9, 0.1]))
    network.label_spread.copy_(torch.tensor([0.1, 0.4]))
    return network.eval()


def agrees(network, frames, precision="float32", atol=1e-5):
    with torch.inference_mode():
        amplitude, phase = network(frames)
        residual = network.residual(amplitude, phase, frames)
    found = Predictor(network, precision=precision)(frames)
    torch.testing.assert_close(found[0], amplitude[:, 0], rtol=1e-4, atol=atol)
    torch.testing.assert_close(found[1], phase[:, 0], rtol=1e-4, atol=atol)
    if residual is None:
        assert found[2] is None
    else:
        torch.testing.assert_close(found[2], residual, rtol=1e-3, atol=atol)


@pytest.mark.parametrize("size", [64, 32])
def test_predicts_what_the_network_predicts(size):
    """Two modes, blind pixels, background; the patch as large as the beam, and smaller."""
    simulated = Simulation(points=(3, 3), modes=2, photons=1e6, seed=3).run()
    valid = np.ones((64, 64), bool)
    valid[30:34, 28:31] = False
    beam = FarField(simulated.truth.probe, 0.3, 0.8 + 0.2j, valid)
    frames = np.sqrt(simulated.scan.read(np.arange(9)).astype(np.float32))[:, None]
    network = trained(NetworkOptions(size=size, refinements=2), beam)
    agrees(network, torch.from_numpy(frames))


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(refinements=0),
        NetworkOptions(width=4).without_probe(),
        NetworkOptions.preset("paper"),
        NetworkOptions.preset("paper-keras"),
        NetworkOptions(width=1).without_probe(),
        replace(NetworkOptions.preset("paper"), width=1),
        replace(NetworkOptions.preset("paper-keras"), width=1),
    ],
)
def test_so_it_does_for_every_kind_of_network(options):
    beam = FarField.blank((1, 64, 64)) if options.uses_probe else None
    agrees(trained(options, beam), torch.rand(3, 1, 64, 64) * 5)


def test_frames_larger_than_the_patch_and_not_square():
    probe = 1e3 * ZonePlate().probe((96, 80), 10e-9)[None]
    network = trained(NetworkOptions(size=48, refinements=1), FarField(probe))
    agrees(network, torch.rand(2, 1, 96, 80) * 5)


def test_the_network_is_left_as_it_was():
    network = trained(NetworkOptions(width=4), FarField.blank((1, 64, 64)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    Predictor(network)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_half_the_digits_are_nearly_the_same():
    network = trained(NetworkOptions(width=4), FarField.blank((1, 64, 64)))
    agrees(network, torch.rand(2, 1, 64, 64) * 5, precision="bfloat16", atol=0.05)


@pytest.fixture(scope="module")
def quick(toy):
    network = trained(NetworkOptions(width=4, refinements=0), FarField(toy.truth.probe))
    preprocessing = Preprocessing.fit(toy.scan, np.arange(9), scaling="amplitude")
    return Predictor(network), preprocessing


def test_batches_come_in_order_however_many_cores_work_on_them(toy, quick):
    predictor, preprocessing = quick
    wanted = np.arange(len(toy.scan))[::-1].copy()
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        batches = list(predictor.predict_scan(toy.scan, preprocessing, wanted, 10))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    found = Patches.join(batches)
    np.testing.assert_array_equal(found.indices, wanted)
    one = Patches.join(list(predictor.predict_scan(toy.scan, preprocessing, wanted, len(wanted))))
    np.testing.assert_allclose(found.phase, one.phase, atol=1e-5)
    np.testing.assert_allclose(found.residual, one.residual, rtol=1e-3)


@pytest.mark.parametrize(
    ("total", "largest", "threads", "sizes"),
    [(100, 64, 2, [50, 50]), (100, 30, 3, [17] * 5 + [15]), (1, 64, 2, [1]), (0, 64, 2, [])],
)
def test_cores_share_frames_evenly(toy, quick, total, largest, threads, sizes):
    predictor, preprocessing = quick
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        batches = list(predictor.predict_scan(toy.scan, preprocessing, np.arange(total), largest))
    finally:
        torch.set_num_threads(before)
    assert [len(batch) for batch in batches] == sizes


def test_reading_goes_only_a_little_ahead(toy, quick, monkeypatch):
    predictor, preprocessing = quick
    read = []

    def noted(self, scan, indices):
        read.append(len(indices))
        return torch.zeros(len(indices), 64, 64)

    monkeypatch.setattr(Preprocessing, "counts", noted)
    batches = predictor.predict_scan(toy.scan, preprocessing, np.arange(100), 5)
    next(batches)
    assert 5 < sum(read) <= 5 * (2 * torch.get_num_threads() + 1)
    batches.close()


def test_stop_is_felt_between_batches(toy, quick):
    predictor, preprocessing = quick
    asked = []

    def after_two():
        asked.append(True)
        return len(asked) > 6

    batches = list(predictor.predict_scan(toy.scan, preprocessing, np.arange(100), 5, after_two))
    assert len(batches) <= 6


def test_what_fails_in_a_thread_reaches_whoever_iterates(toy, quick, monkeypatch):
    predictor, preprocessing = quick

    def broken(self, frames):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(Predictor, "__call__", broken)
    with pytest.raises(RuntimeError, match="no such kernel"):
        list(predictor.predict_scan(toy.scan, preprocessing, np.arange(20), 5))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_predicts_and_stitches_what_the_processor_does(toy, quick):
    _, preprocessing = quick
    network = trained(NetworkOptions(width=4, refinements=2), FarField(toy.truth.probe))
    wanted = np.arange(len(toy.scan))
    patches, images = [], []
    for device in ("cpu", "cuda"):
        mosaic = Mosaic.covering(toy.scan.positions, (64, 64), toy.truth.pixel_size)
        batches = []
        for batch in Predictor(network, device).predict_scan(toy.scan, preprocessing, wanted, 20):
            assert (batch.on_device is not None) == (device == "cuda")
            mosaic.add(batch, toy.scan.positions[batch.indices])
            batches.append(batch)
        patches.append(Patches.join(batches))
        images.append(mosaic.image())
    for name in ("amplitude", "phase", "residual"):
        a, b = (getattr(p, name) for p in patches)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    for name in ("amplitude", "weight", "overlap_std"):
        a, b = (getattr(image, name) for image in images)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-3)
