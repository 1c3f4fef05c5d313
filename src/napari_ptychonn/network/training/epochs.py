"""Training: an iterator of epochs, each of which carries the best model so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ptychonn.consistency.positions import check_positions
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError, Stopped
from napari_ptychonn.network.compatibility import describe_training_scan, mean_frame
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.data import TrainingData, TrainingSource
from napari_ptychonn.network.training.process_group import ProcessGroup
from napari_ptychonn.network.training.trainer import Trainer
from napari_ptychonn.stitching.mosaic import patch_weight

EPOCH_STEPS = 25
"""Least number of optimiser steps of an epoch when the budget is given in steps."""

SAMPLE = 64
"""Training frames that stand in for validation frames where there are none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Epoch:
    """State of a training after one epoch.

    Attributes
    ----------
    number, total : int
        This epoch, from 1, and the largest number there will be.
    step, steps : int
        Optimiser steps done, and in all.
    train_loss : float
        Mean loss over the epoch's batches.
    validation_loss : float or None
        Loss of the validation frames; None without any.
    amplitude_loss, phase_loss : float or None
        Mean absolute error of the validation frames, in label units and rad.
    learning_rate : float
        During this epoch.
    seconds, remaining : float
        Since the start, and estimated until the end.
    best : TrainedModel
        Model of the epoch with the lowest validation loss so far; without validation
        frames, the latest.
    is_best : bool
        Whether `best` is of this epoch.
    messages : tuple of str
        Sentences for the user since the previous epoch.
    """

    number: int
    total: int
    step: int
    steps: int
    train_loss: float
    validation_loss: float | None
    amplitude_loss: float | None
    phase_loss: float | None
    learning_rate: float
    seconds: float
    remaining: float
    best: TrainedModel
    is_best: bool
    messages: tuple[str, ...] = ()


