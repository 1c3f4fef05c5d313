import numpy as np
import torch

from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.training.data import TrainingData, TrainingSource
from napari_ptychonn.network.training.labels import LabelledFrames


def test_frames_and_labels_belong_together(toy):
    placed, positions = toy.reconstruction.align_to(toy.scan)
    indices = np.array([9, 140, 2])
    preprocessing = Preprocessing.fit(toy.scan, indices, scaling="raw")
    labelled = LabelledFrames.measured(
        toy.scan, placed, positions, indices, preprocessing, 0.0, "cpu"
    )
    patches = cut_patches(placed, positions, indices)
    np.testing.assert_array_equal(labelled.phase[:, 0], patches.phase)
    np.testing.assert_array_equal(labelled.frames[:, 0], toy.scan.frames[indices])
    assert len(labelled) == 3


def data_of(toy, options):
    region = TrainingRegion.from_lines(toy.scan, 0, 8)
    network = NetworkOptions(width=4)
    source = TrainingSource(scan=toy.scan, reconstruction=toy.reconstruction, region=region)
    return TrainingData.load(source, options, network, "cpu")


def test_each_measured_frame_is_seen_once_a_pass(toy):
    options = TrainingOptions(rescans=0, batch_size=20)
    data = data_of(toy, options)
    batches = data.batches(options)
    one_pass = [next(batches)[0] for _ in range(data.steps_per_pass(options))]
    seen = torch.cat([b.frames for b in one_pass]).sum(dim=(1, 2, 3)).sort().values
    torch.testing.assert_close(seen, data.train.frames.sum(dim=(1, 2, 3)).sort().values)


def test_batches_are_topped_up_with_virtual_frames(toy):
    options = TrainingOptions(rescans=3, batch_size=32)
    data = data_of(toy, options)
    assert data.shares(options) == (8, 24)
    batch, share = next(data.batches(options))
    assert len(batch) == 32 and share == 1.0
