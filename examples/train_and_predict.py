"""Train PtychoNN on the first lines of a scan, predict the rest, and draw it: the Python API.

Run it as it is for a simulated scan, or with the path of your own::

    python examples/train_and_predict.py [SCAN [RECONSTRUCTION]] [--steps N]

It needs no napari and no Qt.
"""

# %% What is used
import argparse

import numpy as np

from napari_ptychonn import (
    Mosaic,
    Predictions,
    TrainingOptions,
    TrainingRegion,
    compare,
    read_reconstruction,
    read_scan,
    simulate_scan,
    train,
)

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("scan", nargs="?")
arguments.add_argument("reconstruction", nargs="?")
arguments.add_argument("--steps", type=int, default=300)
arguments.add_argument("--points", type=int, default=32, help="of the simulated scan, each way")
asked = arguments.parse_args()

# %% A scan, and a reconstruction of (at least) the part to train on
if asked.scan:
    scan = read_scan(asked.scan)
    reconstruction = read_reconstruction(asked.reconstruction or asked.scan)
else:
    scan, reconstruction = simulate_scan((asked.points, asked.points))
print(f"{scan.name}: {len(scan)} frames of {scan.frame_shape}, positions in {scan.unit}")
print(f"labels: {reconstruction.algorithm}")

# %% Train on the first 60 % of the frames; a block of them validates, with a gap between
region = TrainingRegion.from_indices(scan, slice(0, round(0.6 * len(scan))))
print(region.counts)

for epoch in train(scan, reconstruction, region, TrainingOptions(steps=asked.steps)):
    for message in epoch.messages:
        print(message)
    print(f"epoch {epoch.number}/{epoch.total}: loss {epoch.train_loss:.4f}")
model = epoch.best  # every epoch carries the best model so far, so stopping early loses nothing
# model.save("my.model") and TrainedModel.load("my.model") bring it back

# %% Predict every frame, one frame at a time
predictions = Predictions.join(list(model.predict(scan)))

# %% Stitch the mosaic on the grid of the reconstruction
placed, positions = reconstruction.align_to(scan)
mosaic = Mosaic.covering(
    positions, model.patch_shape, model.pixel_size, model.weight, anchor=placed.origin
)
mosaic.add(predictions, positions[predictions.indices])
image = mosaic.image()
print(f"mosaic {image.phase.shape}, {np.isfinite(image.phase).mean():.0%} covered")

# %% Numbers, on frames that had no part in the training
held_out = np.isin(predictions.indices, region.held_out)
comparison = compare(
    predictions[held_out], positions[predictions.indices[held_out]], placed, model.probe
)
print(comparison.sentence)
