"""Everything a training learns from: measured frames, validation frames, virtual frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_ptychonn.data.patches import on_object, phase_origin
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.training.labels import LabelledFrames
from napari_ptychonn.network.training.process_group import ProcessGroup
from napari_ptychonn.network.training.virtual_scan import VirtualScan

MOST_VALIDATING = 1024
"""Validation frames at most: they are predicted after each epoch."""

ALL_TRAINING = 4096
"""So many training frames are always all read, however few steps there are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """One region's frames and labels on one device.

    Attributes
    ----------
    placed : Reconstruction
        The source of the labels, under the scan.
    network : NetworkOptions
        As asked for, or without the beam where no probe explains the frames.
    preprocessing : Preprocessing
        Fitted on the training frames.
    phase_offset : float
        Angle of the mean object over the training patches, rad: the labels' zero.
    train, validation : LabelledFrames
        Measured frames; `validation` may be empty.
    train_indices, validation_indices : ndarray of int64
        Their scan points.
    virtual : VirtualScan or None
        Source of virtual frames, and the probe.
    messages : tuple of str
        What the user should know.
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
        scan: Scan,
        reconstruction: Reconstruction,
        region: TrainingRegion,
        options: TrainingOptions,
        network: NetworkOptions,
        device: str,
        preprocessing: Preprocessing | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> TrainingData:
        """Read the frames and cut the labels of a region: no more than training looks at.

        Of the training frames of a big region as many are drawn as the steps ask
        for, and of the validation frames `MOST_VALIDATING` are evenly chosen.

        Raises
        ------
        InputError
            When fewer than two training patches lie on the object.
        Stopped
            When `should_stop` said so.
        """
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
        messages = [f"{lost} frames are left out: their patches are not on the object"] * bool(lost)
        offset = phase_origin(placed, positions, train, shape)
        virtual = None
        if options.rescans > 0 or network.uses_probe:
            try:
                virtual = VirtualScan.from_reconstruction(
                    scan, placed, positions, train, network.size, offset, device
                )
            except InputError as error:
                without = "training on measured frames only, without the beam"
                if preprocessing is not None and network.uses_probe:
                    raise InputError(f"this model cannot be trained on: {error}") from error
                messages.append(f"{without}: {error}")
                network = network.without_probe()
        if preprocessing is None:
            preprocessing = Preprocessing.fit(
                scan, train, size=network.size, scaling=network.scaling
            )
        else:
            preprocessing = preprocessing.masked_as(scan)
        looked_at = _drawn(train, options), _even(validation)
        for whole, part, what in zip(
            (train, validation), looked_at, ("training", "validation"), strict=True
        ):
            if len(part) < len(whole):
                messages.append(f"{len(part)} of the {len(whole)} {what} frames are looked at")
        train, validation = looked_at
        measured = (
            LabelledFrames.measured(
                scan, placed, positions, part, preprocessing, offset, device, should_stop
            )
            for part in looked_at
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
        self, options: TrainingOptions, team: ProcessGroup = ProcessGroup()
    ) -> Iterator[tuple[LabelledFrames, float]]:
        """Yield batches without end: measured frames in random order, topped up with virtual ones.

        A pass over the measured frames ends with a smaller batch if need be, so
        that each frame is seen once in every pass.

        Parameters
        ----------
        options : TrainingOptions
            Recipe.
        team : Team
            Who works off a batch together.  Batches are the same for any team.

        Yields
        ------
        frames : LabelledFrames
            This member's; a frame that does not count where it has none.
        share : float
            Part of the whole batch that they are.
        """
        measured, virtual = self.shares(options)
        order = torch.Generator().manual_seed(options.seed)
        chance = torch.Generator().manual_seed(options.seed)
        while True:
            rows = torch.randperm(len(self.train), generator=order).to(self.train.frames.device)
            for start in range(0, len(rows), measured):
                chosen = rows[start : start + measured]
                mine = team.share(len(chosen) + virtual)
                batch = self.train[chosen[mine.start : mine.stop]]
                if self.virtual is not None and virtual:
                    made = range(max(0, mine.start - len(chosen)), max(0, mine.stop - len(chosen)))
                    drawn = self.virtual.sample_batch(virtual, self.preprocessing, chance, made)
                    batch = LabelledFrames.join(batch, drawn) if len(batch) else drawn
                share = len(mine) / (len(chosen) + virtual)
                yield (batch if len(mine) else self.train[:1]), share

    def steps_per_pass(self, options: TrainingOptions) -> int:
        """Batches until each measured frame was seen once."""
        return math.ceil(len(self.train) / self.shares(options)[0])


def _drawn(train: NDArray[np.int64], options: TrainingOptions) -> NDArray[np.int64]:
    """Training frames that so many steps can look at, at most; in scan order."""
    if options.epochs:
        return train
    most = max(ALL_TRAINING, options.steps * options.batch_size)
    if len(train) <= most:
        return train
    return np.sort(np.random.default_rng(options.seed).choice(train, most, replace=False))


def _even(validation: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(validation) <= MOST_VALIDATING:
        return validation
    chosen = np.linspace(0, len(validation) - 1, MOST_VALIDATING).astype(np.int64)
    return validation[chosen]
