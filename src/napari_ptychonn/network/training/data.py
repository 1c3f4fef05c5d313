"""Training data: measured frames, validation frames and virtual frames with their labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.patches import on_object, phase_origin
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.data.unusable_frames import find_unusable_frames
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.training.labels import LabelledFrames
from napari_ptychonn.network.training.process_group import ProcessGroup
from napari_ptychonn.network.training.virtual_scan import VirtualScan

MOST_VALIDATING = 1024
"""Validation frames at most, as they are predicted after each epoch."""

ALL_TRAINING = 4096
"""Up to this number all training frames are read, however few steps there are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSource:
    """What a network is trained on.

    Attributes
    ----------
    scan : Scan
        Diffraction frames.
    reconstruction : Reconstruction
        Source of the labels.
    region : TrainingRegion
        Which frames train and which validate.
    """

    scan: Scan
    reconstruction: Reconstruction
    region: TrainingRegion


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """One region's frames and labels on one device.

    Attributes
    ----------
    placed : Reconstruction
        The source of the labels, aligned to the scan.
    network : NetworkOptions
        As given, or without the probe where it does not explain the frames.
    preprocessing : Preprocessing
        Fitted on the training frames.
    phase_offset : float
        Angle of the mean object over the training patches, rad: zero of the labels' phase.
    train, validation : LabelledFrames
        Measured frames; `validation` may be empty.
    train_indices, validation_indices : ndarray of int64
        Their scan points.
    virtual : VirtualScan or None
        Source of virtual frames, and the probe.
    messages : tuple of str
        Sentences for the user.
    """

    placed: Reconstruction
    network: NetworkOptions
    preprocessing: Preprocessing
    phase_offset: float
    train: LabelledFrames
    validation: LabelledFrames
    train_indices: NDArray[np.int64]
    validation_indices: NDArray[np.int64]
    virtual: VirtualScan | None
    messages: tuple[str, ...]

    @classmethod
    def load(
        cls,
        source: TrainingSource,
        options: TrainingOptions,
        network: NetworkOptions,
        device: str,
        preprocessing: Preprocessing | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> TrainingData:
        """Read the frames and cut the labels of a region.

        Of the training frames of a large region, as many are drawn at random as the steps
        can use; of the validation frames, `MOST_VALIDATING` are chosen evenly.

        Parameters
        ----------
        source : TrainingSource
            Frames and labels.
        options, network
            Recipe and network.
        device : str
            Torch device of the tensors.
        preprocessing : Preprocessing, optional
            Of the model that is trained further; fitted to the training frames if not given.
        should_stop : callable, optional
            Called before each piece is read.

        Raises
        ------
        InputError
            When fewer than two training patches lie on the object.
        Stopped
            When `should_stop` returned True.
        """
        scan, reconstruction, region = source.scan, source.reconstruction, source.region
        shape = (network.size, network.size)
        placed, positions = reconstruction.align_to(scan)
        covered = on_object(placed, positions, shape)
        train, validation = (part[covered[part]] for part in (region.train, region.validation))
        if len(train) < 2:
            raise InputError(
                f"{len(train)} of {len(region.train)} training patches lie on the object of "
                f"{reconstruction.name}; at least 2 are needed."
            )
        lost = len(region.train) + len(region.validation) - len(train) - len(validation)
        messages = []
        if lost:
            messages.append(
                f"{format_count(lost, 'frame', 'are')} left out: patches extend beyond the object"
            )
        used = _sample_training(train, options), _sample_evenly(validation)
        unusable = find_unusable_frames(scan, np.concatenate(used), should_stop)
        if unusable.sentence is not None:
            messages.append(unusable.sentence)
        train, validation = unusable.drop_from(train), unusable.drop_from(validation)
        used = unusable.drop_from(used[0]), unusable.drop_from(used[1])
        if len(used[0]) < 2:
            raise InputError(f"{scan.name}: {unusable.sentence}; at least 2 are needed to train.")
        offset = phase_origin(placed, positions, train, shape)
        virtual = None
        if options.rescans > 0 or network.uses_probe:
            try:
                virtual = VirtualScan.from_reconstruction(
                    scan, placed, positions, train, network.size, offset, device
                )
            except InputError as error:
                without = "training on measured frames only, without the probe"
                if preprocessing is not None and network.uses_probe:
                    raise InputError(f"this model cannot be trained further: {error}") from error
                messages.append(f"{without}: {error}")
                network = network.without_probe()
        if preprocessing is None:
            preprocessing = Preprocessing.fit(
                scan, train, size=network.size, scaling=network.scaling
            )
        else:
            preprocessing = preprocessing.masked_as(scan)
        for every, part, kind in zip(
            (train, validation), used, ("training", "validation"), strict=True
        ):
            if len(part) < len(every):
                used_of = format_count(len(every), f"{kind} frame", "are")
                messages.append(f"{len(part)} of the {used_of} used")
        train, validation = used
        measured = (
            LabelledFrames.measured(
                scan, placed, positions, part, preprocessing, offset, device, should_stop
            )
            for part in used
        )
        return cls(
            placed=placed,
            network=network,
            preprocessing=preprocessing,
            phase_offset=offset,
            train=next(measured),
            validation=next(measured),
            train_indices=train,
            validation_indices=validation,
            virtual=virtual,
            messages=tuple(messages),
        )

    def shares(self, options: TrainingOptions) -> tuple[int, int]:
        """Measured and virtual frames in one batch."""
        if self.virtual is None:
            return options.batch_size, 0
        measured = max(1, round(options.batch_size / (1 + options.rescans)))
        return measured, options.batch_size - measured

    def batches(
        self, options: TrainingOptions, group: ProcessGroup = ProcessGroup()
    ) -> Iterator[tuple[LabelledFrames, float]]:
        """Yield batches without end: measured frames in random order, filled up with virtual ones.

        The last batch of a pass over the measured frames may be smaller, so that each frame
        is used once in every pass.

        Parameters
        ----------
        options : TrainingOptions
            Recipe.
        group : ProcessGroup
            The processes that share each batch.  Batches do not depend on it.

        Yields
        ------
        frames : LabelledFrames
            Of this process; a frame of weight 0 where it has none.
        share : float
            Their part of the batch.
        """
        measured, virtual = self.shares(options)
        order = torch.Generator().manual_seed(options.seed)
        chance = torch.Generator().manual_seed(options.seed)
        while True:
            rows = torch.randperm(len(self.train), generator=order).to(self.train.frames.device)
            for start in range(0, len(rows), measured):
                chosen = rows[start : start + measured]
                mine = group.share(len(chosen) + virtual)
                batch = self.train[chosen[mine.start : mine.stop]]
                if self.virtual is not None and virtual:
                    made = range(max(0, mine.start - len(chosen)), max(0, mine.stop - len(chosen)))
                    drawn = self.virtual.sample_batch(virtual, self.preprocessing, chance, made)
                    batch = LabelledFrames.join(batch, drawn) if len(batch) else drawn
                share = len(mine) / (len(chosen) + virtual)
                yield (batch if len(mine) else self.train[:1]), share

    def steps_per_pass(self, options: TrainingOptions) -> int:
        """Batches until each measured frame was used once."""
        return math.ceil(len(self.train) / self.shares(options)[0])


def _sample_training(train: NDArray[np.int64], options: TrainingOptions) -> NDArray[np.int64]:
    """Training frames that the steps can use, at most; in scan order."""
    if options.epochs:
        return train
    most = max(ALL_TRAINING, options.steps * options.batch_size)
    if len(train) <= most:
        return train
    return np.sort(np.random.default_rng(options.seed).choice(train, most, replace=False))


def _sample_evenly(validation: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(validation) <= MOST_VALIDATING:
        return validation
    chosen = np.linspace(0, len(validation) - 1, MOST_VALIDATING).astype(np.int64)
    return validation[chosen]
