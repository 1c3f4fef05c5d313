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

from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError, Stopped
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.data import TrainingData
from napari_ptychonn.network.training.process_group import ProcessGroup
from napari_ptychonn.network.training.trainer import Trainer
from napari_ptychonn.optics.illumination import illumination_weight
from napari_ptychonn.stitching.mosaic import window_weight

EPOCH_STEPS = 25
"""An epoch that is counted in steps has at least so many."""

SAMPLE = 64
"""Training frames that stand in for validation frames where there are none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Epoch:
    """What is known after some steps of training.

    Attributes
    ----------
    number, total : int
        This epoch, from 1, and how many there will be at most.
    step, steps : int
        Optimiser steps done, and in all.
    train_loss : float
        Mean over the epoch's batches of what is minimised.
    validation_loss : float or None
        The same on the validation frames; None without any.
    amplitude_loss, phase_loss : float or None
        Its parts: mean absolute error of the validation frames, in label units and rad.
    learning_rate : float
        During this epoch.
    seconds, remaining : float
        Since the start, and until the end as far as can be foreseen.
    best : TrainedModel
        The model of the best epoch so far; without validation frames, the latest.
    is_best : bool
        Whether this epoch made it.
    messages : tuple of str
        What the user should know since the last epoch: plain sentences.
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
    team: ProcessGroup = ProcessGroup(),
) -> Iterator[Epoch]:
    """Fit a network to the training region, epoch by epoch.

    Parameters
    ----------
    scan : Scan
        Frames.
    reconstruction : Reconstruction
        Labels; placed under the scan here.
    region : TrainingRegion
        Which frames train and which validate.
    options : TrainingOptions, optional
        Recipe; the default one if not given.
    network : NetworkOptions, optional
        Network; that of `resume`, or else the default one, if not given.
    device : str
        See `choose_device`.
    resume : TrainedModel, optional
        Go on from these weights, Adam's moments and epoch number, for as long
        again as `options` say.
    should_stop : callable, optional
        Asked before every batch; True ends the training with one last epoch
        that carries the best model so far.  While frames are still read it ends
        without any.
    team : Team
        Who trains together; all members call this with the same arguments.  Any
        team gives the same losses, and only its first member's epochs carry
        trained models.

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
    options = options or TrainingOptions()
    network = network or (resume.options if resume else NetworkOptions())
    if resume and network != resume.options:
        raise InputError("training goes on with the network it began with; got other options.")
    if team.size > options.batch_size:
        raise InputError(
            f"{team.size} processes cannot share batches of {options.batch_size} frames."
        )
    chosen = team.device(device)
    should_stop = should_stop or _never
    try:
        data = TrainingData.load(
            scan,
            reconstruction,
            region,
            options,
            network,
            chosen.name,
            resume.preprocessing if resume else None,
            lambda: team.agree(should_stop()),
        )
    except Stopped:
        return  # before there was a model
    network = data.network
    epoch_steps, epochs = _budget(options, data.steps_per_pass(options))
    fit = Trainer(options, network, data, chosen.name, epoch_steps * epochs, resume, team)
    together = f", {team.size} processes together" if team.size > 1 else ""
    fit.messages += [f"training on {chosen.name}: {chosen.reason}{together}", *data.messages]
    blank = _blank_model(scan, reconstruction, region, options, network, data)
    course = _Course(fit, data, blank, epoch_steps, epochs, resume)
    while not course.ended:
        yield course.epoch(should_stop)


class _Course:
    """The run of the epochs: counts them and keeps the best model."""

    def __init__(
        self,
        fit: Trainer,
        data: TrainingData,
        blank: TrainedModel,
        epoch_steps: int,
        epochs: int,
        resume: TrainedModel | None,
    ) -> None:
        self.fit, self.data, self.team = fit, data, fit.team
        self.epoch_steps, self.epochs = epoch_steps, epochs
        self.batches = data.batches(fit.options, fit.team)
        self.started = time.perf_counter()
        self.history = list(resume.history) if resume else []
        self.before = len(self.history)
        self.best = resume or replace(blank, state=fit.weights())
        self.blank = blank
        self.best_loss = math.inf
        self.number = self.step = self.flat = 0
        self.ended = False

    def epoch(self, should_stop: Callable[[], bool]) -> Epoch:
        """Run one epoch, or what is left of it when asked to stop."""
        self.number += 1
        losses, stopped = self._steps(should_stop)
        # Only here, once an epoch, does the host wait for what the device has computed.
        train = float(torch.stack(losses).double().mean()) if losses else math.nan
        validation = self._validated()
        rate = self.fit.rate
        self._record(train, validation, rate)
        is_best = self._keep_if_best(train, validation)
        self._decide_end(stopped, diverged=bool(losses) and not math.isfinite(train))
        seconds = time.perf_counter() - self.started
        steps = self.epoch_steps * self.epochs
        messages, self.fit.messages = tuple(self.fit.messages), []
        return Epoch(
            number=self.before + self.number,
            total=self.before + self.epochs,
            step=self.step,
            steps=steps,
            train_loss=train,
            validation_loss=validation[0] if validation else None,
            amplitude_loss=validation[1] if validation else None,
            phase_loss=validation[2] if validation else None,
            learning_rate=rate,
            seconds=seconds,
            remaining=0.0 if self.ended else seconds / self.step * (steps - self.step),
            best=self.best,
            is_best=is_best,
            messages=messages,
        )

    def _steps(self, should_stop: Callable[[], bool]) -> tuple[list[Tensor], bool]:
        losses: list[Tensor] = []
        while len(losses) < self.epoch_steps:
            if self.team.agree(should_stop()):
                return losses, True
            batch, share = next(self.batches)
            losses.append(self.fit.step(batch, self.step, share))
            self.step += 1
        return losses, False

    def _validated(self) -> tuple[float, float, float] | None:
        """Losses on the validation frames, which the first member finds for all."""
        if not len(self.data.validation):
            return None
        found = self.fit.losses(self.data.validation) if self.team.leads else (0.0, 0.0, 0.0)
        told = self.team.broadcast(torch.tensor(found, dtype=torch.float64))
        loss, amplitude, phase = told.tolist()
        return loss, amplitude, phase

    def _record(
        self, train: float, validation: tuple[float, float, float] | None, rate: float
    ) -> None:
        loss, amplitude, phase = validation or (None, None, None)
        self.history.append(
            {
                "number": self.before + self.number,
                "step": self.step,
                "train_loss": train,
                "validation_loss": loss,
                "amplitude_loss": amplitude,
                "phase_loss": phase,
                "learning_rate": rate,
                "seconds": time.perf_counter() - self.started,
            }
        )

    def _keep_if_best(self, train: float, validation: tuple[float, float, float] | None) -> bool:
        """Keep the model of the lowest validation loss; without one, the latest."""
        loss = validation[0] if validation else train
        self.fit.end_epoch(loss)
        better = math.isfinite(train) and math.isfinite(loss)
        better = better and (validation is None or loss < self.best_loss)
        if better:
            self.best_loss = loss
        if better and self.team.leads:
            seen = self.data.validation if len(self.data.validation) else self.data.train[:SAMPLE]
            self.best = replace(
                self.blank,
                state=self.fit.weights(),
                optimiser=self.fit.moments(),
                residual_limit=self.fit.residual_limit(seen),
            )
        self.best = replace(self.best, history=tuple(self.history))
        self.flat = 0 if better else self.flat + 1
        return better

    def _decide_end(self, stopped: bool, *, diverged: bool) -> None:
        patience = self.fit.options.stop_after
        if stopped:
            self.fit.messages.append("stopped as asked; the best model so far is kept")
        elif diverged:
            self.fit.messages.append("the loss is no longer finite; the best model so far is kept")
        elif patience and self.flat >= patience:
            self.fit.messages.append(f"no better validation loss for {self.flat} epochs: stopped")
            stopped = True
        self.ended = stopped or diverged or self.number == self.epochs


def _budget(options: TrainingOptions, steps_per_pass: int) -> tuple[int, int]:
    """Steps in an epoch, and epochs.

    An epoch is one pass over the measured frames when counted in epochs.  When
    counted in steps it is as near to that as leaves 20 epochs to look at.
    """
    if options.epochs:
        return steps_per_pass, options.epochs
    longest = max(EPOCH_STEPS, options.steps // 20)
    steps = min(options.steps, max(EPOCH_STEPS, min(steps_per_pass, longest)))
    return steps, math.ceil(options.steps / steps)


def _blank_model(
    scan: Scan,
    reconstruction: Reconstruction,
    region: TrainingRegion,
    options: TrainingOptions,
    network: NetworkOptions,
    data: TrainingData,
) -> TrainedModel:
    """Everything about the model but its weights."""
    shape, probe = (network.size, network.size), data.placed.probe
    return TrainedModel(
        options=network,
        preprocessing=data.preprocessing,
        state={},
        pixel_size=data.placed.pixel_size,
        unit=data.placed.unit,
        weight=window_weight(shape) if probe is None else illumination_weight(probe, shape),
        probe=probe,
        provenance={
            "scan": scan.name,
            "scan_key": scan.fingerprint,
            "reconstruction": reconstruction.name,
            "algorithm": reconstruction.algorithm,
            "region": region.description,
            "train": data.train_indices.tolist(),
            "validation": data.validation_indices.tolist(),
            "gap": _unused(scan, region, data).tolist(),
            "phase_offset": data.phase_offset,
            "training": asdict(options),
            "versions": {name: _version(name) for name in ("napari-ptychonn", "torch", "numpy")},
        },
    )


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
