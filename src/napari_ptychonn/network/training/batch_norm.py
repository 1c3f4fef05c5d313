"""Batch normalisation over the frames of all members of a team."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_ptychonn.network.training.process_group import ProcessGroup


class SharedBatchNorm(nn.BatchNorm2d):
    """Normalises by mean and variance of the whole batch, wherever its frames are.

    torch's own SyncBatchNorm does so on CUDA only.

    Parameters
    ----------
    norm : BatchNorm2d
        What it takes the place of: same weights, same names.
    team : Team
        Whose frames count.

    Attributes
    ----------
    present : bool
        Whether this member's frames count; it takes part all the same.
    """

    def __init__(self, norm: nn.BatchNorm2d, team: ProcessGroup) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.load_state_dict(norm.state_dict())
        self.team = team
        self.present = True

    def forward(self, images: Tensor) -> Tensor:
        """(m, channels, height, width) → the same, normalised."""
        if not self.training:
            return super().forward(images)
        count, mean, variance = self._moments(images)
        with torch.no_grad():
            self._remember(count, mean, variance)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        shape = (1, -1, 1, 1)
        return torch.addcmul(shift.view(shape), images, scale.view(shape))

    def _moments(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels of one channel, mean and biased variance (channels,) over all members."""
        variance, mean = torch.var_mean(images, dim=(0, 2, 3), correction=0)
        mean, variance = mean.double(), variance.double()  # else a small variance drowns
        pixels = images.numel() / self.num_features * self.present
        count = torch.full((1,), pixels, dtype=torch.float64, device=images.device)
        parts = torch.cat([count, pixels * mean, pixels * (variance + mean.square())])
        count, sums, squares = _Sum.apply(self.team, parts).split(  # type: ignore[no-untyped-call]
            [1, self.num_features, self.num_features]
        )
        mean = sums / count
        variance = functional.relu(squares / count - mean.square())
        return count, mean.to(images), variance.to(images)

    def _remember(self, count: Tensor, mean: Tensor, variance: Tensor) -> None:
        """Keep what predictions are normalised by, as torch does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        share = self.momentum or 0.0
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1).clamp_min(1)).to(variance), share)
        self.num_batches_tracked.add_(1)


def share_statistics(network: nn.Module, team: ProcessGroup) -> list[SharedBatchNorm]:
    """Replace each batch normalisation of a network by one over all members of a team."""
    shared = []
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                shared.append(SharedBatchNorm(child, team))
                setattr(module, name, shared[-1])
    return shared


class _Sum(torch.autograd.Function):
    """Sum over all members: each of them gets what all losses together say of its part."""

    @staticmethod
    def forward(ctx: Any, team: ProcessGroup, values: Tensor) -> Tensor:
        ctx.team = team
        return team.add(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor]:
        (gradient,) = gradients
        return None, ctx.team.add(gradient.clone())
