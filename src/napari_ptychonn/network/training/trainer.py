"""Loss, optimiser and learning rate of one network, one step at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from napari_ptychonn.consistency.photon_noise import expected_square
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.ptychonn import PtychoNN
from napari_ptychonn.network.training.batch_norm import share_statistics
from napari_ptychonn.network.training.cuda_graph import GraphedStep
from napari_ptychonn.network.training.data import TrainingData
from napari_ptychonn.network.training.labels import LabelledFrames
from napari_ptychonn.network.training.process_group import ProcessGroup
from napari_ptychonn.optics.illumination import illumination_weight
from napari_ptychonn.optics.propagator import PHOTON_NOISE

FINAL_RATE = 0.02
"""Learning rate at the end of the linear schedule, relative to its start."""

FLOOR_RATE = 0.1
"""Least learning rate of the plateau schedule, relative to its start."""

GAUSSIAN_WIDTH = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

OUTLIER_SIGMA = 4.0
"""Standard deviations above which a diffraction residual is an outlier."""

WITHIN_NOISE = 1.25
"""Diffraction residual, relative to that of photon noise, which always agrees."""

LEAST_EXPLAINED = 0.8
"""Share of the structure of frames that labels are taken to explain at least."""


class Trainer:
    """Network, loss, Adam and learning rate.

    Parameters
    ----------
    options : TrainingOptions
        Recipe.
    network : NetworkOptions
        Shape of the network.
    data : TrainingData
        Training data; gives the spread of the labels and the probe.
    device : str
        Torch device.
    steps : int
        Optimiser steps in all, for the linear schedule.
    resume : TrainedModel, optional
        Weights and moments to continue from.
    group : ProcessGroup
        Processes that train together: each computes its share of every batch, and
        all take the same step.
    """

    def __init__(
        self,
        options: TrainingOptions,
        network: NetworkOptions,
        data: TrainingData,
        device: str,
        steps: int,
        resume: TrainedModel | None = None,
        group: ProcessGroup = ProcessGroup(),
    ) -> None:
        self.options, self.steps, self.group = options, steps, group
        self.messages: list[str] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            far_field = data.virtual.far_field if data.virtual else None
            self.network = PtychoNN(network, far_field)
        if resume is not None:
            self._load_weights(resume)
        if network.heads == "standardised":  # continued training may have other labels
            for k, label in enumerate((data.train.amplitude, data.train.phase)):
                self.network.label_mean[k] = label.mean()
                self.network.label_spread[k] = label.std().clamp_min(1e-6)
        self.shared = share_statistics(self.network, group) if group.size > 1 else []
        for value in self.network.state_dict().values():
            group.broadcast(value)  # the machines of a group may differ in the last digit
        self.network.to_device(device)
        self.weight = _loss_weight(options, network, data, device)
        self.micro_batch = options.batch_size
        on_gpu = device.startswith("cuda")
        self.optimiser = torch.optim.Adam(
            self.network.parameters(),
            lr=options.learning_rate,
            fused=device == "cpu" or on_gpu,  # one kernel for all weights
            capturable=on_gpu,
        )
        self.graphed = GraphedStep(self._step) if on_gpu and group.size == 1 else None
        self._rate = torch.zeros((), device=device) if on_gpu else None
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

    def step(self, batch: LabelledFrames, number: int, share: float = 1.0) -> Tensor:
        """Take one optimiser step; return its loss as a scalar on the device.

        When the device runs out of memory, batches are computed in parts from then on:
        same gradient, half the memory.

        Parameters
        ----------
        batch : LabelledFrames
            On the device.
        number : int
            Steps taken before, for the schedule.
        share : float
            Part of the group's batch that this is; 0 for a process without frames.
        """
        if self.options.schedule == "linear":
            fall = 1 - (1 - FINAL_RATE) * number / self.steps
            for group in self.optimiser.param_groups:
                group["lr"] = self.options.learning_rate * fall
        self.network.train()
        with self._rate_on_device():
            if self.graphed is not None and len(batch) == self.micro_batch:
                return self.graphed(batch)
            return self._step(batch, share)

    def losses(self, frames: LabelledFrames) -> tuple[float, float, float]:
        """Loss, mean absolute amplitude error and phase error (rad) of frames, without a step."""
        self.network.eval()
        total = torch.zeros(3, device=self.network.label_mean.device)
        with torch.inference_mode():
            for start in range(0, len(frames), self.micro_batch):
                part = frames[start : start + self.micro_batch]
                amplitude, phase = self.network(part.frames)
                errors = self._errors(amplitude, phase, part)
                total += torch.stack(errors) * (len(part) / len(frames))
        minimised, off_amplitude, off_phase = total.tolist()  # waits for the GPU
        return minimised, off_amplitude, off_phase

    def residual_limit(self, frames: LabelledFrames) -> float | None:
        """Threshold on the diffraction residual that few good predictions exceed.

        Parameters
        ----------
        frames : LabelledFrames
            Frames like those to be predicted, at best not trained on.

        Returns
        -------
        float or None
            Median plus four standard deviations of the predictions of `frames`, but at
            most `largest_residual_limit`; None without a probe.
        """
        if self.network.far_field is None:
            return None
        self.network.eval()
        with torch.inference_mode():
            residuals = torch.cat([self._residuals(part) for part in self._parts(frames)]).cpu()
            predicted, labels, flat = residuals.unbind(1)
            middle = predicted.median()
            width = (predicted - middle).abs().median() * GAUSSIAN_WIDTH
            noise = self._noise_residual(frames)
            largest = largest_residual_limit(noise, float(labels.median()), float(flat.median()))
        return min(float(middle + OUTLIER_SIGMA * width), largest)

    def _parts(self, frames: LabelledFrames) -> Iterator[LabelledFrames]:
        for start in range(0, len(frames), self.micro_batch):
            yield frames[start : start + self.micro_batch]

    def _residuals(self, part: LabelledFrames) -> Tensor:
        """Residuals (m, 3) of the predictions, of the labels and of the mean object."""
        assert self.network.far_field is not None
        mean = self.network.far_field.mean_object
        flat = (
            torch.ones_like(part.amplitude) * mean.norm(),
            torch.full_like(part.phase, math.atan2(float(mean[1]), float(mean[0]))),
        )
        patches = self.network(part.frames), (part.amplitude, part.phase), flat
        found = [self.network.residual(image, phase, part.frames) for image, phase in patches]
        return torch.stack([residual for residual in found if residual is not None], dim=1)

    def _noise_residual(self, frames: LabelledFrames) -> float:
        """Residual that photon noise alone gives in the brighter ones of the frames."""
        assert self.network.far_field is not None
        counts = frames.frames[:, 0].square()
        totals = counts.sum((-2, -1))
        bright = float(totals.quantile(0.95) / totals.mean())
        good = self.network.far_field.valid.cpu().numpy()
        square = expected_square(counts.mean(0).cpu().numpy() * bright)
        return float((square * good).sum() / good.sum()) / PHOTON_NOISE

    def end_epoch(self, loss: float) -> None:
        """Pass the validation loss to the plateau schedule."""
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

    def _step(self, batch: LabelledFrames, share: float = 1.0) -> Tensor:
        while True:
            try:
                loss = self._gradient(batch, share)
                break
            except torch.OutOfMemoryError as error:
                self._halve(error)
        self.optimiser.step()
        return loss

    @contextmanager
    def _rate_on_device(self) -> Iterator[None]:
        """Keep Adam's rate on the GPU: a number would be captured with the CUDA graph."""
        if self._rate is None:
            yield
            return
        groups = self.optimiser.param_groups
        rates = [group["lr"] for group in groups]  # one group only
        self._rate.fill_(rates[0])
        for group in groups:
            group["lr"] = self._rate
        try:
            yield
        finally:
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate

    def _gradient(self, batch: LabelledFrames, share: float) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        for norm in self.shared:
            norm.present = share > 0
        total = torch.zeros((), device=batch.frames.device)
        for start in range(0, len(batch), self.micro_batch):
            part = batch[start : start + self.micro_batch]
            losses = [
                self._errors(amplitude, phase, part)[0] * (share * len(part) / len(batch))
                for amplitude, phase in self.network.stages(part.frames)
            ]
            torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
            total += losses[-1].detach()
        return self._sum_over_group(total) if self.group.size > 1 else total

    def _sum_over_group(self, loss: Tensor) -> Tensor:
        """Sum gradients and loss over the group, in one message."""
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        parts = [*gradients, loss]
        message = self.group.add(torch.cat([part.reshape(-1) for part in parts]))
        summed = torch.split(message, [part.numel() for part in parts])
        for gradient, values in zip(gradients, summed[:-1], strict=True):
            gradient.copy_(values.view_as(gradient))
        return summed[-1].reshape(())

    def _errors(
        self, amplitude: Tensor, phase: Tensor, labels: LabelledFrames
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, and the mean absolute errors of amplitude and phase (rad)."""
        weight = labels.weight if self.weight is None else labels.weight * self.weight
        off_amplitude = ((amplitude - labels.amplitude).abs() * weight).mean()
        off = self._phase_error(phase, labels.phase)
        off_phase = (off.abs() * weight).mean()
        spread = self.network.label_spread
        minimised = off_amplitude / spread[0] + self._without_offset(off, weight) / spread[1]
        return minimised, off_amplitude, off_phase

    def _phase_error(self, phase: Tensor, label: Tensor) -> Tensor:
        """Difference of phases, rad, wrapped to [−π, π) except for the published networks."""
        off = phase - label
        if self.network.options.heads != "standardised":
            return off  # as published
        return torch.remainder(off + math.pi, 2 * math.pi) - math.pi

    def _without_offset(self, off: Tensor, weight: Tensor) -> Tensor:
        """Mean absolute phase error, with the constant of each patch weighted separately.

        The far field does not depend on a constant phase.  A network that has to predict
        it memorises the place of each training frame.
        """
        share = self.options.offset_weight
        if share == 1.0:
            return (off.abs() * weight).mean()
        total = weight.mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
        constant = (off * weight).mean(dim=(1, 2, 3), keepdim=True) / total
        return ((off - constant).abs() * weight).mean() + share * constant.abs().mean()

    def _halve(self, error: torch.OutOfMemoryError) -> None:
        if self.group.size > 1:  # the others are in the middle of the same step
            raise InputError(
                "the device has too little memory for "
                f"{format_count(self.options.batch_size, 'frame')} among "
                f"{self.group.size} processes; choose a smaller batch size or more processes."
            ) from error
        if self.micro_batch == 1:
            raise InputError(
                "the device has too little memory for a single frame; choose a smaller network."
            ) from error
        self.micro_batch = max(1, self.micro_batch // 2)
        self.optimiser.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.messages.append(
            f"the device ran out of memory: batches are computed {self.micro_batch} at a time"
        )

    def _load_weights(self, resume: TrainedModel) -> None:
        """Continue from trained weights, but with the probe of this scan, which may be another."""
        state = {k: v for k, v in resume.state.items() if not k.startswith("far_field.")}
        self.network.load_state_dict(state, strict=False)

    def _restore(self, resume: TrainedModel) -> None:
        state = self.optimiser.state_dict()
        restored: dict[int, dict[str, Tensor]] = {}
        for name, value in resume.optimiser.items():
            moment, number = name.rsplit(".", 1)
            restored.setdefault(int(number), {})[moment] = value.clone()  # Adam works in place
        self.optimiser.load_state_dict({**state, "state": restored})
        for group in self.optimiser.param_groups:
            group["lr"] = resume.history[-1]["learning_rate"]


def largest_residual_limit(noise: float, labels: float, flat: float) -> float:
    """Diffraction residual up to which a prediction may explain its frame at all.

    Parameters
    ----------
    noise, labels, flat : float
        Residuals that photon noise alone gives, that the labels have, and that the mean
        object without any structure has.

    Returns
    -------
    float
        What is left where half of what the labels explain of the structure is explained.
    """
    structure = max(flat - noise, 0.0)
    explained = (flat - labels) / structure if structure else 1.0
    left = 1 - min(max(explained, LEAST_EXPLAINED), 1.0) / 2
    return noise + max(left * structure, (WITHIN_NOISE - 1) * noise)


def _loss_weight(
    options: TrainingOptions, network: NetworkOptions, data: TrainingData, device: str
) -> Tensor | None:
    """(size, size) weight of each patch pixel in the loss, 1 on average; None for uniform."""
    if options.loss_weight == "uniform" or data.placed.probe is None:
        return None
    # The root gives the weakly illuminated rim more weight: it shapes the frame too.
    weight = torch.from_numpy(
        illumination_weight(data.placed.probe, (network.size, network.size))
    ).sqrt()
    return (weight / weight.mean()).to(device)
