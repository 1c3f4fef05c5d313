"""Refinement: corrects a patch by the object update of its own frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Refinement(nn.Module):
    """Small network that computes the correction of a patch from its object update.

    The object update, as in an iterative engine, comes from one noisy frame: it is right
    on average and wrong in detail.  The network works at half the resolution with four
    times the channels, which costs a quarter.

    Parameters
    ----------
    width : int
        `NetworkOptions.width`.
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
    """Return a 3x3 convolution and its rectifier; no bias before batch normalisation."""
    layers: list[nn.Module] = [nn.Conv2d(inner, outer, 3, padding=1, bias=not batch_norm)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outer))
    return [*layers, nn.ReLU(inplace=True)]
