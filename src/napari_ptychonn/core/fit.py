"""One network being fitted: its loss, its optimiser, one step at a time."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_ptychonn.core.beam import beam_weight
from napari_ptychonn.core.errors import InputError
from napari_ptychonn.core.labels import LabelledFrames
from napari_ptychonn.core.model import TrainedModel
from napari_ptychonn.core.network import PtychoNN
from napari_ptychonn.core.options import NetworkOptions, TrainingOptions
from napari_ptychonn.core.training_data import TrainingData

FINAL_RATE = 0.02
"""Learning rate at the end of the linear schedule, relative to its start."""

FLOOR_RATE = 0.1
"""Least learning rate of the plateau schedule, relative to its start."""


class Fit:
    """Network, loss, Adam and learning rate.

    Parameters
    ----------
    options : TrainingOptions
        Recipe.
    network : NetworkOptions
        Shape of the network.
    data : TrainingData
        What it is fitted to; gives the spread of the labels and the beam.
    device : str
        Torch device.
    steps : int
        Optimiser steps in all, for the linear schedule.
    resume : TrainedModel, optional
        Weights and moments to go on from.
    """

    def __init__(
        self,
        options: TrainingOptions,
        network: NetworkOptions,
        data: TrainingData,
        device: str,
        steps: int,
        resume: TrainedModel | None = None,
    ) -> None:
        self.options, self.steps = options, steps
        self.messages: list[str] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            self.network = PtychoNN(network)
        if resume is not None:
            self.network.load_state_dict(dict(resume.state))
        elif network.heads == "standardised":
            for k, label in enumerate((data.train.amplitude, data.train.phase)):
                self.network.label_mean[k] = label.mean()
                self.network.label_spread[k] = label.std().clamp_min(1e-6)
        self.network.on(device)
        self.weight = _beam(options, network, data, device)
        self.micro_batch = options.batch_size
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=options.learning_rate)
        if resume is not None and resume.optimiser:
            self._restore(resume)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser,
            factor=0.5,
            patience=options.patience,
            min_lr=options.learning_rate * FLOOR_RATE,
        )

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def step(self, batch: LabelledFrames, number: int) -> Tensor:
        """Take one optimiser step; return its loss as a scalar on the device.

        When the device runs out of memory, the batch is worked off in parts from
        then on: same gradient, half the memory.

        Parameters
        ----------
        batch : LabelledFrames
            On the device.
        number : int
            Steps taken before, for the schedule.
        """
        if self.options.schedule == "linear":
            fall = 1 - (1 - FINAL_RATE) * number / self.steps
            for group in self.optimiser.param_groups:
                group["lr"] = self.options.learning_rate * fall
        self.network.train()
        while True:
            try:
                loss = self._gradient(batch)
                break
            except torch.OutOfMemoryError as error:
                self._halve(error)
        self.optimiser.step()
        return loss

    def losses(self, frames: LabelledFrames) -> tuple[float, float, float]:
        """Loss, amplitude error and phase error (rad) of frames, without learning from them."""
        self.network.eval()
        total = torch.zeros(3)
        with torch.inference_mode():
            for start in range(0, len(frames), self.micro_batch):
                part = frames[start : start + self.micro_batch]
                total += torch.stack(self._errors(part)).cpu() * (len(part) / len(frames))
        return float(total[0]), float(total[1]), float(total[2])

    def end_epoch(self, loss: float) -> None:
        """Let the plateau schedule see the loss that decides."""
        if self.options.schedule == "plateau" and math.isfinite(loss):
            self.plateau.step(loss)

    def weights(self) -> dict[str, Tensor]:
        """Copy of the weights on the CPU."""
        return {k: v.detach().cpu().clone() for k, v in self.network.state_dict().items()}

    def moments(self) -> dict[str, Tensor]:
        """Copy of Adam's moments on the CPU, as '<moment>.<parameter number>'."""
        return {
            f"{moment}.{number}": value.detach().cpu().clone()
            for number, state in self.optimiser.state_dict()["state"].items()
            for moment, value in state.items()
        }

    def _gradient(self, batch: LabelledFrames) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=batch.frames.device)
        for start in range(0, len(batch), self.micro_batch):
            part = batch[start : start + self.micro_batch]
            loss = self._errors(part)[0] * (len(part) / len(batch))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _errors(self, batch: LabelledFrames) -> tuple[Tensor, Tensor, Tensor]:
        """Mean absolute errors: what is minimised, of the amplitude, of the phase (rad)."""
        amplitude, phase = self.network(batch.frames)
        weight = batch.weight if self.weight is None else batch.weight * self.weight
        off_amplitude = ((amplitude - batch.amplitude).abs() * weight).mean()
        off_phase = ((phase - batch.phase).abs() * weight).mean()
        spread = self.network.label_spread
        return off_amplitude / spread[0] + off_phase / spread[1], off_amplitude, off_phase

    def _halve(self, error: torch.OutOfMemoryError) -> None:
        if self.micro_batch == 1:
            raise InputError(
                "the device has too little memory for a single frame; choose a smaller network."
            ) from error
        self.micro_batch = max(1, self.micro_batch // 2)
        self.optimiser.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.messages.append(
            f"the device ran out of memory: batches are worked off {self.micro_batch} at a time"
        )

    def _restore(self, resume: TrainedModel) -> None:
        state = self.optimiser.state_dict()
        restored: dict[int, dict[str, Tensor]] = {}
        for name, value in resume.optimiser.items():
            moment, number = name.rsplit(".", 1)
            restored.setdefault(int(number), {})[moment] = value.clone()  # Adam works in place
        self.optimiser.load_state_dict({**state, "state": restored})
        for group in self.optimiser.param_groups:
            group["lr"] = resume.history[-1]["learning_rate"]


def _beam(
    options: TrainingOptions, network: NetworkOptions, data: TrainingData, device: str
) -> Tensor | None:
    """(size, size) weight of each patch pixel, 1 on average; None when all count the same."""
    if options.loss_weight == "uniform" or data.placed.probe is None:
        return None
    weight = torch.from_numpy(beam_weight(data.placed.probe, (network.size, network.size)))
    return (weight / weight.mean()).to(device)