def train(
    scan: Scan,
    reconstruction: Reconstruction,
    region: TrainingRegion,
    options: TrainingOptions | None = None,
    network: NetworkOptions | None = None,
    *,
    device: str = "auto",
    resume: TrainedModel | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[Epoch]:
    """Fit a network to the training region, epoch by epoch.

    Parameters
    ----------
    scan : Scan
        Diffraction frames.
    reconstruction : Reconstruction
        Source of the labels; it is aligned to the scan here.
    region : TrainingRegion
        Which frames train and which validate.
    options : TrainingOptions, optional
        Recipe; the default one if not given.
    network : NetworkOptions, optional
        Network; that of `resume`, or else the default one, if not given.
    device : str
        See `choose_device`.
    resume : TrainedModel, optional
        Continue from these weights, Adam moments and epoch number, for the whole
        budget of `options` again.
    should_stop : callable, optional
        Called before every batch; True ends the training with one last epoch
        that carries the best model so far, or, while frames are still read, without any.

    Yields
    ------
    Epoch
        At least one, unless stopped while frames were read.

    Raises
    ------
    InputError
        When there is nothing to train on, or the first epoch already diverges.

    Notes
    -----
    Mean absolute error and Adam as in Cherukara et al. 2020.  The same seed on
    the same machine gives the same weights.
    """
    source = TrainingSource(scan=scan, reconstruction=reconstruction, region=region)
    return train_in_group(
        ProcessGroup(),
        source,
        options,
        network,
        device=device,
        resume=resume,
        should_stop=should_stop,
    )


def train_in_group(
    group: ProcessGroup,
    source: TrainingSource,
    options: TrainingOptions | None = None,
    network: NetworkOptions | None = None,
    *,
    device: str = "auto",
    resume: TrainedModel | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[Epoch]:
    """Fit a network together with the other processes of a group.

    All members call this with the same arguments.  The losses do not depend on the size
    of the group, and only the epochs of its first member carry trained models.

    Parameters
    ----------
    group : ProcessGroup
        The processes that train together.
    source : TrainingSource
        Frames and labels.
    options, network, device, resume, should_stop
        As for `train`.

    Yields
    ------
    Epoch
        As `train` does.

    Raises
    ------
    InputError
        As `train` does, and when the group is larger than a batch.
    """
    options = options or TrainingOptions()
    network = network or (resume.options if resume else NetworkOptions())
    should_stop = should_stop or _never
    if resume and network != resume.options:
        raise InputError("training continues with the network it began with; got other options.")
    if group.size > options.batch_size:
        raise InputError(
            f"{group.size} processes cannot share batches of {options.batch_size} frames."
        )
    chosen = group.device(device)
    try:
        data = TrainingData.load(
            source,
            options,
            network,
            chosen.name,
            resume.preprocessing if resume else None,
            lambda: group.agree(should_stop()),
        )
    except Stopped:
        return  # before there was a model
    epoch_steps, epochs = _budget(options, data.steps_per_pass(options))
    steps = epoch_steps * epochs
    trainer = Trainer(options, data.network, data, chosen.name, steps, resume, group)
    together = f", {group.size} processes together" if group.size > 1 else ""
    trainer.messages += [f"training on {chosen.name}: {chosen.reason}{together}", *data.messages]
    blank = _blank_model(source, options, data, resume)
    run = TrainingRun(trainer, data, blank, epoch_steps, epochs, resume)
    while not run.ended:
        yield run.next_epoch(should_stop)


class TrainingRun:
    """The epochs of one training: counts them and keeps the best model.

    Parameters
    ----------
    trainer : Trainer
        Takes the optimiser steps.
    data : TrainingData
        Batches and validation frames.
    blank : TrainedModel
        The model without weights.
    epoch_steps, epochs : int
        Steps of one epoch, and epochs at most.
    resume : TrainedModel, optional
        Model whose history is continued.
    """

    def __init__(
        self,
        trainer: Trainer,
        data: TrainingData,
        blank: TrainedModel,
        epoch_steps: int,
        epochs: int,
        resume: TrainedModel | None,
    ) -> None:
        self.trainer, self.data, self.group = trainer, data, trainer.group
        self.epoch_steps, self.epochs = epoch_steps, epochs
        self.batches = data.batches(trainer.options, trainer.group)
        self.started = time.perf_counter()
        self.history = list(resume.history) if resume else []
        self.before = len(self.history)
        self.blank = blank
        self.best = replace(blank, state=trainer.weights())
        self.best_loss = math.inf
        self.number = self.step = self.flat = 0
        self.ended = False
        # A model that is trained further is kept until an epoch is better on these frames.
        before = self._validate() if resume else None
        if before and math.isfinite(before[0]):
            self.best_loss, self.best = before[0], self._present_model()

    def next_epoch(self, should_stop: Callable[[], bool]) -> Epoch:
        """Run one epoch, or a part of it if stopped."""
        self.number += 1
        losses, stopped = self._take_steps(should_stop)
        # The host waits for the device only here, once an epoch.
        train_loss = float(torch.stack(losses).double().mean()) if losses else math.nan
        validation = self._validate()
        rate = self.trainer.rate
        is_best = self._keep_if_best(train_loss, validation)
        self._decide_end(stopped, diverged=bool(losses) and not math.isfinite(train_loss))
        seconds = time.perf_counter() - self.started
        steps = self.epoch_steps * self.epochs
        loss, amplitude, phase = validation or (None, None, None)
        self.history.append(
            {
                "number": self.before + self.number,
                "step": self.step,
                "train_loss": train_loss,
                "validation_loss": loss,
                "amplitude_loss": amplitude,
                "phase_loss": phase,
                "learning_rate": rate,
                "seconds": seconds,
            }
        )
        self.best = replace(self.best, history=tuple(self.history))
        messages, self.trainer.messages = tuple(self.trainer.messages), []
        return Epoch(
            **self.history[-1],
            total=self.before + self.epochs,
            steps=steps,
            remaining=0.0 if self.ended else seconds / self.step * (steps - self.step),
            best=self.best,
            is_best=is_best,
            messages=messages,
        )

    def _take_steps(self, should_stop: Callable[[], bool]) -> tuple[list[Tensor], bool]:
        """Return the losses of an epoch's steps, and whether it was stopped."""
        losses: list[Tensor] = []
        while len(losses) < self.epoch_steps:
            if self.group.agree(should_stop()):
                return losses, True
            batch, share = next(self.batches)
            losses.append(self.trainer.step(batch, self.step, share))
            self.step += 1
        return losses, False

    def _validate(self) -> tuple[float, float, float] | None:
        """Return loss, amplitude and phase error of the validation frames, computed once."""
        if not len(self.data.validation):
            return None
        losses = (0.0, 0.0, 0.0)
        if self.group.leads:
            losses = self.trainer.losses(self.data.validation)
        shared = self.group.broadcast(torch.tensor(losses, dtype=torch.float64))
        loss, amplitude, phase = shared.tolist()
        return loss, amplitude, phase

    def _keep_if_best(
        self, train_loss: float, validation: tuple[float, float, float] | None
    ) -> bool:
        """Keep the model of the lowest validation loss; without one, the latest."""
        loss = validation[0] if validation else train_loss
        self.trainer.end_epoch(loss)
        better = math.isfinite(train_loss) and math.isfinite(loss)
        better = better and (validation is None or loss < self.best_loss)
        if better:
            self.best_loss = loss
            self.best = self._present_model()
        self.flat = 0 if better else self.flat + 1
        return better

    def _present_model(self) -> TrainedModel:
        """Return the model as it is now; without weights but in the leading process."""
        if not self.group.leads:
            return self.best
        unseen = self.data.validation if len(self.data.validation) else self.data.train[:SAMPLE]
        return replace(
            self.blank,
            state=self.trainer.weights(),
            optimiser=self.trainer.moments(),
            residual_limit=self.trainer.residual_limit(unseen),
        )

    def _decide_end(self, stopped: bool, *, diverged: bool) -> None:
        patience = self.trainer.options.stop_after
        if stopped:
            self.trainer.messages.append("stopped; the best model so far is kept")
        elif diverged:
            self.trainer.messages.append("the loss is not finite; the best model so far is kept")
        elif patience and self.flat >= patience:
            self.trainer.messages.append(
                f"no better validation loss for {format_count(self.flat, 'epoch')}: stopped"
            )
            stopped = True
        self.ended = stopped or diverged or self.number == self.epochs


def _budget(options: TrainingOptions, steps_per_pass: int) -> tuple[int, int]:
    """Steps in an epoch, and epochs.

    An epoch is one pass over the measured frames when the budget is in epochs.  When it
    is in steps, an epoch is as near to a pass as leaves about 20 epochs.
    """
    if options.epochs:
        return steps_per_pass, options.epochs
    longest = max(EPOCH_STEPS, options.steps // 20)
    steps = min(options.steps, max(EPOCH_STEPS, min(steps_per_pass, longest)))
    return steps, math.ceil(options.steps / steps)


def _blank_model(
    source: TrainingSource,
    options: TrainingOptions,
    data: TrainingData,
    resume: TrainedModel | None,
) -> TrainedModel:
    """Everything about the model but its weights."""
    scan, reconstruction, region = source.scan, source.reconstruction, source.region
    return TrainedModel(
        options=data.network,
        preprocessing=data.preprocessing,
        state={},
        pixel_size=data.placed.pixel_size,
        unit=data.placed.unit,
        weight=patch_weight(data.placed.probe, (data.network.size, data.network.size)),
        probe=data.placed.probe,
        mean_frame=mean_frame(scan, data.train_indices),
        provenance={
            **describe_training_scan(scan),
            "scan": scan.name,
            "scan_key": scan.fingerprint,
            "frames_key": scan.frames_fingerprint,
            "positions_warning": _positions_warning(scan, reconstruction),
            "reconstruction": reconstruction.name,
            "algorithm": reconstruction.algorithm,
            "region": region.description,
            "train": data.train_indices.tolist(),
            "validation": data.validation_indices.tolist(),
            "gap": _unused(scan, region, data).tolist(),
            "phase_offset": data.phase_offset,
            "training": asdict(options),
            "earlier": [] if resume is None else resume.stages,
            "versions": {name: _version(name) for name in ("napari-ptychonn", "torch", "numpy")},
        },
    )


def _positions_warning(scan: Scan, reconstruction: Reconstruction) -> str | None:
    """What `predict` has to report: it uses the scan's positions, training the labels' own."""
    check = check_positions(scan, reconstruction)
    return None if check is None else check.warning


def _unused(scan: Scan, region: TrainingRegion, data: TrainingData) -> NDArray[np.int64]:
    """Chosen points that neither trained nor validated: the gap, and those off the object."""
    chosen = np.setdiff1d(np.arange(len(scan)), region.held_out)
    return np.setdiff1d(chosen, np.union1d(data.train_indices, data.validation_indices))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _never() -> bool:
    return False
