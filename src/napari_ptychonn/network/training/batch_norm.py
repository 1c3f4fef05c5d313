"""Batch normalisation over the frames of all processes of a group."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_ptychonn.network.training.process_group import ProcessGroup


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by mean and variance over all processes.

    torch.nn.SyncBatchNorm does this on CUDA only.

    Parameters
    ----------
    norm : BatchNorm2d
        Layer to replace; weights and names stay.
    group : ProcessGroup
        The processes.

    Attributes
    ----------
    present : bool
        False while this process has no frames of the batch; it takes part all the same.
    """

    def __init__(self, norm: nn.BatchNorm2d, group: ProcessGroup) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.load_state_dict(norm.state_dict())
        self.group = group
        self.present = True

    def forward(self, images: Tensor) -> Tensor:
        """(m, channels, height, width) → the same, normalised."""
        if not self.training:
            return super().forward(images)
        count, mean, variance = self._moments(images)
        with torch.no_grad():
            self._update_running(count, mean, variance)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        shape = (1, -1, 1, 1)
        return torch.addcmul(shift.view(shape), images, scale.view(shape))

    def _moments(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels per channel, mean and biased variance (channels,) over the group."""
        variance, mean = torch.var_mean(images, dim=(0, 2, 3), correction=0)
        mean, variance = mean.double(), variance.double()  # else a small variance drowns
        pixels = images.numel() / self.num_features * self.present
        count = torch.full((1,), pixels, dtype=torch.float64, device=images.device)
        parts = torch.cat([count, pixels * mean, pixels * (variance + mean.square())])
        count, sums, squares = _Sum.apply(self.group, parts).split(  # type: ignore[no-untyped-call]
            [1, self.num_features, self.num_features]
        )
        mean = sums / count
        variance = functional.relu(squares / count - mean.square())
        return count, mean.to(images), variance.to(images)

    def _update_running(self, count: Tensor, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics as torch does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        share = self.momentum or 0.0
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1).clamp_min(1)).to(variance), share)
        self.num_batches_tracked.add_(1)


def share_statistics(network: nn.Module, group: ProcessGroup) -> list[SharedBatchNorm]:
    """Replace each batch normalisation of a network by one over the group."""
    shared = []
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                shared.append(SharedBatchNorm(child, group))
                setattr(module, name, shared[-1])
    return shared


class _Sum(torch.autograd.Function):
    """Sum over the group, with the gradient of the summed loss."""

    @staticmethod
    def forward(ctx: Any, group: ProcessGroup, values: Tensor) -> Tensor:
        ctx.group = group
        return group.add(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor]:
        (gradient,) = gradients
        return None, ctx.group.add(gradient.clone())
