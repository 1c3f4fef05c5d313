"""The part of the network that corrects a patch by what its own far field leaves unexplained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Refinement(nn.Module):
    """A patch and its object update in, a correction of the patch out.

    An object update is what an iterative engine would add; made from one noisy
    frame, it is right on average and wrong in detail.  This small network learns
    how much of it to believe, and where.  It works at half the resolution with
    four times the channels, which costs a quarter.

    Parameters
    ----------
    width : int
        Of the network that it belongs to.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        near, far = 2 * width, 4 * width
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        self.near = nn.Sequential(*convolution(16, near), *convolution(near, near))
        self.far = nn.Sequential(nn.MaxPool2d(2), *convolution(near, far), *convolution(far, near))
        self.together = nn.Sequential(
            *convolution(2 * near, near), nn.Conv2d(near, 8, 3, padding=1)
        )

    def forward(self, patch: Tensor, update: Tensor) -> Tensor:
        """(m, 2, size, size) standardised patch and its update → correction of the patch."""
        near = self.near(self.unshuffle(torch.cat([patch, update], dim=1)))
        far = functional.interpolate(
            self.far(near), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        correction: Tensor = self.shuffle(self.together(torch.cat([near, far], dim=1)))
        return correction


def convolution(inner: int, outer: int, batch_norm: bool = True) -> list[nn.Module]:
    """3x3 convolution with its rectifier.

    A bias before batch normalisation is subtracted again, so it is left out.
    """
    layers: list[nn.Module] = [nn.Conv2d(inner, outer, 3, padding=1, bias=not batch_norm)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outer))
    return [*layers, nn.ReLU(inplace=True)]
